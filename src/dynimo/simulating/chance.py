"""Random counts: Poisson and binomial, which the standard library of Python 3.11 does not draw."""

from __future__ import annotations

import math
import random

EXACT_MAX = 30.0
"""Means up to here are drawn exactly; above, from the normal distribution, which is then close."""


def poisson(chance: random.Random, mean: float) -> int:
    """How many of very many rare things happen."""
    if mean <= 0:
        return 0
    if mean > EXACT_MAX:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def binomial(chance: random.Random, count: int, share: float) -> int:
    """How many of ``count`` independent things happen, each with the probability ``share``."""
    if count <= 0 or share <= 0:
        return 0
    if share >= 1:
        return count
    if count <= EXACT_MAX:
        draw = chance.random
        return sum(draw() < share for _ in range(count))
    mean = count * share
    drawn = round(chance.gauss(mean, math.sqrt(mean * (1 - share))))
    return min(count, max(0, drawn))


def rounded(chance: random.Random, value: float) -> int:
    """Up or down to an integer, at random, so that the mean stays."""
    return int(value + chance.random())
