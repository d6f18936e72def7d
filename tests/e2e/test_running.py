"""``dynimo run``: one handler, once, in the real sandbox, with nothing listening."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

GREET = """\
import os, sys
def handler(event, context):
    print("asked by", event.get("name"), os.environ.get("COLOUR"))
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        sys.exit(3)
    while event.get("spin"):
        pass
    return {"name": event.get("name"), "memory": context.memory_limit_in_mb}
def second(event, context):
    return open("/etc/shadow").read()
"""
APP = """\
name = "shop"
[functions.greet]
handler = "greet.handler"
memory_mib = 256
sources = true
[functions.files]
handler = "files.handler"
sources = true
[sources]
own = "given"
"""
FILES = """\
from pathlib import Path
from typing import Any
from dynimo.sdk.settings import sources
def handler(event, context):
    return (Path(sources()["own"]) / "a.txt").read_text()
"""

STATE = """\
from pathlib import Path
from dynimo.sdk.settings import state
def handler(event, context):
    (Path(state()) / "kept").touch()
    return [context.caller.arn, [each.name for each in Path(state()).iterdir()]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greet.py").write_text(GREET)
    return tmp_path


def _run(
    folder: Path, *arguments: str, entered: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dynimo", "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        input=entered,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_answer_is_on_one_stream_and_the_log_on_the_other(folder: Path) -> None:
    done = _run(folder, "greet.py", "--event", '{"name": "Ada"}', "--env", "COLOUR=blue")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"name": "Ada", "memory": "128"}
    log = done.stderr.splitlines()
    assert "asked by Ada blue" in log
    assert log[-1].startswith("REPORT RequestId: ")


def test_the_event_may_be_a_file_or_what_comes_in(folder: Path) -> None:
    (folder / "event.json").write_text('{"name": "file"}')
    assert json.loads(_run(folder, "greet.py", "--event", "event.json").stdout)["name"] == "file"
    done = _run(folder, "greet.py::handler", "--event", "-", entered='{"name": "in"}')
    assert json.loads(done.stdout)["name"] == "in"


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        ({"raise": "no"}, "ValueError", "no"),
        ({"exit": 1}, "Runtime.ExitError", ""),
        ({"spin": 1}, "Sandbox.Timedout", "timed out after 0.50 seconds"),
    ],
)
def test_a_failure_has_the_shape_of_awss_and_is_a_status(
    folder: Path, event: dict[str, Any], kind: str, said: str
) -> None:
    limit = "0.5" if "spin" in event else "60"
    done = _run(folder, "greet.py", "--event", json.dumps(event), "--timeout", limit)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["errorType"] == kind
    assert said in told["errorMessage"]
    assert f"failed: {kind}" in done.stderr


def test_it_is_the_real_sandbox(folder: Path) -> None:
    """A handler reads here what it may read when it is deployed."""
    told = json.loads(_run(folder, "greet.py::second").stdout)
    assert told["errorType"] in {"FileNotFoundError", "PermissionError"}


def test_in_json_everything_is_one_object(folder: Path) -> None:
    done = _run(folder, "greet.py", "--memory", "512", "--json")
    told = json.loads(done.stdout)
    assert told["payload"] == {"name": None, "memory": "512"}
    assert told["error"] is None
    assert any(line.startswith("REPORT") for line in told["log"])
    assert done.stderr == ""


def test_a_function_of_an_apps_folder(folder: Path) -> None:
    (folder / "app.toml").write_text(APP)
    (folder / "files.py").write_text(FILES)
    (folder / "given").mkdir()
    (folder / "given" / "a.txt").write_text("brought along")
    assert json.loads(_run(folder, ".::greet").stdout)["memory"] == "256"
    done = _run(folder, ".::files")
    assert done.stdout == '"brought along"\n', done.stderr
    assert "there are: .::files, .::greet" in _run(folder, ".").stderr
    assert _run(folder, ".::nothing").returncode == 3


def test_a_state_is_empty_and_a_caller_pretended(folder: Path) -> None:
    """Nobody need deploy a function to try what it does with them."""
    (folder / "app.toml").write_text(
        APP.replace('"files.handler"', '"files.handler"\nstate = "write"')
    )
    (folder / "files.py").write_text(STATE)
    (folder / "given").mkdir()
    arn = "arn:aws:iam::000000000000:user/ada"
    done = _run(folder, ".::files", "--caller", arn)
    assert done.stdout == f'["{arn}", ["kept"]]\n', done.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gret.py", "Did you mean greet.py?"),
        ("greet.py::hello", "it defines: handler, second"),
        ("absent/x.py", "no such file or folder"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(folder: Path, source: str, said: str) -> None:
    done = _run(folder, source)
    assert done.returncode == 3
    assert said in done.stderr


def test_nothing_stays_behind(folder: Path) -> None:
    scratch = folder / "scratch"
    scratch.mkdir(mode=0o755)
    assert _run(folder, "greet.py", TMPDIR=str(scratch)).returncode == 0
    assert list(scratch.iterdir()) == []
