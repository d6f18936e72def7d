"""Every single request, in virtual time, through the real ``functions.pool``.

The pool decides; this file does to virtual environments what ``functions.fleet`` does to real ones.
Good for some hundred thousand requests; beyond, see ``aggregate``.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dynimo.functions.pool import Action, Assign, Pool, Reject, Start, Stop
from dynimo.simulating.demand import Arrival, Trace
from dynimo.simulating.elasticity import LATE, OK, SHED, Request, Supply, integral
from dynimo.simulating.outcome import Run, empty_rows
from dynimo.simulating.plans import Plan

_FINISH, _SCALE, _ORDERED, _TICK, _ARRIVE = range(5)
"""Events; of those at the same time, ends come first, so that an arrival finds what is free."""


TICK_SECONDS_MIN = 0.001
"""The soonest that a fleet looks after its pool again, as in ``functions.fleet``."""


@dataclass(slots=True, kw_only=True)
class Played:
    """All that happened: each request's end, supply over time, and when environments began."""

    requests: list[Request] = field(default_factory=list)
    supply: list[Supply] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """(when it was assigned, how long it had waited, with any cold start)."""


def play(
    plan: Plan, arrivals: Sequence[Arrival], *, seconds: float, deadline: float, mean_service: float
) -> Played:
    """Run ``plan`` under these arrivals; whoever waits at the end is seen through.

    A client leaves after ``deadline`` seconds. ``mean_service`` is what an autoscaler assumes.
    """
    return _Player(plan, arrivals, seconds, deadline, mean_service).run()


class _Player:
    def __init__(
        self,
        plan: Plan,
        arrivals: Sequence[Arrival],
        seconds: float,
        deadline: float,
        mean_service: float,
    ) -> None:
        # Who has left is dropped from the queue, which is what a queue's limit of time does too.
        limits = replace(plan.limits, queue_seconds=min(plan.limits.queue_seconds, deadline))
        self.played = Played()
        self._plan = plan
        self._arrivals = arrivals
        self._seconds = seconds
        self._deadline = deadline
        self._mean_service = mean_service
        self._pool = Pool(plan.name, limits, plan.cold_start_seconds)
        self._ready_at: dict[str, float] = {}
        self._fresh: set[str] = set()
        self._ended: dict[int, Request] = {}
        self._events: list[tuple[float, int, int, Any]] = []
        self._order = itertools.count()
        self._tick_at: float | None = None
        self._in_window = 0
        self._windows: list[float] = []
        self._orders: deque[int] = deque()

    def run(self) -> Played:
        self._act(self._pool.fill(0.0), 0.0, cold=0.0)
        scaling = self._plan.autoscaling
        if self._arrivals:
            self._later(self._arrivals[0].due, _ARRIVE, 0)
            if scaling is not None:  # a metric begins with what it counts
                self._later(self._arrivals[0].due + scaling.metric_seconds, _SCALE, None)
        while self._events:
            now, kind, _, what = heapq.heappop(self._events)
            self._happen(kind, what, now)
            self._set_tick(now)
        self.played.requests = [self._ended[number] for number in range(len(self._arrivals))]
        return self.played

    def _later(self, when: float, kind: int, what: Any) -> None:
        heapq.heappush(self._events, (when, kind, next(self._order), what))

    def _happen(self, kind: int, what: Any, now: float) -> None:
        match kind:
            case 0:  # _FINISH
                environment, number, began = what
                self._finish(environment, number, began, now)
            case 1:  # _SCALE
                self._scale(now)
            case 2:  # _ORDERED
                self._resize(what, now)
            case 3:  # _TICK
                if now == self._tick_at:  # else an earlier one took its place
                    self._tick_at = None
                    self._act(self._pool.tick(now), now)
            case _:
                self._arrive(what, now)

    def _arrive(self, number: int, now: float) -> None:
        self._in_window += 1
        if number + 1 < len(self._arrivals):
            self._later(self._arrivals[number + 1].due, _ARRIVE, number + 1)
        self._act(self._pool.arrive(str(number), now), now)

    def _finish(self, environment: str, number: int, began: float, now: float) -> None:
        due, service = self._arrivals[number]
        taken = now - due
        outcome = OK if taken <= self._deadline else LATE
        self._ended[number] = Request(due, min(taken, self._deadline), outcome, service)
        if environment in self._fresh:
            self._fresh.discard(environment)
            self._pool.observe_cold_start(self._plan.cold_start_seconds)
        self._act(self._pool.finish(environment, str(number), now, now - began), now)

    def _act(self, actions: Iterable[Action], now: float, cold: float | None = None) -> None:
        changed = False
        for action in actions:
            match action:
                case Start(environment):
                    ready = self._plan.cold_start_seconds if cold is None else cold
                    self._ready_at[environment] = now + ready
                    self._fresh.add(environment)
                    self.played.started.append(now)
                    changed = True
                case Assign(environment, invocation):
                    number = int(invocation)
                    due, service = self._arrivals[number]
                    began = max(now, self._ready_at[environment])
                    self.played.waits.append((now, began - due))
                    end = began + service + self._plan.overhead_seconds
                    self._later(end, _FINISH, (environment, number, began))
                case Stop(environment):
                    del self._ready_at[environment]
                    changed = True
                case Reject(invocation, reason):
                    due, service = self._arrivals[int(invocation)]
                    outcome = SHED if reason == "full" else LATE
                    self._ended[int(invocation)] = Request(due, now - due, outcome, service)
        if changed:
            self._tell_supply(now)

    def _tell_supply(self, now: float) -> None:
        ordered = max(self._orders, default=0)
        self.played.supply.append(Supply(now, max(self._pool.count, ordered), self._pool.count))

    def _set_tick(self, now: float) -> None:
        limits = self._pool.limits
        soonest = now
        if not self._pool.starved:
            soonest += min(limits.idle_seconds, limits.queue_seconds)
        if self._tick_at is not None and self._tick_at <= soonest:
            return
        when = self._pool.next_tick()
        if when is None or (self._tick_at is not None and self._tick_at <= when):
            return
        if when > self._seconds and not self._pool.waiting:
            return
        self._tick_at = max(when, now + TICK_SECONDS_MIN)
        self._later(self._tick_at, _TICK, None)

    def _scale(self, now: float) -> None:
        scaling = self._plan.autoscaling
        assert scaling is not None, "only an autoscaled plan has this event"
        self._windows.append(self._in_window / scaling.metric_seconds)
        self._in_window = 0
        wanted = scaling.desired(self._windows, self._mean_service)
        have = max(self._pool.limits.environments, max(self._orders, default=0))
        if wanted > have:
            self._orders.append(wanted)
            self._later(now + scaling.start_seconds, _ORDERED, wanted)
            self._tell_supply(now)
        elif wanted < self._pool.limits.environments and not self._orders:
            self._resize(wanted, now)
        if now + scaling.metric_seconds <= self._seconds:
            self._later(now + scaling.metric_seconds, _SCALE, None)

    def _resize(self, environments: int, now: float) -> None:
        if self._orders:
            self._orders.popleft()
        limits = replace(self._pool.limits, environments=environments, reserve=environments)
        self._act([*self._pool.limit(limits, now), *self._pool.tick(now)], now)


def summed(plan: Plan, played: Played, *, trace: Trace, mean_service: float) -> Run:
    """The rows and totals of what was played, over the trace's time."""
    seconds = trace.seconds
    rows, each = empty_rows(seconds)
    last = len(rows) - 1
    run = Run(plan=plan.name, model="exact", rows=rows, row_seconds=each)
    for request in played.requests:
        end = request.due + request.seconds
        rows[min(last, int(request.due / each))].offered += 1
        if end < seconds:
            row = rows[min(last, int(end / each))]
            if request.outcome == OK:
                row.answered += 1
                run.busy_seconds += request.service
            else:
                row.failed += 1
    for assigned, waited in played.waits:
        if assigned < seconds:
            run.waits.add(max(0.0, waited))
    _levels(run, played)
    for row in rows:
        row.needed = trace.rate(row.at) * mean_service
    run.environment_seconds = integral(played.supply, 0.0, seconds)
    run.peak = max(
        (supply.environments for supply in played.supply if supply.at < seconds), default=0
    )
    return run


def _levels(run: Run, played: Played) -> None:
    """Who waits and runs, and how many environments there are, at the end of each row."""
    assigned = sorted(when for when, _ in played.waits)
    supply, begun, inside, now = 0, 0, 0.0, Supply(0.0, 0, 0)
    for row in run.rows:
        end = row.at + run.row_seconds
        while supply < len(played.supply) and played.supply[supply].at < end:
            now = played.supply[supply]
            supply += 1
        inside += row.offered - row.answered - row.failed
        while begun < len(assigned) and assigned[begun] < end:
            begun += 1
        row.environments, row.ready = now.environments, now.ready
        # Who was assigned and is not answered runs; who is late may run on for nobody.
        row.running = min(inside, now.ready)
        row.waiting = inside - row.running
