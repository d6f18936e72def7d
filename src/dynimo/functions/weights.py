"""Which version does this call of an alias get? Exact over short runs as well as long. Pure.

A share of 10 % sends exactly 5 of 50 calls to the additional version, every tenth one: the n-th
call goes there when n times the share passes a half, as a line is drawn on a grid (Bresenham).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

from dynimo.model.function import Route, Version

_HASH_BYTES = 8


@dataclass(slots=True)
class _Turns:
    """Where an alias's count stands; ``step`` of every ``cycle`` calls go to the additional one."""

    revision: str
    step: int
    cycle: int
    turn: int = 0


class Router:
    """Remembers, for each alias with a weight, how many calls it has led; one entry an alias."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turns] = {}

    def pick(self, route: Route, sticky: str = "") -> Version:
        """The version for one call. With ``sticky`` the same text gets the same version."""
        if len(route.choices) == 1:
            return route.choices[0][0]
        (first, _), (additional, weight) = route.choices
        if sticky:
            return additional if _position(sticky) < weight else first
        return additional if self._advance(route.arn, route.revision, weight) else first

    def forget(self, arn: str) -> None:
        """The alias is gone."""
        self._turns.pop(arn, None)

    def _advance(self, arn: str, revision: str, weight: float) -> bool:
        turns = self._turns.get(arn)
        if turns is None or turns.revision != revision:
            share = Fraction(repr(weight))
            turns = _Turns(revision, share.numerator, share.denominator)
            self._turns[arn] = turns
        before = (2 * turns.turn * turns.step + turns.cycle) // (2 * turns.cycle)
        turns.turn += 1
        after = (2 * turns.turn * turns.step + turns.cycle) // (2 * turns.cycle)
        turns.turn %= turns.cycle
        return after != before


def _position(sticky: str) -> float:
    """A place in [0, 1) that is the same for the same text, on every machine."""
    digest = hashlib.sha256(sticky.encode("utf-8", "surrogatepass")).digest()[:_HASH_BYTES]
    return int.from_bytes(digest, "big") / float(1 << 8 * _HASH_BYTES)
