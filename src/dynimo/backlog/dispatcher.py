"""Runs what the schedule says, when it is due; sleeps on one timer when there is nothing to do.

Knows numbers and lanes only; what running one means is given to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from dynimo import ports
from dynimo.backlog.schedule import Schedule, Turn

log = logging.getLogger("dynimo.backlog")

Run: TypeAlias = Callable[[Turn], Awaitable[bool]]
"""Does the turn; whether it was throttled."""


class Dispatcher:
    """Begins turns from ``start`` to ``close``; ``add`` may be called before."""

    def __init__(self, clock: ports.Clock, schedule: Schedule, run: Run) -> None:
        self._clock = clock
        self._schedule = schedule
        self._run = run
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: tuple[float, Callable[[], None]] | None = None
        self._started = False

    @property
    def running(self) -> int:
        """How many run now."""
        return self._schedule.running

    @property
    def waiting(self) -> int:
        """How many are ready or wait for their time."""
        return self._schedule.ready + self._schedule.later

    def start(self) -> None:
        """Begin."""
        self._started = True
        self._pump()

    def add(self, number: int, lane: str, due_ms: int) -> None:
        """Take one in; it runs from ``due_ms`` (epoch) on."""
        self._schedule.add(number, lane, due_ms / 1000, self._clock.now())
        self._pump()

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Begin nothing more; let what runs finish for a while, then cancel it."""
        self._started = False
        if self._timer is not None:
            self._timer[1]()
            self._timer = None
        tasks = set(self._tasks)
        if tasks and grace_seconds > 0:
            _, tasks = await asyncio.wait(tasks, timeout=grace_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _pump(self) -> None:
        if not self._started:
            return
        for turn in self._schedule.take(self._clock.now()):
            task = asyncio.get_running_loop().create_task(self._do(turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._schedule.next_due()
        if self._timer is not None:
            if self._timer[0] == due:
                return
            self._timer[1]()
            self._timer = None
        if due is not None:
            wait = max(0.0, due - self._clock.now())
            self._timer = (due, self._clock.call_later(wait, self._wake))

    def _wake(self) -> None:
        self._timer = None
        self._pump()

    async def _do(self, turn: Turn) -> None:
        throttled = False
        try:
            throttled = await self._run(turn)
        except Exception:
            log.exception("a turn of %s failed", turn.lane)
        finally:
            self._schedule.end(turn.lane, throttled=throttled)
            self._pump()
