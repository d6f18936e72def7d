"""Whose turn is it, of several with weights? Exact over each cycle, and evenly spread. Pure.

The smooth weighted round robin: each gains its weight, the highest is taken and pays for all. Over
as many turns as the weights add up to, each comes exactly as often as its weight says.
"""

from __future__ import annotations

from collections.abc import Mapping


class Turns:
    """Remembers where it stands; ``weights`` are whole numbers, not all 0."""

    __slots__ = ("_scores", "_total", "_weights")

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = {name: weight for name, weight in weights.items() if weight}
        self._scores = dict.fromkeys(self._weights, 0)
        self._total = sum(self._weights.values())

    def take(self) -> str:
        """Whose turn it is now."""
        scores = self._scores
        best = ""
        for name, weight in self._weights.items():
            scores[name] += weight
            if not best or scores[name] > scores[best]:
                best = name
        scores[best] -= self._total
        return best
