"""Counts connections in and out, in all and by client address, and says which must make room.

Decides; closes nothing. On the way of a request nothing is counted: only who connects is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

EVICTED_AT_ONCE = 64
"""How many resting connections make room together: finding them means looking at all."""

LOOK_PAUSE_SECONDS = 0.05
"""How long it is believed that none rests, after none was found."""


class Counted(Protocol):
    """What is counted."""

    peer: str
    deadline: float

    def is_idle(self) -> bool:
        """Say whether it rests between requests."""


T = TypeVar("T", bound=Counted)


class Census(Generic[T]):
    """All connections. ``most`` may be at once, ``most_per_address`` of one address (0: any)."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self.most = most
        self._most_per_address = most_per_address
        self._all: set[T] = set()
        self._by_address: dict[str, int] = {}
        self._look_from = 0.0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._all))

    def enter(self, connection: T, now: float) -> tuple[bool, list[T]]:
        """Count one in. Returns whether it may stay, and which others must be closed for it.

        Those are counted out already. One that may not stay is counted until it has left.
        """
        address = connection.peer
        self._all.add(connection)
        count = self._by_address.get(address, 0) + 1
        self._by_address[address] = count
        if len(self._all) > self.most:
            leaving = self._resting(now, "")
        elif address and 0 < self._most_per_address < count:
            leaving = self._resting(now, address)
        else:
            return True, []
        return bool(leaving), leaving

    def leave(self, connection: T) -> None:
        """Count one out, once."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        left = self._by_address[connection.peer] - 1
        if left:
            self._by_address[connection.peer] = left
        else:
            del self._by_address[connection.peer]

    def _resting(self, now: float, address: str) -> list[T]:
        """Those that rest longest, of this address or of all."""
        if now < self._look_from:
            return []
        resting = heapq.nsmallest(
            EVICTED_AT_ONCE,
            (each for each in self._all if each.is_idle() and address in {"", each.peer}),
            key=lambda each: each.deadline,
        )
        if not resting:
            self._look_from = now + LOOK_PAUSE_SECONDS
        for each in resting:
            self.leave(each)
        return resting
