"""What clients may see of a harm, and what they may not."""

from __future__ import annotations

import math

import pytest
from click.testing import CliRunner

from dynimo.chaos import findings, running
from dynimo.chaos.clients import Seen
from dynimo.chaos.experiments import Experiment
from dynimo.cli import chaos


def _experiment(*, fresh_may_fail: bool = False, cuts: bool = False) -> Experiment:
    return Experiment(
        name="x", about="", harm=lambda *_: None, fresh_may_fail=fresh_may_fail, cuts=cuts
    )


def _seen(problem: str, *, fresh: bool = True, seconds: float = 0.1) -> Seen:
    return Seen(due=0.0, seconds=seconds, fresh=fresh, problem=problem)


@pytest.mark.parametrize(
    ("experiment", "seen", "may_be"),
    [
        (_experiment(), _seen("status 502"), False),
        (_experiment(fresh_may_fail=True), _seen("status 502"), True),
        (_experiment(fresh_may_fail=True), _seen("status 404"), False),
        (_experiment(fresh_may_fail=True), _seen("status 502", fresh=False), False),
        (_experiment(fresh_may_fail=True), _seen("cut"), False),
        (_experiment(cuts=True), _seen("cut", fresh=False), True),
        (_experiment(cuts=True, fresh_may_fail=True), _seen("wrong body"), False),
    ],
)
def test_what_may_be(experiment: Experiment, seen: Seen, *, may_be: bool) -> None:
    """A wrong body never; a failure only where nothing better was to be had."""
    found = findings.judge(experiment, [seen], 0.1)

    assert found.well is may_be
    assert (found.allowed if may_be else found.errors) == {seen.problem: 1}


def test_numbers_are_of_what_was_answered() -> None:
    """Failures have no latency, and no answers have none."""
    good = [_seen("", seconds=number / 100) for number in range(1, 101)]
    found = findings.judge(_experiment(cuts=True), [*good, _seen("cut", seconds=9)], 0.1)

    assert (found.asked, found.good, found.p50, found.p99) == (101, 100, 0.5, 0.99)
    assert math.isnan(findings.judge(_experiment(), [], 0.1).p50)


def test_what_is_never_well_again_is_not_well() -> None:
    """Even if no client saw an error meanwhile."""
    assert not findings.judge(_experiment(), [], math.inf).well


@pytest.mark.parametrize(("problem", "status"), [("wrong body", 1), ("", 0)])
def test_exit_status(monkeypatch: pytest.MonkeyPatch, problem: str, status: int) -> None:
    """1 if a client saw what it should not have."""
    found = findings.judge(_experiment(), [_seen(problem)], 0.1)
    monkeypatch.setattr(running, "run", lambda *_, **__: iter([found]))

    result = CliRunner().invoke(chaos.command, ["disk"], standalone_mode=False)

    assert result.return_value == status
    assert ("1 wrong body" in result.output) is bool(problem)


def test_unknown_experiments_are_named() -> None:
    """With those that there are."""
    result = CliRunner().invoke(chaos.command, ["weather"])

    assert result.exit_code == 2
    assert "silent origin" in result.output
