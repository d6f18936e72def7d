"""What left the CA is in its log, whatever happened to the process; several may work at once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import issuing_at_work
from issuing import revoked
from issuing.refusal import UNAVAILABLE
from issuing.revoked import Entry
from issuing.state import SCHEMA, State, StateError
from issuing_kit import ADA, Ca, Clock, Key, at_once, certificate, founded, opened
from revocation import reading
from transparency.log import Log

ca = pytest.fixture(founded)

PROGRAM = Path(issuing_at_work.__file__)


def _working(folder: Path, count: int) -> subprocess.Popen[str]:
    """The CA in another process."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(count)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def _founded(folder: Path) -> Ca:
    ca = Ca(folder)
    ca.founded()
    issuing_at_work.keep(ca.memory, folder)
    return ca


def _whole(lines: list[str]) -> list[dict[str, Any]]:
    """The answers that came out whole."""
    return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("answers", [1, 20, 60])
def test_a_kill_loses_nothing_that_left(tmp_path: Path, answers: int) -> None:
    """Every certificate that was seen is in the log under its serial, and no serial is twice."""
    ca = _founded(tmp_path)
    ca.authority.close()
    process = _working(tmp_path, 10_000)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(answers)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    told = _whole(lines)
    assert len(told) >= answers
    log = Log(tmp_path / "audit.db", "test")
    for each in told:
        assert "certificate" in each, each
        serial = certificate(each).certificate.serial
        assert log.number_of(serial) == each["record"]
        assert json.loads(log.record(each["record"]))["serial"] == str(serial)
    assert log.size() >= len(told) == len({each["serial"] for each in told})
    log.close()


def test_two_processes_issue_into_one_log(tmp_path: Path) -> None:
    """Without a word between them: every record is there once, and the log is whole."""
    ca = _founded(tmp_path)
    processes = [_working(tmp_path, 5) for _ in range(2)]
    told = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        told += _whole(out.splitlines(keepends=True))
    assert len(told) == 2 * 5 * issuing_at_work.AT_ONCE
    assert {each["record"] for each in told} == set(range(len(told)))
    assert "head" in ca.do(ADA, "audit", what="sign")


def test_a_request_that_comes_to_two_processes_is_used_once(ca: Ca) -> None:
    """And so is one that comes twice at the same time to one."""
    _, other = opened(ca.folder, ca.memory, ca.clock)
    for _ in range(5):
        event = {"do": "issue"} | ca.signed()
        asked = (ca.operations, other, ca.operations, other)
        answers = at_once(each.answer(event, ADA) for each in asked)
        assert sorted(each.get("error", "") for each in answers) == ["", "used", "used", "used"]


def test_what_another_process_changed_holds_at_once(ca: Ca) -> None:
    """A policy, a revocation, a rotation: no process goes on with what it remembers."""
    other = Ca(ca.folder, ca.memory, ca.clock)
    key = Key()
    first = certificate(other.issue(key=key)).ca.blob
    ca.do(ADA, "revoke", keys=[key.line])
    assert other.issue(key=key)["error"] == "denied"
    for stage in ("publish", "sign"):
        ca.rotate(stage, force=True)
    assert certificate(other.issue()).ca.blob != first
    ca.do(ADA, "policy", text='administrators = ["arn:aws:iam::*:user/ada"]')
    assert other.issue()["error"] == "denied"


def test_a_rotation_while_certificates_are_issued(ca: Ca) -> None:
    """Each is by a key that signed then, and retiring waits for the last of them."""
    events = [{"do": "issue"} | ca.signed() for _ in range(30)]
    for number, stage in ((21, "sign"), (11, "publish")):
        step = {"do": "rotate", "kind": "user", "stage": stage, "force": True}
        events.insert(number, step)
    answers = at_once(ca.operations.answer(event, ADA) for event in events)
    answers = [each for each in answers if "certificate" in each]
    assert len(answers) == 30
    known = ca.do(ADA, "authorities")["authorities"]
    cas = {each["key"].split(" ")[1] for each in known if each["kind"] == "user"}
    assert {certificate(each).ca.blob for each in answers} <= {
        each.blob for each in ca.authority.now().keys
    }
    assert len(cas) == 2
    last = max(each["valid_before"] for each in answers)
    ca.clock.now = last
    assert ca.rotate("retire")["error"] == "invalid"


def test_a_state_of_a_newer_app_is_not_touched(tmp_path: Path) -> None:
    """An older app does not guess what is in it."""
    State(tmp_path).close()
    with sqlite3.connect(tmp_path / "ca.db") as sql:
        sql.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    sql.close()
    with pytest.raises(StateError, match="newer"):
        State(tmp_path)


def test_a_disk_that_cannot_be_written_gives_no_certificate(ca: Ca) -> None:
    """The log's file is gone under a directory of its name: nothing is issued, nothing is lost."""
    (ca.folder / "audit.db").mkdir()
    answer = ca.issue()
    assert answer["error"] == UNAVAILABLE
    assert "certificate" not in answer


def test_a_process_that_ended_before_it_published_is_made_good(ca: Ca) -> None:
    """The next one writes what everybody may read, before it answers."""
    with ca.authority.state.changing() as sql:
        revoked.put(sql, [Entry("serial", "7")], reason="", by=ADA.arn, now=1)
    published = ca.folder / "published" / "krl"
    before = published.read_bytes()
    Ca(ca.folder, ca.memory, Clock())
    assert reading.read(published.read_bytes()).version == 1
    assert reading.read(before).version == 0


def test_the_state_is_closed_to_others(ca: Ca) -> None:
    """No file of it can be read by another user of the machine."""
    ca.issue()
    for name in ("ca.db", "audit.db", "published"):
        assert (ca.folder / name).stat().st_mode & 0o077 == 0
