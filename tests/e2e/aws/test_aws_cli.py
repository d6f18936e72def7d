"""The unmodified aws CLI, led here by what ``dynimo env`` prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import kit
from tests.e2e.serving import Server

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def environment(shared: Server) -> dict[str, str]:
    """What a shell has after ``eval "$(dynimo env)"``."""
    told = subprocess.run(
        [sys.executable, "-m", "dynimo", "env", "--port", str(shared.port),
         "--data", str(shared.data)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    exported = subprocess.run(
        ["bash", "-c", f"{told}\nenv -0"], check=True, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    ).stdout  # fmt: skip
    return dict(line.split("=", 1) for line in exported.split("\0") if "=" in line)


def aws(environment: dict[str, str], *arguments: str) -> Any:
    """Run the CLI; its JSON."""
    done = subprocess.run(
        [str(AWS), *arguments], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_four_variables_lead_here(environment: dict[str, str], shared: Server) -> None:
    """The names that every client of AWS reads."""
    assert environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{shared.port}"
    assert environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["AWS_ACCESS_KEY_ID"]
    assert environment["AWS_SECRET_ACCESS_KEY"]


def test_the_cli_makes_waits_invokes_and_reads_the_log(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As a person types it."""
    (tmp_path / "f.zip").write_bytes(kit.zipped(kit.HELLO))
    aws(
        environment, "lambda", "create-function", "--function-name", "typed", "--role", kit.ROLE,
        "--runtime", "python3.11", "--handler", "app.handler",
        "--zip-file", f"fileb://{tmp_path}/f.zip",
    )  # fmt: skip
    aws(environment, "lambda", "wait", "function-active-v2", "--function-name", "typed")
    answer = aws(
        environment, "lambda", "invoke", "--function-name", "typed", "--payload", '{"a": 1}',
        str(tmp_path / "out.json"),
    )  # fmt: skip
    events = aws(
        environment, "logs", "filter-log-events", "--log-group-name", "/aws/lambda/typed",
        "--filter-pattern", "seen",
    )["events"]  # fmt: skip
    who = aws(environment, "sts", "get-caller-identity")

    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads((tmp_path / "out.json").read_text())["event"] == {"a": 1}
    assert [each["message"].strip() for each in events] == ["seen {'a': 1}"]
    assert who["Account"] == "000000000000"


def _second() -> Path | None:
    """The aws CLI of the second generation, if the system has it."""
    found = shutil.which("aws", path="/usr/local/bin:/usr/bin")
    if found is None:
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    return Path(found) if told.startswith("aws-cli/2.") else None


def test_the_second_generation_tails_a_log(environment: dict[str, str], shared: Server) -> None:
    """``aws logs tail``, which the first does not have."""
    program = _second()
    if program is None:
        pytest.skip("aws-cli 2 is not here: apt-get install awscli")
    made = kit.client(shared)
    kit.create(made, "tailed")
    kit.call(made, "tailed", {"n": 1})

    # Named by hand: the variable is read since 2.13, and Debian's is older.
    place = ["--endpoint-url", environment["AWS_ENDPOINT_URL"]]
    done = subprocess.run(
        [str(program), "logs", "tail", "/aws/lambda/tailed", "--format", "short", *place],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    words = [line.split()[1] for line in done.stdout.splitlines() if line.strip()]
    assert words == ["INIT_START", "START", "seen", "END", "REPORT"]


def test_a_wrong_secret_is_refused_on_loopback_too(environment: dict[str, str]) -> None:
    """Nearness is no proof."""
    wrong = {**environment, "AWS_SECRET_ACCESS_KEY": "x" * 40}

    done = subprocess.run(
        [str(AWS), "lambda", "list-functions"], check=False, capture_output=True, text=True,
        env=wrong,
    )  # fmt: skip

    assert done.returncode != 0
    assert "InvalidSignatureException" in done.stderr
