"""What clients saw during an experiment, judged against what they may see. Pure."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynimo.chaos.clients import CUT, Seen
from dynimo.chaos.experiments import Experiment

PASSING_STATUSES = frozenset({"status 502", "status 503", "status 504"})
"""What a request may be answered with where nothing better can be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One experiment's result. Times in seconds; ``back_seconds`` is infinite if it never was.

    ``allowed`` and ``errors`` count problems by their name: those that may be, and those not.
    """

    name: str
    about: str
    asked: int
    good: int
    stale: int
    p50: float
    p99: float
    back_seconds: float
    allowed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether no client saw what it should not have, and all was well again afterwards."""
        return not self.errors and math.isfinite(self.back_seconds)


def judge(experiment: Experiment, seen: Sequence[Seen], back_seconds: float) -> Finding:
    """Tell what may be from what may not."""
    allowed: collections.Counter[str] = collections.Counter()
    errors: collections.Counter[str] = collections.Counter()
    for each in seen:
        if each.problem:
            (allowed if _may_be(experiment, each) else errors)[each.problem] += 1
    took = sorted(each.seconds for each in seen if not each.problem)
    return Finding(
        name=experiment.name,
        about=experiment.about,
        asked=len(seen),
        good=len(took),
        stale=sum(each.stale for each in seen),
        p50=_percentile(took, 50),
        p99=_percentile(took, 99),
        back_seconds=back_seconds,
        allowed=dict(allowed),
        errors=dict(errors),
    )


def _may_be(experiment: Experiment, seen: Seen) -> bool:
    if seen.problem == CUT:
        return experiment.cuts
    return experiment.fresh_may_fail and seen.fresh and seen.problem in PASSING_STATUSES


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest that ``percent`` of all do not exceed; NaN of nothing."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
