"""The spike benchmark itself, tiny: the sender against a fleet, and a profile against Dynimo."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.setting import Setting
from bench.spike import measure, scale, servers
from bench.spike.shots import BROKEN, DEADLINE, Shot

pytestmark = pytest.mark.e2e


def test_the_sender_keeps_to_its_schedule_whatever_the_answers_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is sent when due and ends once: in turn, too late, or at once where nobody listens."""
    monkeypatch.setattr(scale, "DEADLINE_SECONDS", 3.0)
    setting = Setting(data=tmp_path)
    work = "/spike/once/{}?seconds={}"
    sent = [
        Shot(0.0, work.format(1, 0.3)),
        Shot(0.05, work.format(2, 0.3)),
        Shot(0.1, work.format(3, 4.0)),
    ]
    with servers.fleet(setting, "one", 1) as one:
        nobody = servers.Serving(name="nobody", ports=(1,), pid=one.pid)
        volley, broken = servers.send(setting, [one, nobody], sent)
        (first, *_) = one.supply()

    assert [each.status for each in volley.shown] == [200, 200, DEADLINE]
    assert volley.shown[1].seconds >= 0.5, "it waited for the first, from when it was due"
    assert [each.status for each in broken.shown] == [BROKEN] * 3
    assert (first.environments, first.ready) == (1, 1)


def test_a_profile_runs_and_one_key_makes_one_run(tmp_path: Path) -> None:
    """The whole way: Dynimo, its app, the sender, the figures."""
    report = measure(Setting(data=tmp_path), scale.TINY)

    assert report.missing == []
    found = report.details["coalescing"][0]
    assert found["failed"] == 0
    assert found["runs_a_key"] == 1.0
    assert found["hot_runs"] == 1
