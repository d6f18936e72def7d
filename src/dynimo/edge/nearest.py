"""Which of several ranks is nearest to the one that is wanted? Pure.

A rank is a few numbers (``sdk.fallbacks``), such as a width and a height. They are compared by
their ratio. What has another shape (one number grew more than another) is far; what is smaller all
over is farther than what is larger, for it has to be blown up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from dynimo.sdk.fallbacks import ANY, Rank

T = TypeVar("T")

SMALLER_WEIGHS = 2.0
"""A thing of half the size is as far as one of four times the size."""

SHAPE_WEIGHS = 4.0
"""4x4 instead of 4x3 is as far as three times of both."""

SCALE_MAX = 16.0
"""What is so many times as large, or as small, is no stand-in."""

SHAPE_MAX = 4.0
"""Nor is what is so many times as wide for its height."""


def distance(wanted: Rank, there: Rank) -> float | None:
    """Return how far a rank is from the wanted one, 0 for the same; None if it is no stand-in."""
    compared = _compared(wanted, there)
    if compared is None:
        return None
    scale, shape = compared
    if abs(scale) > math.log(SCALE_MAX) or shape > math.log(SHAPE_MAX):
        return None
    return _weighed(scale, shape)


def nearest(wanted: Rank, there: Iterable[tuple[Rank, T]]) -> T | None:
    """Return what has the nearest rank, the first of equals; None if nothing can stand in."""
    best: T | None = None
    least = math.inf
    for rank, thing in there:
        far = distance(wanted, rank)
        if far is not None and far < least:
            best, least = thing, far
    return best


def closest(wanted: Rank, there: Sequence[tuple[Rank, T]]) -> T:
    """Return the nearest of what is made to stand in, however far that is.

    ``there`` is not empty.
    """

    def far(each: tuple[Rank, T]) -> float:
        compared = _compared(wanted, each[0])
        return math.inf if compared is None else _weighed(*compared)

    return min(there, key=far)[1]


def _compared(wanted: Rank, there: Rank) -> tuple[float, float] | None:
    """Return how much larger it is, and how much its shape differs, as logarithms; None: not alike.

    Without anything to compare all are alike.
    """
    if wanted and len(wanted) != len(there):
        return None
    ratios = [
        math.log(have / want)
        for want, have in zip(wanted, there, strict=False)
        if want != ANY and have != ANY
    ]
    if not ratios:
        return 0.0, 0.0
    return sum(ratios) / len(ratios), max(ratios) - min(ratios)


def _weighed(scale: float, shape: float) -> float:
    return (scale if scale >= 0 else -scale * SMALLER_WEIGHS) + shape * SHAPE_WEIGHS
