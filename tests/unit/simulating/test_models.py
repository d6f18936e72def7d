"""Both models: nobody is lost, Little's law, known answers for tiny traces; near each other."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from dynimo.functions.pool import Limits
from dynimo.simulating import aggregate, comparing, demand, exact, plans
from dynimo.simulating.demand import Arrival, Service
from dynimo.simulating.elasticity import LATE, OK, SHED
from dynimo.simulating.outcome import Run, Waits

PLANS = {
    "small": plans.fixed("small", 2, queue_seconds=20, queue=10_000),
    "peak": plans.fixed("peak", 29, queue_seconds=20, queue=10_000),
    "plenty": plans.fixed("plenty", 60, queue_seconds=20, queue=100),
    "short queue": plans.fixed("short queue", 4, queue_seconds=20, queue=10),
    "metric": plans.autoscaled(
        "metric",
        plans.Autoscaling(metric_seconds=6, start_seconds=6),
        2,
        queue_seconds=20,
        queue=10_000,
    ),
    "dynimo": plans.on_demand("dynimo", Limits(environments=200), 0.01),
    "few": plans.on_demand("few", Limits(environments=8, burst=2, burst_per_second=1), 0.01),
}
TRACE = demand.step(10, 20, before=18, during=24, after=18)
"""In whole windows of the metric: a fleet of just the load's size would be all chance."""


@functools.cache
def _run(name: str, model: str, seed: int = 1) -> Run:
    return _fresh(PLANS[name], model, seed)


def _fresh(plan: plans.Plan, model: str, seed: int = 1) -> Run:
    if model == "aggregate":
        return aggregate.run(plan, TRACE, service_seconds=0.1, deadline=5, seed=seed)
    drawn = demand.arrivals(TRACE, Service(), seed=seed)
    played = exact.play(plan, drawn, seconds=TRACE.seconds, deadline=5, mean_service=0.1)
    return exact.summed(plan, played, trace=TRACE, mean_service=0.1)


@pytest.mark.parametrize("model", ["exact", "aggregate"])
@pytest.mark.parametrize("name", sorted(PLANS))
def test_nobody_is_lost(name: str, model: str) -> None:
    """In every row so far: offered = answered + failed + waiting + running."""
    run = _run(name, model)

    seen = 0.0
    for row in run.rows:
        seen += row.offered - row.answered - row.failed
        assert seen == pytest.approx(row.waiting + row.running), row
        assert min(row.waiting, row.answered, row.failed) >= 0
        assert 0 <= row.running <= row.ready <= row.environments
    assert run.offered == pytest.approx(run.answered + run.failed + run.inside)
    assert run.offered == pytest.approx(TRACE.requests, rel=0.05)


@pytest.mark.parametrize("model", ["exact", "aggregate"])
def test_littles_law_holds(model: str) -> None:
    """Mean concurrency is rate times service time: busy seconds are what demand asks for."""
    run = _run("peak", model)

    steady = [row.running for row in run.rows if 25 <= row.at < 40]
    assert sum(steady) / len(steady) == pytest.approx(200 * 0.1, rel=0.15)
    assert run.busy_seconds == pytest.approx(run.offered * 0.1, rel=0.05)


@pytest.mark.parametrize("model", ["exact", "aggregate"])
def test_who_is_prescaled_with_room_never_waits(model: str) -> None:
    """Three times the need, and nobody waits or fails; and everything there is stays there."""
    run = _run("plenty", model)

    assert run.failed == 0
    assert run.waits.percentile(100) == 0
    assert run.environment_seconds == pytest.approx(60 * 60)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_the_aggregate_model_is_near_the_exact_one(name: str) -> None:
    """Failures, supply and use agree, where both can be run."""
    one, other = _run(name, "exact"), _run(name, "aggregate")

    assert other.failed / other.offered == pytest.approx(one.failed / one.offered, abs=0.05)
    assert other.environment_seconds == pytest.approx(one.environment_seconds, rel=0.15)
    assert other.utilisation == pytest.approx(one.utilisation, abs=0.1)


def test_the_spike_is_lost_by_the_metric_and_met_by_dynimo() -> None:
    """What the simulator is for, in one line each."""
    small, metric, dynimo = (_run(name, "exact") for name in ("small", "metric", "dynimo"))

    assert small.failed > 0.7 * small.offered
    assert metric.failed > 0.2 * metric.offered
    assert dynimo.failed == 0
    assert dynimo.waits.percentile(99) <= 0.05


def test_the_same_seed_gives_the_same_run() -> None:
    """A result can be repeated by anyone."""
    for model in ("exact", "aggregate"):
        assert _run("few", model).rows == _fresh(PLANS["few"], model).rows
    assert _run("few", "exact").rows != _run("few", "exact", seed=2).rows


def _tiny(plan: plans.Plan, *arrivals: tuple[float, float], deadline: float = 5) -> exact.Played:
    drawn = [Arrival(*each) for each in arrivals]
    return exact.play(plan, drawn, seconds=10, deadline=deadline, mean_service=1)


def test_three_at_once_in_front_of_one_environment() -> None:
    """They are served in order, each after the one before."""
    played = _tiny(PLANS["small"], (0, 1), (0, 1), (0, 1), (0.5, 1))

    assert [each.seconds for each in played.requests] == pytest.approx([1, 1, 2, 1.5])
    assert [waited for _, waited in played.waits] == pytest.approx([0, 0, 1, 0.5])


def test_a_cold_start_is_waited_for_once() -> None:
    """The first pays for it; the next finds the environment warm."""
    plan = plans.on_demand("cold", Limits(environments=1), 0.5)

    played = _tiny(plan, (0, 1), (3, 1))

    assert [each.seconds for each in played.requests] == pytest.approx([1.5, 1])
    assert played.started == [0]


def test_a_hand_over_keeps_the_environment_and_the_caller() -> None:
    """What it costs is added to each."""
    plan = dataclasses.replace(
        plans.fixed("one", 1, queue_seconds=20, queue=10), overhead_seconds=0.25
    )

    played = _tiny(plan, (0, 1), (0, 1))

    assert [each.seconds for each in played.requests] == pytest.approx([1.25, 2.5])


def test_an_idle_environment_goes_when_its_time_has_come() -> None:
    """Supply: one from the first request until idle_seconds after its end."""
    plan = plans.on_demand("idle", Limits(environments=4, idle_seconds=2), 0.0)

    played = _tiny(plan, (1, 1))

    assert played.supply[0] == (1, 1, 1)
    assert played.supply[1].environments == 0
    assert played.supply[1].at == pytest.approx(4, abs=0.01)


def test_who_has_waited_until_the_deadline_is_late_and_who_finds_it_full_is_shed() -> None:
    """The two ways to fail, and when."""
    plan = plans.fixed("one", 1, queue_seconds=20, queue=1)

    played = _tiny(plan, (0, 4), (0, 4), (0, 4), deadline=3)

    assert [each.outcome for each in played.requests] == [LATE, LATE, SHED]
    assert [each.seconds for each in played.requests] == pytest.approx([3, 3, 0], abs=0.01)


def test_an_autoscaler_orders_after_its_metric_and_gets_it_after_the_start() -> None:
    """Ten a second from 0 on: seen at 2 s, ordered then, there at 5 s."""
    scaling = plans.Autoscaling(metric_seconds=2, start_seconds=3, target=0.5)
    plan = plans.autoscaled("metric", scaling, 1, queue_seconds=20, queue=1000)
    drawn = [(index / 10, 0.1) for index in range(100)]

    played = exact.play(
        plan, [Arrival(*each) for each in drawn], seconds=10, deadline=5, mean_service=0.4
    )

    assert played.supply[:3] == [(0, 1, 1), (2, 8, 1), (5, 8, 8)]
    assert all(each.outcome == OK for each in played.requests)


def test_waits_are_percentiles_of_what_was_added() -> None:
    """Within the width of a bucket, from above."""
    waits = Waits()
    waits.add(0, 50)
    waits.add(0.1, 49)
    waits.add(2.0, 1)

    assert waits.percentile(50) == 0
    assert waits.percentile(99) == pytest.approx(0.1, rel=0.05)
    assert waits.percentile(100) == pytest.approx(2, rel=0.05)
    assert waits.total_seconds == pytest.approx(6.9)


def test_a_million_requests_a_second_are_shared_between_thousands_of_nodes() -> None:
    """The group is so many like nodes: rates, supply and failures are theirs together."""
    trace = demand.step(50_000, 20, before=5, during=5, after=5)

    given = comparing.Circumstances()
    metric, dynimo = list(comparing.runs(trace, given))[1:]

    assert comparing.nodes(trace, given) == 715
    assert dynimo.offered == pytest.approx(trace.requests, rel=0.05)
    assert dynimo.failed == 0
    assert dynimo.peak >= 100_000
    assert metric.failed > 0.5 * metric.offered
