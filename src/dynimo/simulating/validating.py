"""The simulator beside the real benchmark: the same arrivals through both, and how far apart.

Reads the ``elastic`` part of what ``dynimo bench spike --json`` prints. No measuring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dynimo.functions.pool import Limits
from dynimo.simulating import elasticity, exact, plans
from dynimo.simulating.demand import Service, arrivals, step

BENCH = "spike"
QUEUE_SECONDS, QUEUE = 20.0, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One figure of one way of supply, measured and simulated."""

    plan: str
    factor: float
    figure: str
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        """How far the simulation is off, as a share of what was measured; of shares, in points."""
        difference = self.simulated - self.measured
        if self.figure.endswith("share"):
            return difference
        return difference / self.measured if self.measured else difference

    def line(self) -> str:
        """For a person."""
        return (
            f"{self.factor:>3g}x {self.plan:<20} {self.figure:<18} measured {self.measured:>10,.3f}"
            f"  simulated {self.simulated:>10,.3f}  error {self.error:+.1%}"
        )

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "error": self.error}


def compare(document: Mapping[str, Any]) -> list[Compared]:
    """Simulate every elastic run of a result and hold both against each other.

    Raises:
        KeyError, TypeError, ValueError: it is no such result.
    """
    reports = [each for each in document["reports"] if each["bench"] == BENCH]
    runs = [run for report in reports for run in report["details"].get("elastic", [])]
    if not runs:
        raise ValueError("there is no run of profile A in it")
    return [compared for run in runs for compared in _compared(run)]


def plan(name: str, given: Mapping[str, Any]) -> plans.Plan:
    """The plan that a contender's parameters describe: see ``bench.elastic``."""
    if given["kind"] == "on-demand":
        limits = Limits(
            environments=given["environments"],
            idle_seconds=given["idle_seconds"],
            queue=QUEUE,
            queue_seconds=QUEUE_SECONDS,
        )
        return plans.on_demand(name, limits, given["cold_start_seconds"])
    if given["kind"] == "autoscaled":
        scaling = plans.Autoscaling(
            metric_seconds=given["metric_seconds"],
            start_seconds=given["start_seconds"],
            calm_windows=given["calm_windows"],
        )
        return plans.autoscaled(
            name, scaling, given["environments"], queue_seconds=QUEUE_SECONDS, queue=QUEUE
        )
    return plans.fixed(name, given["environments"], queue_seconds=QUEUE_SECONDS, queue=QUEUE)


def simulated(run: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a run of the benchmark, had it gone as the simulator thinks.

    What a start and a hand-over cost is as measured in that run before its step.
    """
    phases = elasticity.Phases(**run["phases"])
    service = Service(mean_seconds=phases.service_seconds, sigma=run["sigma"])
    trace = step(
        phases.base_rate,
        phases.factor,
        before=phases.step,
        during=phases.step_end - phases.step,
        after=phases.end - phases.step_end,
    )
    made = replace(
        plan(run["plan"], run["parameters"]),
        overhead_seconds=run["parameters"]["overhead_seconds"],
    )
    played = exact.play(
        made,
        arrivals(trace, service, seed=run["seed"]),
        seconds=trace.seconds,
        deadline=run["deadline_seconds"],
        mean_service=service.mean_seconds,
    )
    found = elasticity.elasticity(played.requests, played.supply, phases, started=played.started)
    return figures(found, elasticity.spans(played.requests, phases, run["deadline_seconds"]))


def figures(found: elasticity.Elasticity, spans: Mapping[str, elasticity.Span]) -> dict[str, float]:
    """What is compared. ``step_p99_all_ms`` has failures as the deadline."""
    return {
        "failed_share": spans["all"].failed / max(1, spans["all"].offered),
        "step_p50_ms": spans["step"].p50_ms,
        "step_p99_all_ms": spans["step"].p99_all_ms,
        "instance_seconds": found.instance_seconds,
        "busy_seconds": found.busy_seconds,
        "peak": float(found.peak),
    }


def _compared(run: Mapping[str, Any]) -> Sequence[Compared]:
    ours, theirs = simulated(run), run["compared"]
    return [
        Compared(
            plan=run["plan"],
            factor=run["phases"]["factor"],
            figure=name,
            measured=float(theirs[name]),
            simulated=ours[name],
        )
        for name in ours
        if theirs[name] is not None and ours[name] == ours[name]
    ]
