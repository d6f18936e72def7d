"""The story this exists for, in virtual time: load jumps 20-fold, and nothing was prescaled."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from dynimo import testing
from dynimo.functions.fleet import Fleet
from dynimo.functions.pool import Limits
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.ports import SandboxSpec

BASE_PER_SECOND = 10
SPIKE = 20
PHASE_SECONDS = 30
MEAN_SECONDS, SIGMA = 0.1, 0.3
START = 1_000.0


def _service(seed: int, *, crash_one_in: int = 0) -> Iterator[float | None]:
    rng = random.Random(seed)
    while True:
        if crash_one_in and rng.randrange(crash_one_in) == 0:
            yield None
        yield rng.lognormvariate(0, SIGMA) * MEAN_SECONDS


def _arrivals(seed: int) -> list[float]:
    """Poisson arrivals: base, spike, base again."""
    rng = random.Random(seed)
    times, now = [], START
    for rate in (BASE_PER_SECOND, BASE_PER_SECOND * SPIKE, BASE_PER_SECOND):
        end = now + PHASE_SECONDS
        while (now := now + rng.expovariate(rate)) < end:
            times.append(now)
        now = end
    return times


async def _play(
    seed: int, limits: Limits, service: Iterator[float | None]
) -> tuple[dict[float, Outcome | DynimoError], dict[float, float], testing.ScriptedZygote, Fleet]:
    clock = testing.VirtualClock(START)
    sandbox = testing.ScriptedSandbox(clock, service)
    version = testing.version(timeout_seconds=30)
    spec = SandboxSpec(function="f", version="1", code=version.code, handler="w.h", memory_mib=128)
    fleet = Fleet(version, spec, limits, testing.surroundings(version, sandbox, clock))
    await fleet.open()
    heard: dict[float, Outcome | DynimoError] = {}
    latency: dict[float, float] = {}
    for number, when in enumerate(_arrivals(seed)):
        clock.run(when)

        def done(result: Outcome | DynimoError, when: float = when) -> None:
            heard[when] = result
            latency[when] = clock.monotonic() - when

        fleet.run(
            Invocation(id=str(number), function="f", event=b"", arrived_ns=int(when * 1e9)), done
        )
    clock.run(clock.monotonic() + 60)
    return heard, latency, sandbox.zygotes[0], fleet


@pytest.mark.parametrize("seed", range(5))
async def test_a_twentyfold_spike_loses_nobody_and_is_met_within_a_second(seed: int) -> None:
    """No error, supply when it is needed, and nothing left over when it is past."""
    limits = Limits(environments=64, idle_seconds=5)

    heard, latency, zygote, fleet = await _play(seed, limits, _service(seed))

    assert [each for each in heard.values() if not isinstance(each, Outcome)] == []
    assert len(heard) == len(_arrivals(seed))
    spike = START + PHASE_SECONDS
    settled = sorted(
        value for when, value in latency.items() if spike + 1 <= when < spike + PHASE_SECONDS
    )
    assert settled[int(len(settled) * 0.99)] < 3 * MEAN_SECONDS
    first_second = [value for when, value in latency.items() if spike <= when < spike + 1]
    assert max(first_second) < 1.0
    needed = BASE_PER_SECOND * SPIKE * MEAN_SECONDS
    assert needed <= zygote.peak <= needed * 2.5
    assert fleet.pool.count == 0, "when all is over, nothing idles"


@pytest.mark.parametrize("seed", range(3))
async def test_under_a_limit_the_queue_holds_and_everyone_gets_an_answer(seed: int) -> None:
    """Too few environments for the spike: some wait, some are turned away, nobody is forgotten."""
    limits = Limits(environments=8, idle_seconds=5, queue=500, queue_seconds=4)

    heard, latency, zygote, fleet = await _play(seed, limits, _service(seed))

    assert len(heard) == len(_arrivals(seed))
    assert zygote.peak == 8
    longest_service = MEAN_SECONDS * 5
    assert max(latency.values()) < 4 + longest_service
    served = sum(1 for each in heard.values() if isinstance(each, Outcome))
    capacity = 8 / MEAN_SECONDS * PHASE_SECONDS
    assert served > 0.85 * (capacity + 2 * BASE_PER_SECOND * PHASE_SECONDS)
    assert fleet.pool.waiting == 0


@pytest.mark.parametrize("seed", range(3))
async def test_crashing_environments_cost_only_their_own_work(seed: int) -> None:
    """One in fifty crashes in the middle of a spike: the others do not notice."""
    limits = Limits(environments=64, idle_seconds=5)

    heard, _, _, fleet = await _play(seed, limits, _service(seed, crash_one_in=50))

    outcomes = [each for each in heard.values() if isinstance(each, Outcome)]
    assert len(outcomes) == len(_arrivals(seed))
    crashed = [each for each in outcomes if each.error is not None]
    assert {each.killed for each in crashed} == {"crash"}
    assert 0.01 < len(crashed) / len(outcomes) < 0.03
    assert fleet.pool.count == 0
