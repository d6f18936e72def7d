"""Profile A: supply must follow demand. A function that sleeps, every key unique, a step in load.

The three baselines run side by side, then Dynimo alone (they cost little and do not scale at the
same moments; Dynimo's figures are its own). All get the same arrivals.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.setting import Setting
from bench.spike import scale, servers, shots
from bench.spike.scale import Scale
from bench.spike.servers import Serving
from bench.spike.shots import Volley
from dynimo.simulating import demand, elasticity, plans, validating
from dynimo.simulating.demand import Arrival
from dynimo.simulating.elasticity import Elasticity, Phases, Request, Span, Supply

METRIC_FLEET = "autoscaled, 6 s + 6 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elastic:
    """One contender at one factor. Times of ``requests`` and ``supply`` begin with the schedule."""

    name: str
    phases: Phases
    requests: Sequence[Request]
    supply: Sequence[Supply]
    found: Elasticity
    spans: Mapping[str, Span]
    parameters: Mapping[str, Any]
    late_ms_p99: float

    @property
    def void(self) -> bool:
        """Whether the sender was late itself."""
        return self.late_ms_p99 > shots.LATE_MS_MAX

    def document(self) -> dict[str, Any]:
        """For JSON, with what the simulator needs to play it again."""
        return {
            "plan": self.name,
            "phases": dataclasses.asdict(self.phases),
            "parameters": dict(self.parameters),
            "seed": scale.SEED,
            "sigma": scale.SIGMA,
            "deadline_seconds": scale.DEADLINE_SECONDS,
            "sender_late_ms_p99": self.late_ms_p99,
            "void": self.void,
            "figures": elasticity.as_document(self.found),
            "spans": {key: elasticity.as_document(each) for key, each in self.spans.items()},
            "compared": validating.figures(self.found, self.spans),
            "supply": [[round(each.at, 3), each.environments, each.ready] for each in self.supply],
        }


def phases(size: Scale, factor: int) -> Phases:
    """When what begins, in seconds of the schedule."""
    step = size.warm_seconds + size.base_seconds
    return Phases(
        begin=size.warm_seconds,
        step=step,
        step_end=step + size.step_seconds,
        end=step + size.step_seconds + size.after_seconds,
        base_rate=scale.BASE_PER_SECOND,
        factor=factor,
        service_seconds=scale.SERVICE_SECONDS,
    )


def arrivals(of: Phases) -> list[Arrival]:
    """The same for every contender, and for the simulator."""
    trace = demand.step(
        of.base_rate,
        of.factor,
        before=of.step,
        during=of.step_end - of.step,
        after=of.end - of.step_end,
    )
    service = demand.Service(mean_seconds=of.service_seconds, sigma=scale.SIGMA)
    return demand.arrivals(trace, service, seed=scale.SEED)


def run(setting: Setting, size: Scale, factor: int) -> list[Elastic]:
    """All contenders at this factor."""
    of = phases(size, factor)
    drawn = arrivals(of)
    schedule = shots.once(drawn)
    peak = plans.sized(of.base_rate * factor, of.service_seconds, plans.TARGET_UTILISATION)
    small = scale.FLEET_SMALL
    with contextlib.ExitStack() as stack:
        fleets = [
            stack.enter_context(servers.fleet(setting, f"fixed, {small}", small)),
            stack.enter_context(servers.fleet(setting, f"fixed, {peak}", peak)),
            stack.enter_context(servers.fleet(setting, METRIC_FLEET, small, follows=True)),
        ]
        setting.say(f"A, {factor}x: the baselines, {of.end:.0f} s")
        volleys = servers.send(setting, fleets, schedule)
        ended = [_ended(*each, drawn, of) for each in zip(fleets, volleys, strict=True)]
    with servers.dynimo(setting) as ours:
        setting.say(f"A, {factor}x: Dynimo, {of.end:.0f} s")
        (volley,) = servers.send(setting, [ours], schedule)
        ended.append(_ended(ours, volley, drawn, of))
    return ended


def _ended(serving: Serving, volley: Volley, drawn: Sequence[Arrival], of: Phases) -> Elastic:
    requests = volley.requests(drawn)
    supply = since(serving.supply(), volley.began)
    started = [at - volley.began for at in births(volley)] or [
        later.at
        for earlier, later in itertools.pairwise(supply)
        if later.environments > earlier.environments
    ]
    parameters = dict(serving.parameters)
    parameters["overhead_seconds"] = overhead_seconds(requests, of)
    if parameters["kind"] == "on-demand":
        parameters["cold_start_seconds"] = cold_start_seconds(volley, drawn)
    return Elastic(
        name=serving.name,
        phases=of,
        requests=requests,
        supply=supply,
        found=elasticity.elasticity(requests, supply, of, started=started),
        spans=elasticity.spans(requests, of, scale.DEADLINE_SECONDS),
        parameters=parameters,
        late_ms_p99=volley.late_ms_p99,
    )


def since(supply: Sequence[Supply], began: float) -> list[Supply]:
    """Supply by the schedule's time: what there was at its beginning, and every change after."""
    kept = elasticity.between(supply, began, math.inf)
    return [each._replace(at=each.at - began) for each in kept]


def births(volley: Volley) -> list[float]:
    """When each environment that answered anything began its first work; monotonic seconds."""
    told = {each.run.rpartition("/")[2] for each in volley.shown if each.run}
    return sorted(int(began) / 1e9 for began in told)


def overhead_seconds(requests: Sequence[Request], of: Phases) -> float:
    """How much longer than the service answers took in base: the lower quartile.

    Whoever waited for an environment is above that, in every fleet that base does not overload.
    """
    extra = [
        each.seconds - each.service
        for each in requests
        if of.begin <= each.due < of.step and each.outcome == elasticity.OK
    ]
    return max(0.0, elasticity.percentile(extra, 25)) if extra else 0.0


def cold_start_seconds(volley: Volley, drawn: Sequence[Arrival]) -> float:
    """How much longer first runs took than the service itself: the median."""
    extra = [
        shown.seconds - arrival.service
        for shown, arrival in zip(volley.shown, drawn, strict=True)
        if shown.run.split("/")[1:2] == ["1"]
    ]
    return max(0.001, elasticity.percentile(extra, 50)) if extra else 0.01
