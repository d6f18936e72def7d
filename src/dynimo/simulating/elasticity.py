"""How well did supply follow demand? The figures of a run, real or simulated. Pure arithmetic.

Names follow the literature (SPEC's elasticity: accuracy and time of under- and over-provisioning).
Requests are known singly; supply is a step function of time. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

OK, SHED, LATE, OTHER = "ok", "shed", "late", "other"
ENOUGH = 0.9
"""The share of the needed supply that counts as met (T_90)."""
CALM_FACTOR, CALM_SECONDS = 2.0, 5
"""Recovered: a second's p99 is at most twice base's, five seconds in a row."""
NEAR_BASE = 1.5
"""Scaled in: at most so many times what was held in base, on average."""
EARLY_SECONDS = (1, 5, 10)


class Request(NamedTuple):
    """One request. ``due`` is when it was to be sent and ``seconds`` is counted from there.

    ``outcome`` is one of OK, SHED (503, 429), LATE (after the deadline, or never) and OTHER;
    ``service`` is how long it would keep, or kept, an environment.
    """

    due: float
    seconds: float
    outcome: str
    service: float


class Supply(NamedTuple):
    """From ``at`` on so many are held (ordered, started, not ended), and so many ready to work."""

    at: float
    environments: int
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Base from ``begin``, ``factor`` times base from ``step`` to ``step_end``, base to ``end``."""

    begin: float
    step: float
    step_end: float
    end: float
    base_rate: float
    factor: float
    service_seconds: float

    @property
    def base_need(self) -> float:
        """Environments that base keeps busy (Little's law)."""
        return self.base_rate * self.service_seconds

    @property
    def step_need(self) -> float:
        """Environments that the step keeps busy."""
        return self.base_need * self.factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What those got who came in a stretch of time. ``p99_all_ms`` has failures as the deadline."""

    offered: int
    ok: int
    shed: int
    late: int
    other: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    p99_all_ms: float

    @property
    def failed(self) -> int:
        """Offered, and not answered well in time."""
        return self.offered - self.ok


@dataclass(frozen=True, slots=True, kw_only=True)
class Elasticity:
    """Supply against demand; NaN where something never happened.

    ``detect``, ``enough`` and ``recover`` are seconds after the step: the first start, 90 % of the
    needed supply, and calm latency. ``scale_in`` is seconds after the step down.
    ``instance_seconds`` and ``busy_seconds`` are over the whole run; ``overshoot`` is the most
    supply over what the step needs; ``lag_loss`` is environment-seconds that were missing.
    """

    detect: float
    enough: float
    recover: float
    scale_in: float
    instance_seconds: float
    busy_seconds: float
    peak: int
    overshoot: float
    lag_loss: float

    @property
    def over_provision(self) -> float:
        """Held over used: instance-seconds over busy seconds."""
        return self.instance_seconds / self.busy_seconds if self.busy_seconds else math.inf

    @property
    def utilisation(self) -> float:
        """Used over held, 0 to 1."""
        return self.busy_seconds / self.instance_seconds if self.instance_seconds else 0.0


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that so many per cent do not exceed (nearest rank); NaN of nothing."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def span(requests: Sequence[Request], begin: float, end: float, deadline: float) -> Span:
    """Sum up those who were due from ``begin`` to before ``end``."""
    chosen = [each for each in requests if begin <= each.due < end]
    good = [each.seconds * 1e3 for each in chosen if each.outcome == OK]
    everyone = good + [deadline * 1e3] * (len(chosen) - len(good))
    outcomes = [each.outcome for each in chosen]
    return Span(
        offered=len(chosen),
        ok=len(good),
        shed=outcomes.count(SHED),
        late=outcomes.count(LATE),
        other=outcomes.count(OTHER),
        p50_ms=percentile(good, 50),
        p90_ms=percentile(good, 90),
        p99_ms=percentile(good, 99),
        max_ms=max(good, default=math.nan),
        p99_all_ms=percentile(everyone, 99),
    )


def spans(requests: Sequence[Request], phases: Phases, deadline: float) -> dict[str, Span]:
    """The phases, the first seconds of the step, and the step without its first two seconds."""
    step = phases.step
    stretches = {
        "base": (phases.begin, step),
        **{f"first {each} s": (step, step + each) for each in EARLY_SECONDS},
        "step": (step, phases.step_end),
        "step after 2 s": (step + 2, phases.step_end),
        "after": (phases.step_end, phases.end),
        "all": (phases.begin, phases.end),
    }
    return {name: span(requests, *bounds, deadline) for name, bounds in stretches.items()}


def elasticity(
    requests: Sequence[Request],
    supply: Sequence[Supply],
    phases: Phases,
    *,
    started: Sequence[float] = (),
) -> Elasticity:
    """Hold supply against demand. ``started`` are the times at which environments began.

    ``supply`` is in order of time; before its first entry there is nothing. Busy seconds are those
    of requests answered in time: work for somebody who has left is not use.
    """
    peak = max((each.environments for each in between(supply, phases.begin, phases.end)), default=0)
    need = math.ceil(phases.step_need)
    base = integral(supply, phases.begin, phases.step) / (phases.step - phases.begin)
    detect = min((at for at in started if at >= phases.step), default=math.nan)
    return Elasticity(
        detect=detect - phases.step,
        enough=_first(
            supply,
            phases.step,
            phases.step_end,
            lambda each: each.ready >= ENOUGH * phases.step_need,
        ),
        recover=_recover(requests, phases),
        scale_in=_first(
            supply, phases.step_end, phases.end, lambda each: each.environments <= NEAR_BASE * base
        ),
        instance_seconds=integral(supply, phases.begin, phases.end),
        busy_seconds=sum(
            each.service
            for each in requests
            if each.outcome == OK and phases.begin <= each.due < phases.end
        ),
        peak=peak,
        overshoot=peak / need,
        lag_loss=integral(
            [each._replace(environments=max(0, need - each.ready)) for each in supply],
            phases.step,
            phases.step_end,
        ),
    )


def integral(supply: Sequence[Supply], begin: float, end: float) -> float:
    """Environment-seconds between two times."""
    held = between(supply, begin, end)
    ends = [*(each.at for each in held[1:]), *([end] if held else [])]
    return sum(
        (until - each.at) * each.environments for each, until in zip(held, ends, strict=True)
    )


def between(supply: Sequence[Supply], begin: float, end: float) -> list[Supply]:
    """What held between two times: every change in them, and what there was at their beginning."""
    before = [each for each in supply if each.at <= begin]
    after = [each for each in supply if begin < each.at < end]
    return [*(each._replace(at=begin) for each in before[-1:]), *after]


def _first(
    supply: Sequence[Supply], begin: float, end: float, fits: Callable[[Supply], bool]
) -> float:
    """Seconds from ``begin`` until supply fits for the first time; NaN if it never does."""
    times = (each.at - begin for each in between(supply, begin, end) if fits(each))
    return next(times, math.nan)


def _recover(requests: Sequence[Request], phases: Phases) -> float:
    """When the second began from which on p99 stays near base's for a while."""
    base = [e.seconds for e in requests if phases.begin <= e.due < phases.step and e.outcome == OK]
    if not base:
        return math.nan
    calm = CALM_FACTOR * percentile(base, 99)
    in_a_row = 0
    for second in range(int(phases.step_end - phases.step)):
        begin = phases.step + second
        chosen = [each for each in requests if begin <= each.due < begin + 1]
        times = [each.seconds if each.outcome == OK else math.inf for each in chosen]
        in_a_row = in_a_row + 1 if chosen and percentile(times, 99) <= calm else 0
        if in_a_row == CALM_SECONDS:
            return float(second + 1 - CALM_SECONDS)
    return math.nan


def as_document(value: Span | Elasticity) -> dict[str, Any]:
    """For JSON: NaN becomes None, and what is computed is there too."""
    document = asdict(value)
    if isinstance(value, Elasticity):
        document |= {
            "over_provision": value.over_provision,
            "utilisation": value.utilisation,
        }
    return {
        key: None if isinstance(item, float) and not math.isfinite(item) else item
        for key, item in document.items()
    }
