"""One fill at a time for each key; the rest wait for it. Knows nothing of what a fill is.

A fill runs in a task of its own, so it outlives the client that caused it. Every upstream request
is registered here while it runs, so that a purge can mark it: what a marked fill brings home is
given to those who wait, and not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class Crowded(Exception):
    """Too many wait for this key, or too many fills are under way."""


@dataclass(slots=True, eq=False)
class Flight(Generic[T]):
    """One fill under way. ``purged`` says that what it brings must not be stored.

    ``stamp`` is the number of the last purge when it began.
    """

    key: str
    purged: bool = False
    stamp: int = 0
    waiters: int = 0
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    result: asyncio.Future[T] | None = field(default=None, repr=False)
    awaited: bool = False

    def tell(self, result: T) -> None:
        """Give those who wait what they wait for; the fill may go on behind it."""
        if self.result is not None and not self.result.done():
            self.result.set_result(result)

    def is_abandoned(self) -> bool:
        """Say whether everybody who waited for it has left."""
        return self.awaited and not self.waiters


class Collapse(Generic[T]):
    """The fills under way, by what they would fill."""

    def __init__(
        self, *, waiters_max: int, fills_max: int, stamp: Callable[[], int] = lambda: 0
    ) -> None:
        self._stamp = stamp
        self._waiters_max = waiters_max
        self._fills_max = fills_max
        self._flights: dict[Hashable, Flight[T]] = {}
        self._active: set[Flight[T]] = set()
        self.collapsed = 0

    def __len__(self) -> int:
        return len(self._active)

    def __repr__(self) -> str:
        waiting = sum(flight.waiters for flight in self._active)
        return f"<Collapse fills: {len(self._active)}, waiting: {waiting}>"

    async def run(
        self, identity: Hashable, key: str, work: Callable[[Flight[T]], Awaitable[T]]
    ) -> tuple[T, bool]:
        """Return what the fill of ``identity`` brings, and whether another had begun it.

        Cancelling the caller does not cancel the fill.

        Raises:
            Crowded: a limit is reached; nothing was begun.
        """
        flight = self._flights.get(identity)
        joined = flight is not None
        if flight is None:
            flight = self._begin(identity, key, work)
        elif flight.waiters >= self._waiters_max:
            raise Crowded
        else:
            self.collapsed += 1
        assert flight.result is not None
        flight.waiters += 1
        flight.awaited = True
        try:
            return await asyncio.shield(flight.result), joined
        finally:
            flight.waiters -= 1

    def has(self, identity: Hashable) -> bool:
        """Say whether a fill for this is under way."""
        return identity in self._flights

    def spawn(
        self, identity: Hashable, key: str, work: Callable[[Flight[T]], Awaitable[T]]
    ) -> bool:
        """Begin a fill that nobody waits for, unless there is one or no place; say whether."""
        if identity in self._flights or len(self._active) >= self._fills_max:
            return False
        self._begin(identity, key, work)
        return True

    @contextmanager
    def alone(self, key: str) -> Iterator[Flight[T]]:
        """Register an upstream request that is not shared.

        Raises:
            Crowded: too many are under way.
        """
        if len(self._active) >= self._fills_max:
            raise Crowded
        flight: Flight[T] = Flight(key, stamp=self._stamp())
        self._active.add(flight)
        try:
            yield flight
        finally:
            self._active.discard(flight)

    def leave_purged(self, identity: Hashable, stamp: int) -> None:
        """Let nobody else join this fill if its stamp is no higher, for a purge took that one."""
        flight = self._flights.get(identity)
        if flight is not None and flight.stamp <= stamp:
            del self._flights[identity]

    def older_than(self, number: int) -> bool:
        """Say whether a fill that may still be stored began before the purge of this number."""
        return any(flight.stamp < number and not flight.purged for flight in self._active)

    def mark_older(self, number: int) -> None:
        """Mark the fills that began before the purge of this number, whatever they bring."""
        for flight in self._active:
            flight.purged = flight.purged or flight.stamp < number

    def mark_purged(self, matches: Callable[[str], bool]) -> None:
        """Mark the fills whose key matches; whoever asks from now on begins a new one."""
        for flight in self._active:
            if matches(flight.key):
                flight.purged = True
        self._flights = {
            identity: flight for identity, flight in self._flights.items() if not flight.purged
        }

    def leave(self, flight: Flight[T]) -> None:
        """Let nobody else join a fill; it goes on for those who have."""
        self._flights = {key: other for key, other in self._flights.items() if other is not flight}

    async def close(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        tasks = [flight.task for flight in self._active if flight.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(
        self, identity: Hashable, key: str, work: Callable[[Flight[T]], Awaitable[T]]
    ) -> Flight[T]:
        if len(self._active) >= self._fills_max:
            raise Crowded
        flight: Flight[T] = Flight(key, stamp=self._stamp())

        loop = asyncio.get_running_loop()
        flight.result = loop.create_future()

        async def fly() -> None:
            assert flight.result is not None
            try:
                flight.tell(await work(flight))
            except Exception as error:  # noqa: BLE001 - it is for those who wait
                if not flight.result.done():
                    flight.result.set_exception(error)
                    flight.result.exception()  # nobody may be waiting
            finally:
                flight.result.cancel()
                self._active.discard(flight)
                if self._flights.get(identity) is flight:
                    del self._flights[identity]

        self._flights[identity] = flight
        self._active.add(flight)
        flight.task = loop.create_task(fly(), name=f"edge fill {key[:80]}")
        return flight
