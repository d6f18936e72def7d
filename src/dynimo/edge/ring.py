"""Which of several edges asks the origin for a key: consistent hash with bounded load. Pure.

Each edge has many points on a circle; a key belongs to the edge whose point is next. So an edge
that goes leaves its share to all others, and no other key moves. An edge only ever asks one that
comes before itself in a key's order: whoever waits, waits for an earlier one, so no two wait for
each other. One that has more under way than its share allows is passed by (Mirrokni, Thorup,
Zadimoghaddam, "Consistent hashing with bounded loads", 2016).
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b

POINTS = 160
"""Of each edge on the circle: shares then differ by a few per cent."""

LOAD_FACTOR = 1.25
"""How much more than the mean one edge may have under way."""


class Ring:
    """The circle of some edges, by name. The same names make the same circle everywhere."""

    def __init__(self, names: Collection[str]) -> None:
        points = [(_place(f"{name} {number}"), name) for name in names for number in range(POINTS)]
        points.sort()
        self._places = [place for place, _ in points]
        self._names = [name for _, name in points]
        self._count = len(set(names))

    def order(self, key: str) -> list[str]:
        """Return all edges, the one that the key belongs to first."""
        at = bisect(self._places, _place(key))
        found: dict[str, None] = {}
        for step in range(len(self._names)):
            found.setdefault(self._names[(at + step) % len(self._names)])
            if len(found) == self._count:
                break
        return list(found)


def choose(
    order: list[str], me: str, *, loads: Mapping[str, int], is_down: Callable[[str], bool]
) -> str:
    """Return whom ``me`` asks for a key with this order: an edge before it, or itself, the origin.

    ``loads`` is what ``me`` has under way with each, itself included.
    """
    up = [name for name in order if name == me or not is_down(name)]
    bound = math.ceil(LOAD_FACTOR * (sum(loads.get(name, 0) for name in up) + 1) / len(up))
    for name in up:
        if name == me or loads.get(name, 0) < bound:
            return name
    return me


def _place(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
