"""Which event runs next: due ones first come first served, but fair between functions. Pure.

Holds numbers of events, not events. Each lane (a function, a destination) has a window of how many
may run at once, which halves when it is throttled and grows again by one with each success.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

Lane = str


class Turn(NamedTuple):
    """One that shall run now."""

    number: int
    lane: Lane


@dataclass(slots=True)
class _Held:
    window: int
    running: int = 0
    ready: deque[int] = field(default_factory=deque)

    @property
    def open(self) -> bool:
        return bool(self.ready) and self.running < self.window


class Schedule:
    """At most ``running_max`` run at once, at most ``lane_max`` of one lane."""

    def __init__(self, running_max: int, lane_max: int) -> None:
        self._running_max = running_max
        self._lane_max = max(1, min(lane_max, running_max))
        self._lanes: dict[Lane, _Held] = {}
        self._turns: deque[Lane] = deque()
        """Lanes that may run something, in the order in which it is their turn."""
        self._waiting: set[Lane] = set()
        self._later: list[tuple[float, int, Lane]] = []
        self.running = 0
        self.ready = 0

    @property
    def later(self) -> int:
        """How many wait for their time."""
        return len(self._later)

    def add(self, number: int, lane: Lane, due: float, now: float) -> None:
        """Take one in; it may run from ``due`` (same clock as ``now``, seconds)."""
        if due > now:
            heapq.heappush(self._later, (due, number, lane))
            return
        held = self._lanes.setdefault(lane, _Held(self._lane_max))
        held.ready.append(number)
        self.ready += 1
        self._offer(lane, held)

    def take(self, now: float) -> list[Turn]:
        """Everything that shall begin now; each must be given back by ``end``."""
        while self._later and self._later[0][0] <= now:
            due, number, lane = heapq.heappop(self._later)
            self.add(number, lane, due, now)
        turns = []
        while self._turns and self.running < self._running_max:
            lane = self._turns.popleft()
            self._waiting.discard(lane)
            held = self._lanes[lane]
            number = held.ready.popleft()
            held.running += 1
            self.ready -= 1
            self.running += 1
            turns.append(Turn(number, lane))
            self._offer(lane, held)
        return turns

    def end(self, lane: Lane, *, throttled: bool = False) -> None:
        """One of a lane is over."""
        held = self._lanes[lane]
        held.running -= 1
        self.running -= 1
        if throttled:
            held.window = max(1, held.window // 2)
        elif held.window < self._lane_max:
            held.window += 1
        if not held.ready and not held.running and held.window == self._lane_max:
            del self._lanes[lane]
        else:
            self._offer(lane, held)

    def next_due(self) -> float | None:
        """When the next of those that wait for their time is due; None if none waits."""
        return self._later[0][0] if self._later else None

    def _offer(self, lane: Lane, held: _Held) -> None:
        if held.open and lane not in self._waiting:
            self._waiting.add(lane)
            self._turns.append(lane)
