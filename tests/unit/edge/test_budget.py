"""What a soft purge took is made anew no faster than other things are made."""

from __future__ import annotations

import pytest

from dynimo.edge.budget import PER_SECOND_MIN, SHARE, Budget


def _allowed(budget: Budget, start: float, seconds: float, *, asked: float, others: float) -> int:
    """Refreshes allowed when ``asked`` a second are wanted, and ``others`` a second are filled."""
    count, steps = 0, 1000
    owed = {"asked": 0.0, "others": 0.0}
    for step in range(int(seconds * steps)):
        now = start + step / steps
        owed["asked"] += asked / steps
        owed["others"] += others / steps
        if owed["others"] >= 1:
            owed["others"] -= 1
            budget.note(now)
        if owed["asked"] >= 1:
            owed["asked"] -= 1
            count += budget.allow(now)
    return count


@pytest.mark.parametrize("others", [2.0, 10.0, 50.0])
@pytest.mark.parametrize("known_seconds", [5.0, 120.0])
def test_as_fast_as_others_are_made(others: float, known_seconds: float) -> None:
    """Whether that was known for long or only since a moment."""
    budget = Budget(0.0)
    assert _allowed(budget, 0.0, known_seconds, asked=0.0, others=others) == 0
    allowed = _allowed(budget, known_seconds, 20.0, asked=500.0, others=others)

    assert allowed == pytest.approx(20.0 * max(PER_SECOND_MIN, SHARE * others), rel=0.15)


def test_where_nothing_else_is_made_a_few_are() -> None:
    """So that all are new at last."""
    budget = Budget(0.0)
    allowed = _allowed(budget, 100.0, 30.0, asked=500.0, others=0.0)
    assert allowed == pytest.approx(30 * PER_SECOND_MIN, abs=2)


def test_what_was_once_busy_is_forgotten() -> None:
    """The rate is of late."""
    budget = Budget(0.0)
    _allowed(budget, 0.0, 20.0, asked=0.0, others=50.0)
    assert budget.per_second(20.0) > 40
    assert budget.per_second(620.0) < 0.1
