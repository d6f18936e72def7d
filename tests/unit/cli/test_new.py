"""``dynimo new``: each blueprint gives a folder that works, with a test that passes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dynimo.cli import exits, new
from dynimo.cli.app import run

BLUEPRINTS = sorted(each.parent.name for each in new.folder().glob("*/README.md"))
SOURCES = Path(new.__file__).parents[2]


def test_the_list_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "--list", "--json"]) == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert sorted(told) == BLUEPRINTS
    assert all(told.values())
    assert {"hello", "http-api", "fastapi", "streaming", "async-worker", "image"} <= set(told)
    assert {"custom-runtime", "node"} <= set(told)


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_a_new_folder_passes_its_own_test(blueprint: str, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert run(["new", str(folder), "--from", blueprint]) == exits.OK
    if blueprint == "node":
        if shutil.which("node") is None:
            pytest.skip("needs node")
        command = ["node", "--test"]
    else:
        command = [sys.executable, "-W", "error", "-m", "unittest", "-v"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 0 tests" not in done.stderr


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_an_event_is_json(blueprint: str) -> None:
    event = new.folder() / blueprint / "event.json"
    if event.exists():
        assert isinstance(json.loads(event.read_text()), dict)


def test_the_runtime_is_the_one_at_hand(tmp_path: Path) -> None:
    run(["new", str(tmp_path / "made")])
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert f"Runtime: {here}\n" in (tmp_path / "made" / "template.yaml").read_text()


def test_an_executable_stays_one(tmp_path: Path) -> None:
    run(["new", str(tmp_path / "made"), "--from", "custom-runtime"])
    assert os.access(tmp_path / "made" / "bootstrap", os.X_OK)


def test_what_is_there_already_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made").mkdir()
    assert run(["new", str(tmp_path / "made")]) == exits.FAILED
    assert "exists already" in capsys.readouterr().err
    assert list((tmp_path / "made").iterdir()) == []


def test_an_unknown_blueprint_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "x", "--from", "absent"]) == exits.NOT_FOUND
    assert "hello" in capsys.readouterr().err
    assert run(["new"]) == exits.USAGE


def test_in_a_checkout_the_way_to_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The READMEs say `dynimo`; a checkout has only `./dynimo`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    run(["new", str(tmp_path / "made")])
    assert new.shell_function(SOURCES.parent / "dynimo") in capsys.readouterr().out


def test_that_way_leads_through_spaces_and_quotes(tmp_path: Path) -> None:
    """The line is pasted into a shell, whatever the checkout's folder is called."""
    launcher = tmp_path / "it's a $HOME" / "dynimo"
    launcher.parent.mkdir()
    launcher.write_text('#!/bin/sh\nprintf "%s," "$@"\n')
    launcher.chmod(0o755)
    line = f"{new.shell_function(launcher)}\ndynimo run 'a b'"

    assert subprocess.run(["sh", "-c", line], capture_output=True).stdout == b"run,a b,"
