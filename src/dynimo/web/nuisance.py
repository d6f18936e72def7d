"""Does a client only make work? Counts what brings nothing, and forgets slowly. Pure.

Streams that are taken back as soon as they are sent, pings, settings: each is right, and thousands
are an attack (CVE-2023-44487 and its kin).
"""

from __future__ import annotations

from collections.abc import Callable

BURST_MAX = 400
"""So many at once are forgiven: a page that is left takes all its requests back."""

PER_SECOND = 20.0
"""So many are forgotten in a second."""


class Nuisance:
    """The count of one connection."""

    __slots__ = ("_at", "_count", "_time")

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._count = 0.0
        self._at = time()

    def count(self) -> None:
        """One more."""
        now = self._time()
        self._count = max(0.0, self._count - (now - self._at) * PER_SECOND) + 1
        self._at = now

    @property
    def too_much(self) -> bool:
        """Whether it is time to part."""
        return self._count > BURST_MAX
