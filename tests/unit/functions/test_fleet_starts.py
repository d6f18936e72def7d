"""Environments that start as programs do: what of it is the invocation's time, and what is not."""

from __future__ import annotations

import itertools
from typing import Any

from dynimo import testing
from dynimo.functions import faults, outcomes
from dynimo.functions.fleet import Fleet
from dynimo.functions.pool import Limits
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.ports import SandboxSpec


class Rig:
    """One environment that takes ``start`` seconds to begin, then ``work`` for each invocation."""

    def __init__(self, *, start: float, work: float) -> None:
        self.clock = testing.VirtualClock()
        self.sandbox = testing.ScriptedSandbox(
            self.clock, itertools.repeat(work), cold_start_seconds=start
        )
        version = testing.version(timeout_seconds=1)
        spec = SandboxSpec(
            function="f", version="1", code=version.code, handler="w.h", memory_mib=128
        )
        around = testing.surroundings(version, self.sandbox, self.clock)
        self.fleet = Fleet(version, spec, Limits(environments=1), around)
        self.heard: list[Outcome | DynimoError] = []

    async def run(self, *, ready_at: tuple[float, ...]) -> Outcome:
        await self.fleet.open()
        zygote = self.sandbox.zygotes[0]
        zygote.init_seconds_max = 10.0
        invocation = Invocation(id="r", function="f", event=b"{}", arrived_ns=0)
        self.fleet.run(invocation, self.heard.append)
        for seconds in ready_at:
            self.clock.call_later(seconds, self._ready)
        self.clock.run(self.clock.monotonic() + 60)
        assert len(self.heard) == 1
        outcome = self.heard[0]
        assert isinstance(outcome, Outcome)
        return outcome

    def _ready(self) -> None:
        frame: dict[str, Any] = {"type": "ready", "id": "r"}
        for process in self.sandbox.zygotes[0].alive.values():
            process._watcher.on_frame(frame, b"")


async def test_a_slow_start_is_no_timeout() -> None:
    """The function's second begins when the environment is ready."""
    outcome = await Rig(start=5, work=0.5).run(ready_at=(5,))
    assert outcome.error is None
    assert 5_000 <= outcome.init_ms < 5_001


async def test_after_the_start_the_functions_time_counts() -> None:
    """And only that."""
    outcome = await Rig(start=5, work=3).run(ready_at=(5,))
    assert outcome.error == faults.timed_out("r", 1)
    assert outcome.duration_ms == 6_000


async def test_a_start_has_an_end() -> None:
    """An environment that never gets ready is killed when both times are over."""
    outcome = await Rig(start=50, work=1).run(ready_at=())
    assert outcome.error == faults.timed_out("r", 1)
    assert outcome.duration_ms == 11_000


async def test_ready_is_heard_once() -> None:
    """Else an environment could put off its end for ever."""
    outcome = await Rig(start=1, work=30).run(ready_at=(1, 1.5, 1.9, 2.5))
    assert outcome.duration_ms == 2_000


async def test_who_waits_for_the_burst_is_served_when_it_allows() -> None:
    """Not when the next idle environment is due, which may be ten seconds later."""
    clock = testing.VirtualClock()
    sandbox = testing.ScriptedSandbox(clock, itertools.chain([0.1], itertools.repeat(5.0)))
    version = testing.version(timeout_seconds=30)
    spec = SandboxSpec(function="f", version="1", code=version.code, handler="w.h", memory_mib=128)
    limits = Limits(environments=20, burst=1, burst_per_second=1)
    fleet = Fleet(version, spec, limits, testing.surroundings(version, sandbox, clock))
    await fleet.open()

    def run(name: str) -> None:
        fleet.run(Invocation(id=name, function="f", event=b"{}", arrived_ns=0), lambda _: None)

    run("first")
    clock.run(clock.monotonic() + 1)  # it has ended: an idle environment waits for its end
    for name in ("warm", "second", "third"):
        run(name)
    assert fleet.pool.waiting == 1
    clock.run(clock.monotonic() + 1.5)

    assert fleet.pool.waiting == 0
    assert fleet.pool.count == 3


def test_a_start_that_failed_names_the_request_where_aws_does() -> None:
    """The platform's own words do; the code's own error has its empty request id."""
    invocation = Invocation(id="r-7", function="f", event=b"{}", arrived_ns=0)
    version = testing.version()
    ended = {"errorMessage": "Runtime exited", "errorType": "Runtime.ExitError", "stackTrace": []}
    told = outcomes.never_began(invocation, version, ended).error
    assert told == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r-7 Error: Runtime exited",
    }
    own = {"errorMessage": "m", "errorType": "Exception", "requestId": "", "stackTrace": []}
    assert outcomes.never_began(invocation, version, own).error == own
