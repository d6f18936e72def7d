"""Bad days in short, on purpose: what clients may see while everything breaks, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dynimo.chaos.experiments import EXPERIMENTS

pytestmark = pytest.mark.e2e


def test_no_client_sees_an_error_that_it_should_not_see() -> None:
    """Every harm that there is, half a second each: the right bodies, and all is well again."""
    ran = subprocess.run(
        [sys.executable, "-m", "dynimo", "chaos", "--seconds", "0.5", "--json"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    told = json.loads(ran.stdout)

    assert [each["harm"] for each in told] == [each.name for each in EXPERIMENTS]
    assert [(each["harm"], each["errors"]) for each in told if not each["well"]] == []
    assert all(each["good"] > 0 for each in told)
    assert (ran.returncode, ran.stderr) == (0, "")
