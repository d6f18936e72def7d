"""Prescaled, autoscaled and Dynimo under one trace: chooses sizes and model, and runs them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dynimo.functions.config import Config as FunctionsConfig
from dynimo.functions.pool import Limits
from dynimo.simulating import aggregate, exact, plans
from dynimo.simulating.chart import Panel, draw, shown
from dynimo.simulating.demand import Service, Trace, TraceError, arrivals
from dynimo.simulating.outcome import Run

EXACT_REQUESTS_MAX = 60_000
"""Traces of up to so many requests on one node are simulated request by request."""
EXACT_ASKED_MAX = 5_000_000
"""Of the exact model, where somebody asks for it: some minutes and gigabytes."""
GOOD_FAILED_MAX = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is the same for all that are compared.

    ``node_environments`` is how many environments one node has room for; there are as many nodes as
    the peak needs. ``model`` is ``exact``, ``aggregate`` or ``auto``.
    """

    service: Service = field(default_factory=Service)
    cold_start_seconds: float = 0.01
    deadline_seconds: float = 5.0
    idle_seconds: float = 10.0
    node_environments: int = 200
    target: float = plans.TARGET_UTILISATION
    metric_seconds: float = 60.0
    start_seconds: float = 60.0
    seed: int = 1
    model: str = "auto"


def nodes(trace: Trace, given: Circumstances) -> int:
    """How many nodes have room for the peak at the target utilisation."""
    peak = plans.sized(trace.peak, given.service.mean_seconds, given.target)
    return max(1, math.ceil(peak / given.node_environments))


def of_node(trace: Trace, given: Circumstances) -> list[plans.Plan]:
    """The three ways of supply, as one node has them."""
    group = nodes(trace, given)
    config = FunctionsConfig()
    peak, first = (
        math.ceil(plans.sized(rate, given.service.mean_seconds, given.target) / group)
        for rate in (trace.peak, trace.rates[0])
    )
    scaling = plans.Autoscaling(
        metric_seconds=given.metric_seconds,
        start_seconds=given.start_seconds,
        target=given.target,
    )
    limits = Limits(
        environments=given.node_environments,
        idle_seconds=given.idle_seconds,
        queue=config.queue_max,
        queue_seconds=config.queue_seconds,
        burst=config.burst,
        burst_per_second=config.burst_per_second,
    )
    wait, queue = config.queue_seconds, config.queue_max
    return [
        plans.fixed("prescaled", peak, queue_seconds=wait, queue=queue),
        plans.autoscaled("autoscaled", scaling, first, queue_seconds=wait, queue=queue),
        plans.on_demand("dynimo", limits, given.cold_start_seconds),
    ]


def runs(trace: Trace, given: Circumstances) -> Iterator[Run]:
    """Simulate each way of supply in turn: one node's share, times the nodes.

    Raises:
        TraceError: the exact model was asked for, and there are too many requests for it.
    """
    group = nodes(trace, given)
    share = replace(trace, rates=tuple(rate / group for rate in trace.rates))
    if given.model == "exact" and share.requests > EXACT_ASKED_MAX:
        raise TraceError(
            f"{trace.name}: {share.requests:,.0f} requests on a node are too many for the exact"
            f" model (at most {EXACT_ASKED_MAX:,}); use the aggregate one"
        )
    exactly = given.model == "exact" or (
        given.model == "auto" and share.requests <= EXACT_REQUESTS_MAX
    )
    for plan in of_node(trace, given):
        run = _exact(plan, share, given) if exactly else _aggregate(plan, share, given)
        yield run.times(group)


def _exact(plan: plans.Plan, trace: Trace, given: Circumstances) -> Run:
    mean = given.service.mean_seconds
    played = exact.play(
        plan,
        arrivals(trace, given.service, seed=given.seed),
        seconds=trace.seconds,
        deadline=given.deadline_seconds,
        mean_service=mean,
    )
    return exact.summed(plan, played, trace=trace, mean_service=mean)


def _aggregate(plan: plans.Plan, trace: Trace, given: Circumstances) -> Run:
    return aggregate.run(
        plan,
        trace,
        service_seconds=given.service.mean_seconds,
        deadline=given.deadline_seconds,
        seed=given.seed,
    )


def plot(trace: Trace, results: Sequence[Run], *, subtitle: str = "") -> str:
    """The runs side by side, as SVG."""
    panels = [
        Panel(
            title=run.plan,
            verdict=f"{shown(run.failed)} of {shown(run.offered)} failed;"
            f" {run.utilisation:.0%} of the supply was used",
            good=run.failed <= GOOD_FAILED_MAX * run.offered,
            times=[row.at for row in run.rows],
            demand=[row.needed for row in run.rows],
            supply=[row.ready for row in run.rows],
            waiting=[row.waiting for row in run.rows],
            failed=[row.failed / run.row_seconds for row in run.rows],
        )
        for run in results
    ]
    title = f"{trace.name}: {shown(trace.rates[0])} to {shown(trace.peak)} requests a second"
    return draw(panels, title=title, subtitle=subtitle)
