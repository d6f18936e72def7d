"""Demand: built-in traces, CSV with errors that name the line, arrivals by seed."""

from __future__ import annotations

import random

import pytest

from dynimo.simulating import demand


@pytest.mark.parametrize("name", sorted(demand.BUILT_IN))
def test_a_built_in_trace_goes_from_base_to_factor_times_base(name: str) -> None:
    """Every trace has the peak that was asked for, and nothing below base."""
    trace = demand.BUILT_IN[name](10.0, 20.0)

    assert trace.peak == pytest.approx(200, rel=0.01)
    assert min(trace.rates) >= 10
    assert list(trace.times) == sorted(set(trace.times))
    assert trace.times[0] == 0
    assert trace.times[-1] < trace.seconds


def test_a_rate_holds_until_the_next_row() -> None:
    """CSV: the last row holds as long as the one before it; headings and comments are skipped."""
    lines = ["seconds,requests_per_second", "# a comment", "", "10,5", "20, 100", "25,5"]

    trace = demand.read_csv(lines, name="demand.csv")

    assert trace.seconds == 20
    assert [trace.rate(at) for at in (0, 9.9, 10, 14.9, 15, 19.9, 20)] == [5, 5, 100, 100, 5, 5, 0]
    assert trace.requests == 10 * 5 + 5 * 100 + 5 * 5


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0,10", "5"], "line 2: 1 cells in '5'; two are needed"),
        (["0,10", "5,ten"], "line 2: '5,ten' is not two numbers"),
        (["0,10", "", "0,20"], "line 3: 0 s does not come after 0 s"),
        (["0,-1"], "line 1: '0,-1' is out of range"),
        (["0,nan"], "line 1: '0,nan' is out of range"),
        (["inf,1"], "line 1: 'inf,1' is out of range"),
        (["seconds,rate", "0,1", "seconds,rate"], "line 3: 'seconds,rate' is not two numbers"),
        (["seconds,rate"], "no row"),
        (["0,0", "1,0"], "every rate is 0"),
    ],
)
def test_a_bad_line_is_named(lines: list[str], said: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(demand.TraceError) as refused:
        demand.read_csv(lines, name="demand.csv")

    assert said in str(refused.value)
    assert str(refused.value).startswith("demand.csv")


def test_arrivals_follow_the_trace_and_the_seed() -> None:
    """The same seed gives the same requests; their number and times are what the trace says."""
    trace = demand.step(10, 20, before=60, during=60, after=60)
    service = demand.Service(mean_seconds=0.1, sigma=0.3)

    drawn = demand.arrivals(trace, service, seed=7)

    assert drawn == demand.arrivals(trace, service, seed=7)
    assert drawn != demand.arrivals(trace, service, seed=8)
    assert [each.due for each in drawn] == sorted(each.due for each in drawn)
    assert sum(60 <= each.due < 120 for each in drawn) == pytest.approx(12_000, rel=0.05)
    mean = sum(each.service for each in drawn) / len(drawn)
    assert mean == pytest.approx(0.1, rel=0.02)


def test_without_spread_every_service_is_the_mean() -> None:
    """Sigma 0 is a constant."""
    service = demand.Service(mean_seconds=0.25, sigma=0)

    assert service.draw(random.Random(1)) == pytest.approx(0.25)
