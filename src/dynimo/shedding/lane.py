"""Who goes next, who waits, and who is turned away, for one function. Decides; does nothing.

Classes (``message.Priority``) share one limit in strict order: a free place goes to the first who
waits in the highest class. So that none starves, a class that was passed over ``SHARE_ONE_IN``
times has one turn. No I/O and no clock: ``now`` is an argument. What is decided is written into the
tickets and returned at once; whoever calls must tell those who wait.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dynimo.shedding.codel import CoDel
from dynimo.shedding.gradient import Gradient
from dynimo.web.message import Priority

SHARE_ONE_IN = 200
"""The guaranteed share of a lower class while a higher one takes all: one turn in so many."""

DEADLINE_TIMES_TYPICAL = 3.0
"""Whoever asks a slow function waits longer: its deadline is at least so many usual times away."""

TYPICAL_SMOOTHING = 0.05

LATE, OVERLOAD, YIELD, FULL, GONE = "late", "overload", "yield", "full", "gone"
"""Why one was turned away: it could not have been answered in time; it stood in a queue that only
stands; higher classes wait; too many wait; nobody wanted the answer any more."""

REASONS = (LATE, OVERLOAD, YIELD, FULL, GONE)


@dataclass(frozen=True, slots=True)
class Class:
    """How one class is treated: of the limit, ``places`` (0 to 1) may be its own at once.

    While a higher class waits, one that would wait longer than ``yield_seconds`` is turned away.
    """

    places: float
    target_seconds: float
    interval_seconds: float
    yield_seconds: float


CLASSES = {
    Priority.LIVE: Class(1.0, 1.2, 2.0, math.inf),
    Priority.REVALIDATE: Class(1.0, 0.5, 1.0, 0.5),
    Priority.PREFETCH: Class(0.9, 0.1, 0.5, 0.03),
    Priority.WARM: Class(0.5, 0.5, 1.0, 0.5),
}
"""Live requests are given patience: their queue works off bursts. A prefetch that must wait is
better not made. Nobody waits for a warm-up, but it must leave room."""


def _wanted() -> bool:
    return False


@dataclass(slots=True, eq=False)
class Ticket:
    """One request before its function. Times are ``monotonic`` seconds.

    ``verdict`` is None while it waits, then empty (it may begin) or the reason why not.
    """

    priority: Priority
    arrived: float
    deadline: float = math.inf
    abandoned: Callable[[], bool] = _wanted
    verdict: str | None = None


class Lane:
    """One function's places and the four queues before them."""

    def __init__(self, gradient: Gradient, *, queue_max: int, places: int = 0) -> None:
        """``places`` is how many requests the function can take at once; 0: unknown."""
        self.gradient = gradient
        self.places = places
        self._queue_max = queue_max
        self._queues: tuple[OrderedDict[Ticket, None], ...] = tuple(OrderedDict() for _ in Priority)
        self._codels = tuple(
            CoDel(each.target_seconds, each.interval_seconds) for each in CLASSES.values()
        )
        self._running = [0] * len(Priority)
        self._passed_over = [0] * len(Priority)
        self.running = 0
        self.waiting = 0
        self.typical = 0.0

    def __repr__(self) -> str:
        return f"<Lane {self.running} of {self.limit} running, {self.waiting} waiting>"

    @property
    def limit(self) -> int:
        """How many may be in progress now."""
        learned = int(self.gradient.limit)
        return max(1, min(learned, self.places) if self.places else learned)

    def deadline(self, ticket: Ticket) -> float:
        """When its answer has lost its worth: a slow function's clients wait longer."""
        return max(ticket.deadline, ticket.arrived + DEADLINE_TIMES_TYPICAL * self.typical)

    def arrive(self, ticket: Ticket, now: float) -> list[Ticket]:
        """Somebody asks: a place, the queue, or no. Returns whose verdict is now there."""
        if not self.waiting and self._has_place(ticket.priority):
            self._begin(ticket)
            return [ticket]
        reason = self._refusal(ticket, now)
        if reason:
            ticket.verdict = reason
            return [ticket]
        decided = self._make_room(ticket) if self.waiting >= self._queue_max else []
        if ticket.verdict is None:
            self._queues[ticket.priority][ticket] = None
            self.waiting += 1
            decided += self._drain(now)
            if ticket.verdict is None:
                self._yield_to(ticket.priority, decided)
        return decided

    def finish(self, ticket: Ticket, now: float, seconds: float = 0.0) -> list[Ticket]:
        """One that had begun is over. ``seconds`` it took, if that tells something, else 0."""
        if seconds:
            self.gradient.sample(seconds, now, in_progress=self.running)
            if self.typical:
                self.typical += TYPICAL_SMOOTHING * (seconds - self.typical)
            else:
                self.typical = seconds
        self.running -= 1
        self._running[ticket.priority] -= 1
        return self._drain(now)

    def withdraw(self, ticket: Ticket, now: float) -> list[Ticket]:
        """Its client has left, whether it waits or runs."""
        if ticket.verdict == "":
            return self.finish(ticket, now)
        if ticket in self._queues[ticket.priority]:
            self._leave(ticket)
        return []

    def outlook(self, priority: Priority, now: float) -> str:
        """Why one of this class that came now would be turned away; empty if it would not."""
        if not self.waiting:
            return ""
        return self._refusal(Ticket(priority, now), now)

    def tick(self, now: float) -> list[Ticket]:
        """Time has passed: turn away those who can no longer be answered in time."""
        decided: list[Ticket] = []
        for queue in self._queues:
            while queue:
                first = next(iter(queue))
                if now + self.typical < self.deadline(first) and not first.abandoned():
                    break
                self._turn_away(first, GONE if first.abandoned() else LATE, decided)
        return decided + self._drain(now)

    def next_tick(self) -> float | None:
        """When ``tick`` will have something to do, if nothing else happens before."""
        heads = [self.deadline(next(iter(queue))) for queue in self._queues if queue]
        return min(heads) - self.typical if heads else None

    # How it decides.

    def _has_place(self, priority: Priority) -> bool:
        limit = self.limit
        own = math.ceil(limit * CLASSES[priority].places)
        return self.running < limit and self._running[priority] < own

    def _refusal(self, ticket: Ticket, now: float) -> str:
        """Why this one shall not even wait; empty if it may."""
        priority = ticket.priority
        ahead = sum(len(queue) for queue in self._queues[: priority + 1])
        own = len(self._queues[priority])
        wait = (ahead + 1) * self.typical / self.limit
        has_next_turn = not own and self._passed_over[priority] >= SHARE_ONE_IN
        if ahead > own and wait > CLASSES[priority].yield_seconds and not has_next_turn:
            return YIELD  # a higher class takes all there is
        if wait > self._codels[priority].patience:
            return OVERLOAD
        return LATE if now + wait + self.typical > self.deadline(ticket) else ""

    def _yield_to(self, arrived: Priority, decided: list[Ticket]) -> None:
        """Turn away those of lower classes who would not be let in any more, the last first.

        They would be told so in the end, and sooner is better. Who has the next turn keeps it.
        """
        ahead = self.waiting
        for priority in reversed(Priority):
            queue = self._queues[priority]
            if priority <= arrived or not queue:
                ahead -= len(queue)
                continue
            kept = 1 if self._passed_over[priority] >= SHARE_ONE_IN else 0
            most = CLASSES[priority].yield_seconds
            while len(queue) > kept and ahead * self.typical / self.limit > most:
                self._turn_away(next(reversed(queue)), YIELD, decided)
                ahead -= 1
            ahead -= len(queue)

    def _make_room(self, ticket: Ticket) -> list[Ticket]:
        """Too many wait: those whom nobody waits for go first, then one of the lowest class."""
        decided: list[Ticket] = []
        for queue in self._queues:
            for each in [each for each in queue if each.abandoned()]:
                self._turn_away(each, GONE, decided)
        if decided:
            return decided
        for priority in reversed(Priority):
            if priority > ticket.priority and self._queues[priority]:
                self._turn_away(next(reversed(self._queues[priority])), FULL, decided)
                return decided
        ticket.verdict = FULL
        return [ticket]

    def _drain(self, now: float) -> list[Ticket]:
        """Give free places to those who wait."""
        decided: list[Ticket] = []
        while self.waiting and self.running < self.limit:
            chosen = self._choose(now, decided)
            if chosen is None:
                break
            self._leave(chosen)
            self._begin(chosen)
            decided.append(chosen)
        return decided

    def _choose(self, now: float, decided: list[Ticket]) -> Ticket | None:
        for priority in self._order():
            if self._queues[priority] and self._has_place(priority):
                first = self._first(priority, now, decided)
                if first is not None:
                    return first
        return None

    def _order(self) -> Iterator[Priority]:
        """Whose turn it is: those passed over too often, then by class."""
        for priority in Priority:
            if self._passed_over[priority] >= SHARE_ONE_IN:
                yield priority
        yield from Priority

    def _first(self, priority: Priority, now: float, decided: list[Ticket]) -> Ticket | None:
        """The first of a class that is still worth beginning; those before it are turned away."""
        queue, codel = self._queues[priority], self._codels[priority]
        while queue:
            first = next(iter(queue))
            waited = now - first.arrived
            if first.abandoned():
                self._turn_away(first, GONE, decided)
            elif now + self.typical > self.deadline(first):
                self._turn_away(first, LATE, decided)
            elif waited > codel.patience and now - next(reversed(queue)).arrived < codel.target:
                # Cutting pays only if somebody fresh stands behind; a burst is worked off.
                self._turn_away(first, OVERLOAD, decided)
            else:
                codel.passed(waited, now)
                return first
        return None

    # How its state changes.

    def _begin(self, ticket: Ticket) -> None:
        ticket.verdict = ""
        self.running += 1
        self._running[ticket.priority] += 1
        self._passed_over[ticket.priority] = 0
        if self.waiting:
            for lower in range(ticket.priority + 1, len(Priority)):
                self._passed_over[lower] += 1

    def _turn_away(self, ticket: Ticket, reason: str, decided: list[Ticket]) -> None:
        self._leave(ticket)
        ticket.verdict = reason
        decided.append(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Take it out of its queue."""
        queue = self._queues[ticket.priority]
        del queue[ticket]
        self.waiting -= 1
        if not queue:
            self._codels[ticket.priority].emptied()
