"""A fleet acts on the pool's decisions: every caller hears exactly once how it ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from dynimo import testing
from dynimo.functions.fleet import LIFE_SECONDS, Fleet
from dynimo.functions.pool import Limits
from dynimo.functions.ticket import Done
from dynimo.model.errors import DynimoError, Throttled
from dynimo.model.invocation import Invocation, Outcome
from dynimo.ports import SandboxSpec


class Rig:
    """A fleet over a scripted sandbox, and what its callers heard."""

    def __init__(
        self, service: Iterator[float | None], *, timeout_seconds: float = 3, **limits: float
    ) -> None:
        self.clock = testing.VirtualClock()
        self.sandbox = testing.ScriptedSandbox(self.clock, service)
        version = testing.version(timeout_seconds=timeout_seconds)
        spec = SandboxSpec(
            function="demo-work", version="1", code=version.code, handler="w.h", memory_mib=128
        )
        merged = Limits(**{"environments": 2, **limits})  # type: ignore[arg-type]
        self.fleet = Fleet(
            version, spec, merged, testing.surroundings(version, self.sandbox, self.clock)
        )
        self.heard: dict[str, Outcome | DynimoError] = {}

    async def open(self) -> Rig:
        await self.fleet.open()
        return self

    def run(self, *names: str, kin: str = "") -> None:
        for name in names:
            arrived = int(self.clock.monotonic() * 1e9)
            invocation = Invocation(id=name, function="f", event=b"{}", arrived_ns=arrived, kin=kin)
            self.fleet.run(invocation, self._hear(name))

    def _hear(self, name: str) -> Done:
        def done(result: Outcome | DynimoError) -> None:
            assert name not in self.heard, "each caller hears once"
            self.heard[name] = result

        return done

    def outcome(self, name: str) -> Outcome:
        result = self.heard[name]
        assert isinstance(result, Outcome)
        return result


async def test_a_cold_invocation_says_so_and_a_warm_one_does_not() -> None:
    """Init time belongs to the invocation that caused it."""
    rig = await Rig(itertools.repeat(0.1)).open()

    rig.run("a")
    rig.clock.run(1_001)
    rig.run("b")
    rig.clock.run(1_002)

    assert (rig.outcome("a").cold, rig.outcome("b").cold) == (True, False)
    assert round(rig.outcome("a").init_ms, 3) == 5.0
    assert round(rig.outcome("b").duration_ms, 3) == 100.0


async def test_over_its_time_an_invocation_is_killed_with_awss_words() -> None:
    """The deadline kills, and the error is the one that AWS gives."""
    rig = await Rig(itertools.repeat(60.0), timeout_seconds=3).open()

    rig.run("a")
    rig.clock.run(1_010)

    assert rig.outcome("a").killed == "time"
    assert rig.outcome("a").error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: a Error: Task timed out after 3.00 seconds",
    }
    assert rig.sandbox.zygotes[0].alive == {}


async def test_who_waits_for_kin_is_looked_after_in_time() -> None:
    """Also where all environments are there, and the next to be idle for too long is due later."""
    rig = await Rig(iter([0.01, 0.01, 5.0, 0.01]), idle_seconds=10).open()
    rig.run("a", kin="cats")
    rig.run("b", kin="dogs")
    rig.clock.run(1_001)

    rig.run("c", "d", kin="cats")
    rig.clock.run(1_001.5)

    assert rig.heard.keys() == {"a", "b", "d"}


async def test_a_crash_is_told_and_the_next_one_runs() -> None:
    """A dead environment takes down only what ran inside."""
    rig = await Rig(iter([None, 0.1]), environments=1).open()

    rig.run("a", "b")
    rig.clock.run(1_002)

    assert rig.outcome("a").killed == "crash"
    assert rig.outcome("a").error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: a Error: Runtime exited with error: exit status 1",
    }
    assert rig.outcome("b").value == b"null"


async def test_crashing_for_ever_is_slowed_down() -> None:
    """A function that cannot live must not keep the machine busy with being born."""
    rig = await Rig(itertools.repeat(None), environments=1, queue_seconds=1_000).open()

    rig.run(*(f"i{number}" for number in range(100)))
    rig.clock.run(1_010)

    assert 5 <= rig.sandbox.zygotes[0].started <= 20


async def test_when_the_queue_is_full_the_caller_hears_throttled() -> None:
    """A no is an answer too, and comes at once."""
    rig = await Rig(itertools.repeat(1.0), environments=1, queue=1).open()

    rig.run("a", "b", "c")

    assert isinstance(rig.heard["c"], Throttled)


async def test_scaling_to_zero() -> None:
    """An idle fleet holds no environment."""
    rig = await Rig(itertools.repeat(0.1), idle_seconds=10).open()

    rig.run("a", "b")
    rig.clock.run(1_005)
    assert len(rig.sandbox.zygotes[0].alive) == 2
    rig.clock.run(1_020)

    assert rig.sandbox.zygotes[0].alive == {}
    assert rig.fleet.pool.count == 0


async def test_a_dead_zygote_is_replaced_and_who_waits_is_served() -> None:
    """Killing the zygote costs what ran, and nothing else."""
    rig = await Rig(itertools.repeat(1.0), environments=1).open()
    rig.run("a", "b")

    rig.sandbox.zygotes[0].die()
    assert rig.fleet.zygote is None
    await rig.fleet.settled()
    rig.clock.run(1_010)

    assert rig.outcome("a").killed == "crash"
    assert rig.outcome("b").value == b"null"
    assert rig.fleet.zygote_restarts == 1


async def test_an_environment_cannot_answer_for_another() -> None:
    """What an environment says counts for its own invocations only."""
    rig = await Rig(itertools.repeat(1.0)).open()
    rig.run("a", "b")

    rig.fleet.on_frame("demo-work:1-1", {"type": "outcome", "id": "b", "value": True}, b"1")

    assert rig.heard == {}


async def test_closing_lets_nobody_wait_for_ever() -> None:
    """Whoever is still there when grace ends hears that the platform stops."""
    rig = await Rig(itertools.repeat(50.0), environments=1, queue=10).open()
    rig.run("a", "b")

    await rig.fleet.close(0)

    assert {type(result).__name__ for result in rig.heard.values()} == {"Stopping"}


async def test_an_environment_that_is_never_idle_is_replaced_before_its_credentials_end() -> None:
    """After a day it gets nothing more; what runs in it ends in peace, and nobody is refused."""
    rig = await Rig(itertools.repeat(2.0), environments=1, concurrency=2, idle_seconds=1e9).open()
    start = rig.clock.monotonic()

    rig.run("first")
    rig.clock.run(start + LIFE_SECONDS - 1)
    rig.run("across")
    rig.clock.run(start + LIFE_SECONDS + 0.5)
    rig.run("next")
    rig.clock.run(start + LIFE_SECONDS + 10)

    assert [rig.outcome(name).cold for name in ("first", "across", "next")] == [True, False, True]
    assert rig.outcome("across").error is None
    assert rig.sandbox.zygotes[0].started == 2
