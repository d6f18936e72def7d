"""The figures of a run: known answers for runs small enough to reckon by hand."""

from __future__ import annotations

import math

import pytest

from dynimo.simulating import elasticity
from dynimo.simulating.elasticity import LATE, OK, OTHER, SHED, Phases, Request, Supply

PHASES = Phases(begin=0, step=10, step_end=20, end=40, base_rate=1, factor=4, service_seconds=1)


def _steady(seconds: float = 0.1) -> list[Request]:
    return [Request(at / 2, seconds, OK, 1.0) for at in range(80)]


def test_a_span_counts_outcomes_and_takes_failures_as_the_deadline() -> None:
    """Only those due in it; percentiles over the good, and p99 over all."""
    requests = [
        Request(1, 0.1, OK, 1),
        Request(2, 0.3, OK, 1),
        Request(3, 0, SHED, 1),
        Request(4, 5, LATE, 1),
        Request(5, 1, OTHER, 1),
        Request(6, 9, OK, 1),
    ]

    span = elasticity.span(requests, 1, 6, 5)

    assert (span.offered, span.ok, span.shed, span.late, span.other) == (5, 2, 1, 1, 1)
    assert span.failed == 3
    assert (span.p50_ms, span.max_ms, span.p99_all_ms) == (100, 300, 5000)


def test_supply_figures_of_a_run_by_hand() -> None:
    """One environment; at 11 s two, at 12 s four; two again at 25 s, one at 30 s."""
    changes = ((0, 1), (11, 2), (12, 4), (25, 2), (30, 1))
    supply = [Supply(at, count, count) for at, count in changes]

    found = elasticity.elasticity(_steady(), supply, PHASES, started=[0.0, 10.5, 12.0])

    assert found.detect == 0.5
    assert found.enough == 2
    assert found.scale_in == 10
    assert found.instance_seconds == 11 + 2 + 13 * 4 + 5 * 2 + 10
    assert found.busy_seconds == 80
    assert (found.peak, found.overshoot) == (4, 1)
    assert found.lag_loss == 3 + 2
    assert found.over_provision == pytest.approx(85 / 80)
    assert found.utilisation == pytest.approx(80 / 85)


def test_what_is_ordered_is_paid_for_but_cannot_work() -> None:
    """Four are ordered at 12 s and can work from 18 s on."""
    supply = [Supply(0, 1, 1), Supply(12, 4, 1), Supply(18, 4, 4)]

    found = elasticity.elasticity(_steady(), supply, PHASES)

    assert found.enough == 8
    assert found.lag_loss == 8 * 3
    assert found.instance_seconds == 12 + 28 * 4


def test_what_never_happens_is_not_a_number() -> None:
    """Never enough, never detected, never recovered: NaN, and None in JSON."""
    late = [each if each.due < 10 else each._replace(outcome=LATE) for each in _steady()]

    found = elasticity.elasticity(late, [Supply(0, 2, 2)], PHASES)

    assert math.isnan(found.detect)
    assert math.isnan(found.enough)
    assert math.isnan(found.recover)
    assert elasticity.as_document(found)["enough"] is None


def test_recovered_means_calm_for_five_seconds_in_a_row() -> None:
    """A slow second in between begins the count anew."""
    slow = [
        each._replace(seconds=0.5) if 10 <= each.due < 12 or 13 <= each.due < 14 else each
        for each in _steady()
    ]

    assert elasticity.elasticity(slow, [Supply(0, 4, 4)], PHASES).recover == 4
    assert elasticity.elasticity(_steady(), [Supply(0, 4, 4)], PHASES).recover == 0


def test_percentiles_are_samples() -> None:
    """Nearest rank."""
    assert elasticity.percentile([3, 1, 2], 50) == 2
    assert elasticity.percentile(list(range(1, 101)), 99) == 99
    assert math.isnan(elasticity.percentile([], 50))
