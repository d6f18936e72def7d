"""The README's commands, run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_every_kind_of_command_is_run_here() -> None:
    """A new one in the README must be run by a test, or this one fails."""
    assert {command.split()[0] for command in COMMANDS} == {"./dynimo", "curl", "eval", "aws"}
    verbs = {command.split()[1] for command in COMMANDS if command.startswith("./dynimo")}
    assert verbs == {"up", "check", "new", "deploy", "invoke", "logs", "simulate", "ssh"}


def test_the_addresses_give_pictures(serve: Callable[..., Server]) -> None:
    """The three of the first screen, and the one that curl asks for."""
    server = serve()
    targets = re.findall(r"http://127\.0\.0\.1:4566(/img/[^>'\s]+)", README)

    assert len(targets) == 4
    for target in targets:
        answer = server.get(target)
        assert answer.headers["content-type"].startswith("image/"), target
        assert answer.headers["cache-status"].startswith("Dynimo;")
    for target in targets[:3]:
        assert f"{server.port}{target}" in server.words(), "`up` prints the same addresses"


def test_the_function_of_the_readme_answers(serve: Callable[..., Server]) -> None:
    """`up --app`, then the address beside it."""
    (up,) = (command for command in COMMANDS if "--app" in command)
    _, verb, *flags = shlex.split(up)
    server = serve(*(str(ROOT / flag) if "/" in flag else flag for flag in flags))

    assert verb == "up"
    assert server.get("/hello?name=Ada").json == {"hello": "Ada", "version": "1"}


def test_the_simulation_prints_what_is_shown(tmp_path: Path) -> None:
    """The same seed, the same figures; and the picture is there."""
    (command,) = (each for each in COMMANDS if "simulate" in each)
    told = subprocess.run(
        [sys.executable, "-m", "dynimo", *shlex.split(command)[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert told.returncode == 0, told.stderr
    assert f"```\n{told.stdout}```" in README
    assert (tmp_path / "failover.svg").stat().st_size > 1000


def test_the_readme_shows_the_example_as_it_is() -> None:
    """What is printed is what is shipped."""
    manifest = (ROOT / "examples" / "hello" / "app.toml").read_text()
    code = (ROOT / "examples" / "hello" / "hello.py").read_text()
    (shown_manifest,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (shown_code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    for line in shown_manifest.splitlines():
        assert line in manifest
    for line in shown_code.splitlines()[1:]:
        assert line in code


def _block(folder: Path, word: str) -> subprocess.CompletedProcess[str]:
    """Run the one block that has a word in it, in a folder with a server's data."""
    (block,) = (each for each in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if word in each)
    program = folder / "dynimo"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dynimo "$@"\n')
    program.chmod(0o755)
    tools = str(Path(sys.executable).parent)

    return subprocess.run(
        ["bash", "-e", "-c", block],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"},
    )


def test_lambdas_commands_work_one_after_the_other(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """The block as it stands, in a folder of its own, with the aws CLI."""
    serve(data=tmp_path / ".dynimo")
    ran = _block(tmp_path, "aws ")

    assert ran.returncode == 0, ran.stderr
    assert '"Hello, Ada!"' in ran.stdout
    assert '"ExecutedVersion": "$LATEST"' in ran.stdout
    assert "REPORT RequestId: " in ran.stdout


def test_the_certificate_authoritys_commands_work_one_after_the_other(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """The block as it stands; there is no agent, so the certificate is in a file."""
    serve(data=tmp_path / ".dynimo")
    ran = _block(tmp_path, "ssh init")

    assert ran.returncode == 0, ran.stderr
    assert "TrustedUserCAKeys" in ran.stdout
    assert "Allowed by" in ran.stdout
    assert (tmp_path / ".ssh" / "dynimo-cert.pub").exists()
    assert ran.stdout.rstrip().endswith("whole")


def test_check_says_good(tmp_path: Path) -> None:
    """As the README has it."""
    (check,) = (command for command in COMMANDS if " check " in command)
    ran = subprocess.run(
        [sys.executable, "-m", "dynimo", *shlex.split(check)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ran.returncode, "good to deploy" in ran.stdout) == (0, True)
