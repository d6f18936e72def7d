"""One node under any number of requests, step by step.

Requests are counted, not followed. Within a step those who are inside leave at random (exponential
service) and others arrive at random (Poisson), so concurrency fluctuates as it does in a queue with
many servers. What to start is asked of ``functions.scaling`` with the node's numbers. What the real
pool lets go is what no moment of the last ``idle_seconds`` needed, as it prefers the most lately
used. Good for any rate; near the ``exact`` model, which the tests hold it against.
"""

from __future__ import annotations

import bisect
import math
import random
from collections import deque

from dynimo.functions import scaling
from dynimo.simulating.chance import binomial, poisson, rounded
from dynimo.simulating.demand import Trace
from dynimo.simulating.outcome import Row, Run, Waits, empty_rows
from dynimo.simulating.plans import Plan

STEPS_MAX = 100_000
"""Of a whole run; a longer trace gets longer steps, and its shortest peaks are smoothed."""
STEPS_A_SERVICE = 4


def run(plan: Plan, trace: Trace, *, service_seconds: float, deadline: float, seed: int) -> Run:
    """Run one node's ``plan`` under its share of a trace.

    A client leaves after ``deadline`` seconds; ``service_seconds`` is the mean.
    """
    length = max(service_seconds / STEPS_A_SERVICE, trace.seconds / STEPS_MAX)
    node = _Node(plan, service_seconds, deadline, length, seed)
    rows, each = empty_rows(trace.seconds)
    for index in range(math.ceil(trace.seconds / length)):
        at = index * length
        node.step(at, trace.rate(at), rows[min(len(rows) - 1, int(at / each))])
    for row in rows:
        row.needed = trace.rate(row.at) * service_seconds
    total = Run(plan=plan.name, model="aggregate", rows=rows, row_seconds=each, waits=node.waits)
    total.environment_seconds = node.environment_seconds
    total.busy_seconds = total.answered * service_seconds
    total.peak = node.peak
    return total


class _Node:
    """One node: who waits, who runs, and what there is to run in.

    ``_doomed`` of the ``_running`` will be answered after their clients have left; those are
    counted as failed when they begin.
    """

    def __init__(
        self, plan: Plan, service_seconds: float, deadline: float, length: float, seed: int
    ) -> None:
        self._limits = plan.limits
        self._cold_start = plan.cold_start_seconds
        self._service = service_seconds
        self._deadline = deadline
        self._patience = min(deadline, plan.limits.queue_seconds)
        self._length = length
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._stays = math.exp(-length / service_seconds)
        # Of those who begin at a random moment of a step, the share that is inside at its end.
        self._lasts = (1 - self._stays) * service_seconds / length
        self._burst = scaling.Burst(plan.limits.burst, plan.limits.burst_per_second)
        self._scaler = _Scaler(plan, service_seconds) if plan.autoscaling else None
        self._queue: deque[list[float]] = deque()  # [when they came, how many]
        self._queued = self._running = self._doomed = 0
        self._starting: deque[tuple[float, int]] = deque()
        self._needed: deque[tuple[float, int]] = deque()  # falling maxima of the last idle_seconds
        self._ready = self.peak = plan.limits.reserve
        self.waits = Waits()
        self.environment_seconds = 0.0

    def step(self, at: float, rate: float, row: Row) -> None:
        """Let one step pass; ``row`` gets what happened in it and how it stands at its end."""
        came = poisson(self._chance, rate * self._length)
        row.offered += came
        row.failed += self._admit(at, came)
        good = self._running - self._doomed
        stay = binomial(self._chance, good, self._stays)
        self._doomed = binomial(self._chance, self._doomed, self._stays)
        self._running = stay + self._doomed
        row.answered += good - stay
        while self._starting and self._starting[0][0] <= at + self._length:
            self._ready += self._starting.popleft()[1]
        fresh = self._start(at)
        answered, failed = self._serve(at, fresh)
        row.answered += answered
        row.failed += failed
        held = self._settle(at, came)
        self.environment_seconds += held * self._length
        self.peak = max(self.peak, held)
        row.waiting, row.running = self._queued, self._running - self._doomed
        row.environments, row.ready = held, self._ready

    def _admit(self, at: float, came: int) -> int:
        """Put into the queue who came; return how many left it or found it full."""
        failed = 0
        while self._queue and self._queue[0][0] + self._patience <= at:
            failed += int(self._queue.popleft()[1])
        self._queued -= failed
        room = max(0, self._limits.queue + self._ready - self._running - self._queued)
        taken = min(came, room)
        if taken:
            self._queue.append([at, taken])
            self._queued += taken
        return failed + came - taken

    def _start(self, at: float) -> int:
        """Start what ``functions.scaling`` wants; return how many are ready within the step."""
        count = self._ready + sum(number for _, number in self._starting)
        wanted = self._running + rounded(self._chance, self._queued * self._lasts)
        missing = wanted - count
        if missing <= 0:
            return 0
        # Asked once for each, the answer turns from yes to no once; so it can be found by halving.
        number = bisect.bisect_left(
            range(missing),
            True,
            key=lambda more: (
                not scaling.should_start(
                    count=count + more,
                    limit=self._limits.environments,
                    queued=missing - more - 1,
                    service_seconds=self._service / self._limits.concurrency,
                    cold_start_seconds=self._cold_start,
                )
            ),
        )
        begun = 0
        while begun < number and self._burst.ready(at):
            self._burst.take()
            begun += 1
        if self._cold_start <= self._length:
            self._ready += begun
            return begun
        if begun:
            self._starting.append((at + self._cold_start, begun))
        return 0

    def _serve(self, at: float, fresh: int) -> tuple[int, int]:
        """Give environments to who waits, oldest first; return (answered, failed) meanwhile."""
        room = max(0, self._ready - self._running)
        again = self._ready * (self._length / self._service - (1 - self._stays))
        served = min(self._queued, room + rounded(self._chance, again))
        if not served:
            return 0, 0
        saturated = served < self._queued
        kept = min(room, served if saturated else binomial(self._chance, served, self._lasts))
        doomed = self._take(at, served, fresh)
        kept_doomed = min(doomed, round(kept * doomed / served))
        self._running += kept
        self._doomed += kept_doomed
        return served - kept - (doomed - kept_doomed), doomed

    def _take(self, at: float, served: int, fresh: int) -> int:
        """Take so many from the queue; return how many of them will be answered too late."""
        self._queued -= served
        doomed = 0
        while served:
            came, number = self._queue[0]
            taken = min(served, int(number))
            waited = at - came
            cold = min(fresh, taken)
            self.waits.add(waited + self._cold_start, cold)
            self.waits.add(waited, taken - cold)
            if waited + self._service > self._deadline:
                doomed += taken
            served -= taken
            fresh -= cold
            if taken == number:
                self._queue.popleft()
            else:
                self._queue[0][1] -= taken
        return doomed

    def _settle(self, at: float, came: int) -> int:
        """Let go what nobody needed for long, or follow the metric; return what is held."""
        if self._scaler is not None:
            self._ready = self._scaler.follow(at + self._length, came)
            return max(self._ready, self._scaler.ordered)
        needed = self._needed
        while needed and needed[-1][1] <= self._running:
            needed.pop()
        needed.append((at, self._running))
        while needed[0][0] < at - self._limits.idle_seconds:
            needed.popleft()
        self._ready = min(self._ready, max(self._limits.reserve, needed[0][1]))
        return self._ready + sum(number for _, number in self._starting)


class _Scaler:
    """Follows a metric, late: see ``plans.Autoscaling``."""

    def __init__(self, plan: Plan, service_seconds: float) -> None:
        assert plan.autoscaling is not None, "only an autoscaled plan has one"
        self._scaling = plan.autoscaling
        self._service = service_seconds
        self._have = plan.limits.environments
        self._came = 0
        self._windows: list[float] = []
        self._orders: deque[tuple[float, int]] = deque()

    @property
    def ordered(self) -> int:
        """What will be there once all orders have come."""
        return max((number for _, number in self._orders), default=0)

    def follow(self, now: float, came: int) -> int:
        """Count who came until now; return how many environments there are."""
        self._came += came
        while self._orders and self._orders[0][0] <= now:
            self._have = self._orders.popleft()[1]
        if now >= (len(self._windows) + 1) * self._scaling.metric_seconds:
            self._windows.append(self._came / self._scaling.metric_seconds)
            self._came = 0
            wanted = self._scaling.desired(self._windows, self._service)
            if wanted > max(self._have, self.ordered):
                self._orders.append((now + self._scaling.start_seconds, wanted))
            elif not self._orders:
                self._have = wanted
        return self._have
