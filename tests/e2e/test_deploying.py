"""The command line from an empty folder to a rolled-back canary, against the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

FIRST = """\
def handler(event, context):
    print("first says", event.get("name"))
    return {"version": 1, "name": event.get("name")}
"""
SECOND = FIRST.replace("1,", "2,").replace("first", "second")


class Shell:
    """Runs ``dynimo`` as a person would, in one folder."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data

    def __call__(self, *arguments: str, status: int = 0, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One verb; ``--data`` is added."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run(
            [sys.executable, "-m", "dynimo", *arguments, "--data", str(self.data)],
            cwd=self.folder,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def json(self, *arguments: str) -> Any:
        """The same, as JSON."""
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def shell(serve: Callable[..., Server], tmp_path: Path) -> Shell:
    server = serve()
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, server.data)


def test_one_plain_file_from_deploy_to_rollback(shell: Shell) -> None:
    source = shell.folder / "greet.py"
    source.write_text(FIRST)

    dry = shell("deploy", "greet.py", "--dry-run")
    assert "+ code" in dry
    assert "not done (--dry-run)" in dry
    assert shell.run("invoke", "greet").returncode == 3, "a dry run makes nothing"

    assert "created" in shell("deploy", "greet.py", "--alias", "live")
    done = shell.run("invoke", "greet", "--event", '{"name": "Ada"}')
    assert json.loads(done.stdout) == {"version": 1, "name": "Ada"}
    assert "first says Ada" in done.stderr
    assert "REPORT RequestId" in done.stderr
    assert "unchanged" in shell("deploy", "greet.py")

    source.write_text(SECOND)
    assert "~ code" in shell("deploy", "greet.py", "--alias", "live=50%")
    told = [shell.json("invoke", "greet:live")["payload"]["version"] for _ in range(4)]
    assert sorted(told) == [1, 1, 2, 2], "half of four calls is two"

    rows = {row["version"]: row["aliases"] for row in shell.json("versions", "greet")}
    assert rows["1"] == {"live": 0.5}
    assert rows["2"] == {"live": 0.5}
    shell("rollback", "greet")
    told = [shell.json("invoke", "greet:live")["payload"]["version"] for _ in range(3)]
    assert told == [1, 1, 1]
    shell("alias", "greet", "live", "2")
    assert shell.json("rollback", "greet")["to"] == "1"
    assert shell.run("rollback", "greet").returncode == 3, "nothing comes before the first"


def test_a_template_shows_what_it_ignores(shell: Shell) -> None:
    folder = shell.folder / "stack"
    folder.mkdir()
    (folder / "app.py").write_text(FIRST)
    (folder / "template.yaml").write_text(
        "Resources:\n"
        "  Table:\n"
        "    Type: AWS::DynamoDB::Table\n"
        "  Greeter:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        f"      Runtime: python{sys.version_info.major}.{sys.version_info.minor}\n"
        "      Handler: app.handler\n"
        "      AutoPublishAlias: live\n"
    )
    refused = shell.run("deploy", "stack", "--strict")
    assert refused.returncode == 1
    assert "line 2: Table (AWS::DynamoDB::Table)" in refused.stderr
    done = shell.run("deploy", "stack")
    assert "line 2: Table" in done.stderr
    assert "alias live → 1" in done.stdout
    assert shell.json("invoke", "Greeter:live")["payload"]["version"] == 1


def test_without_a_server_the_way_to_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(FIRST)
    done = Shell(tmp_path, tmp_path / "none").run("deploy", "f.py")
    assert done.returncode == 69
    assert "dynimo up" in done.stderr
