"""``dynimo dev``: a change to a file is a change of the answer; what is broken only waits."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.serving import family

pytestmark = pytest.mark.e2e

SECONDS_MAX = 60.0
"""Generous: a machine may be busy."""
HANDLER = 'def handler(event, context):\n    print("saw", event)\n    return "one"\n'
KEPT = '"a state" if os.path.isdir(os.environ["DYNIMO_STATE"]) else "none"'
APP = """\
name = "shop"
[functions.hello]
handler = "hello.handler"
state = "write"
[[routes]]
path = "/shop"
function = "hello"
"""


class Dev:
    """A running ``dynimo dev`` and what it says."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / "said.log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dynimo", "dev", *arguments, "--port", "0"],
                cwd=folder,
                stdout=file,
                stderr=file,
                env=dict(os.environ),
            )

    def says(self, pattern: str) -> re.Match[str]:
        """Wait for a line; fails with all that was said."""
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until:
            found = re.search(pattern, self.log.read_text())
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} was not said: {self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """Ctrl-C, and its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS_MAX)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    started: list[Dev] = []

    def start(*arguments: str) -> Dev:
        started.append(Dev(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=SECONDS_MAX) as answer:
        text: str = answer.read().decode()
        return text


def test_every_change_of_a_file_is_invoked_and_shown(
    dev: Callable[..., Dev], tmp_path: Path
) -> None:
    source = tmp_path / "greet.py"
    source.write_text(HANDLER)
    running = dev("greet.py", "--event", '{"n": 1}')
    running.says('→ "one"')
    running.says("saw {'n': 1}\n")

    source.write_text(HANDLER.replace("one", "two"))
    running.says('→ "two"')

    source.write_text("def handler(:\n")
    running.says("✗ .*greet.py, line 1: invalid syntax")
    source.write_text("import absent\n" + HANDLER)
    running.says("Runtime.ImportModuleError")
    source.write_text(HANDLER.replace("one", "three"))
    running.says('→ "three"')

    processes = family(running.process.pid)
    assert len(processes) > 1
    assert running.stop() == 0
    assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []


def test_a_file_that_is_broken_at_first_is_served_once_it_is_mended(
    dev: Callable[..., Dev], tmp_path: Path
) -> None:
    source = tmp_path / "greet.py"
    source.write_text("def (\n")
    running = dev("greet.py", "--data", "kept")
    running.says("✗ .*invalid syntax")
    source.write_text(HANDLER)
    running.says("Invoke   dynimo invoke greet --data ")
    done = subprocess.run(
        [sys.executable, "-m", "dynimo", "invoke", "greet", "--data", "kept"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.stdout == '"one"\n', done.stderr


def test_an_apps_folder_is_served_at_its_routes(dev: Callable[..., Dev], tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.toml").write_text(APP)
    (folder / "hello.py").write_text(HANDLER)
    running = dev("shop")
    address = running.says(r"Open     (http://\S+/shop)")[1]
    assert _get(address) == "one"

    (folder / "hello.py").write_text("import os\n" + HANDLER.replace('"one"', KEPT))
    running.says(r"(?s)✓ shop-hello.*✓ shop-hello")
    assert _get(address) == "a state"


def test_a_source_that_is_not_there_is_refused(dev: Callable[..., Dev]) -> None:
    running = dev("absent.py")
    running.says("there is no such file")
    assert running.process.wait(SECONDS_MAX) == 3


def test_what_is_ignored_or_missing_is_said_once(dev: Callable[..., Dev], tmp_path: Path) -> None:
    """Of a template, and of its packages: not again with every change. Its URL stays as it says."""
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "hello.py").write_text(HANDLER)
    (folder / "requirements.txt").write_text("nowhere-to-be-found\n")
    (folder / "template.yaml").write_text(
        "Resources:\n"
        "  Table: {Type: 'AWS::DynamoDB::Table'}\n"
        "  Hello:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        f"      Runtime: python{sys.version_info.major}.{sys.version_info.minor}\n"
        "      Handler: hello.handler\n"
        "      AutoPublishAlias: live\n"
        "      FunctionUrlConfig: {AuthType: AWS_IAM, InvokeMode: RESPONSE_STREAM}\n"
    )
    running = dev("stack", "--event", "{}")
    running.says("ignored  line 2: Table")
    running.says("missing  nowhere-to-be-found of stack/requirements.txt")
    running.says('→ "one"')
    (folder / "hello.py").write_text(HANDLER.replace("one", "two"))
    running.says('→ "two"')
    assert running.log.read_text().count("ignored  line 2") == 1
    with pytest.raises(urllib.error.HTTPError, match="403"):  # the URL is as the template has it
        _get(running.says(r"URL      (\S+)")[1])
