"""The learned limit: open until there is evidence, closed by it, opened again."""

from __future__ import annotations

from dynimo.shedding.gradient import Gradient


def _windows(gradient: Gradient, seconds: float, in_progress: int, count: int, now: float) -> float:
    for _ in range(count * 10):
        now += 0.05
        gradient.sample(seconds, now, in_progress=in_progress)
    return now


def test_it_is_open_while_nothing_is_slow() -> None:
    """A spike is met by the largest limit."""
    gradient = Gradient(2, 1000)
    _windows(gradient, 0.1, 1, 50, 0.0)

    assert gradient.limit == 1000


def test_it_closes_when_requests_take_longer_than_alone() -> None:
    """Ten times the usual with a hundred in progress: few are let in, never fewer than cores."""
    gradient = Gradient(2, 1000)
    now = _windows(gradient, 0.1, 2, 10, 0.0)
    now = _windows(gradient, 1.0, 100, 5, now)
    soon = gradient.limit
    _windows(gradient, 1.0, 30, 100, now)

    assert soon < 200
    assert 2 <= gradient.limit <= 9


def test_a_long_overload_is_not_taken_for_the_way_things_are() -> None:
    """The usual time does not creep up while the limit is what keeps it down."""
    gradient = Gradient(2, 1000)
    now = _windows(gradient, 0.1, 2, 10, 0.0)
    _windows(gradient, 1.0, 30, 2000, now)

    assert gradient.usual < 0.12


def test_slow_work_with_few_in_progress_is_not_crowding() -> None:
    """Large objects take longer: with no more than cores in progress that says nothing."""
    gradient = Gradient(2, 1000)
    now = _windows(gradient, 0.1, 2, 10, 0.0)
    _windows(gradient, 5.0, 2, 20, now)

    assert gradient.limit == 1000
    assert gradient.usual > 1.0


def test_it_opens_again_when_it_is_over() -> None:
    """A minute after an overload the limit is wide again."""
    gradient = Gradient(2, 1000)
    now = _windows(gradient, 0.1, 2, 10, 0.0)
    now = _windows(gradient, 1.0, 100, 40, now)
    _windows(gradient, 0.1, 2, 120, now)

    assert gradient.limit == 1000


def test_a_refusal_behind_it_closes_it_once_for_each_window() -> None:
    """Many refusals in one moment are one piece of evidence."""
    gradient = Gradient(2, 100)
    for _ in range(50):
        gradient.dropped()

    assert gradient.limit == 90
