"""Twice as much as can be done, in virtual time, before the real fleet: who is served, who not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dynimo import testing
from dynimo.functions.fleet import Fleet
from dynimo.functions.pool import Limits
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.ports import SandboxSpec
from dynimo.shedding.gradient import Gradient
from dynimo.shedding.lane import Lane, Ticket
from dynimo.web.message import Priority

ENVIRONMENTS = 4
MEAN_SECONDS, SIGMA = 0.1, 0.3
CAPACITY = ENVIRONMENTS / (MEAN_SECONDS * 1.046)
"""Requests a second; 1.046 is the mean of a lognormal of this sigma over its median."""
DEADLINE_SECONDS = 5.0
SECONDS = 60.0
START = 1_000.0


def _service(seed: int) -> Iterator[float | None]:
    rng = random.Random(seed)
    while True:
        yield rng.lognormvariate(0, SIGMA) * MEAN_SECONDS


@dataclass
class Seen:
    """What one client saw: when it asked, what became of it, and how long that took."""

    priority: Priority
    when: float
    reason: str = "no answer"
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Answered with what was asked for, while that was of use."""
        return not self.reason and self.seconds <= DEADLINE_SECONDS


class Scene:
    """The real lane before the real fleet, whose environments follow a script."""

    def __init__(self, seed: int, *, places: int) -> None:
        self.clock = testing.VirtualClock(START)
        self.sandbox = testing.ScriptedSandbox(self.clock, _service(seed))
        version = testing.version(timeout_seconds=30)
        spec = SandboxSpec(
            function="f", version="1", code=version.code, handler="w.h", memory_mib=128
        )
        limits = Limits(environments=ENVIRONMENTS, idle_seconds=5)
        around = testing.surroundings(version, self.sandbox, self.clock)
        self.fleet = Fleet(version, spec, limits, around)
        self.lane = Lane(Gradient(2, 1000), places=places, queue_max=1000)
        self.seen: dict[Ticket, Seen] = {}
        self.begun = 0

    def ask(self, priority: Priority) -> Seen:
        """One request arrives now."""
        now = self.clock.monotonic()
        ticket = Ticket(priority, now, now + DEADLINE_SECONDS)
        seen = self.seen[ticket] = Seen(priority, now)
        self._told(self.lane.arrive(ticket, now))
        return seen

    def settle(self) -> None:
        """Let what waits be served or turned away."""
        for _ in range(100):
            self.clock.run(self.clock.monotonic() + 0.1)
            self._told(self.lane.tick(self.clock.monotonic()))

    def _told(self, decided: list[Ticket]) -> None:
        for ticket in decided:
            assert ticket.verdict is not None
            if ticket.verdict:
                self._over(ticket, ticket.verdict)
            else:
                self._run(ticket)

    def _run(self, ticket: Ticket) -> None:
        begun = self.clock.monotonic()

        def done(result: Outcome | DynimoError) -> None:
            now = self.clock.monotonic()
            self._over(ticket, "" if isinstance(result, Outcome) else type(result).__name__)
            self._told(self.lane.finish(ticket, now, now - begun))

        self.begun += 1
        invocation = Invocation(
            id=str(self.begun), function="f", event=b"", arrived_ns=int(begun * 1e9)
        )
        self.fleet.run(invocation, done)

    def _over(self, ticket: Ticket, reason: str) -> None:
        seen = self.seen[ticket]
        seen.reason, seen.seconds = reason, self.clock.monotonic() - seen.when


async def _overload(
    seed: int, shares: dict[Priority, float], *, times: float = 2.0, places: int = ENVIRONMENTS
) -> list[Seen]:
    """Poisson arrivals at ``times`` the capacity for a minute, classes by chance."""
    scene = Scene(seed, places=places)
    await scene.fleet.open()
    rng = random.Random(seed)
    now, seen = START, []
    while (now := now + rng.expovariate(times * CAPACITY)) < START + SECONDS:
        scene.clock.run(now)
        scene._told(scene.lane.tick(now))
        (priority,) = rng.choices(list(shares), list(shares.values()))
        seen.append(scene.ask(priority))
    scene.settle()
    return seen


def _answered(seen: list[Seen], priority: Priority) -> float:
    asked = [each for each in seen if each.priority is priority]
    return sum(each.good for each in asked) / len(asked)


HALF = {Priority.LIVE: 0.5, Priority.PREFETCH: 0.5}


@pytest.mark.parametrize("seed", [0, 3])
async def test_twice_the_capacity_costs_no_goodput_and_no_live_request(seed: int) -> None:
    """Half of it prefetch: work is done at >= 0.9 of capacity, and >= 99 % of live is answered."""
    seen = await _overload(seed, HALF)

    assert sum(each.good for each in seen) / SECONDS >= 0.9 * CAPACITY
    assert _answered(seen, Priority.LIVE) >= 0.99
    assert {each.reason for each in seen} <= {"", "late", "overload", "yield", "full"}


async def test_what_is_shed_is_mostly_told_at_once() -> None:
    """Nineteen of twenty refusals come without any waiting."""
    seen = await _overload(1, HALF)
    refused = [each.seconds for each in seen if each.reason]

    assert sum(seconds == 0 for seconds in refused) >= 0.95 * len(refused)


async def test_live_alone_at_twice_the_capacity_is_served_in_good_time() -> None:
    """Goodput stays, and whoever is answered has it within half the deadline, nearly always."""
    seen = await _overload(2, {Priority.LIVE: 1.0})
    good = sorted(each.seconds for each in seen if each.good)

    assert len(good) / SECONDS >= 0.9 * CAPACITY
    assert good[int(len(good) * 0.95)] <= DEADLINE_SECONDS / 2 + 3 * MEAN_SECONDS


async def test_a_limit_that_is_only_learned_does_as_well() -> None:
    """Nobody says how many the function can take: the gradient finds out."""
    seen = await _overload(1, HALF, places=0)

    assert sum(each.good for each in seen) / SECONDS >= 0.9 * CAPACITY
    assert _answered(seen, Priority.LIVE) >= 0.99


async def test_no_class_starves() -> None:
    """Live asks for more than there is, and every lower class is still served now and then."""
    shares = {Priority.LIVE: 0.7, Priority.REVALIDATE: 0.1, Priority.PREFETCH: 0.1}
    seen = await _overload(3, shares | {Priority.WARM: 0.1})

    assert all(_answered(seen, each) > 0 for each in Priority)
    assert _answered(seen, Priority.LIVE) > 0.65


async def test_half_the_capacity_loses_nobody() -> None:
    """An unloaded function turns no live request away, and waits are those of chance."""
    seen = await _overload(4, {Priority.LIVE: 1.0}, times=0.5)

    assert {each.reason for each in seen} == {""}
