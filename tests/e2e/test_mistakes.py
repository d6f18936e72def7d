"""What people type wrong: each is told what happened and what to do, and never a traceback.

Exit codes are those of docs/reference/cli.md. What goes well is told elsewhere.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynimo.deploying.plain import runtime_here
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

SECONDS_MAX = 60.0
HANDLER = 'def handler(event, context):\n    print("saw", event)\n    return event["name"]\n'
SLOW = """\
Resources:
  slow:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: {runtime}
      Timeout: 120
      InlineCode: |
        import time
        def handler(event, context):
            print("begun", flush=True)
            time.sleep(100)
"""


class Desk:
    """A folder with a few files, where a server runs; ``below`` is a folder in it."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.below = folder / "below"
        self.address = f"http://127.0.0.1:{server.port}"

    def command(self, *arguments: str) -> list[str]:
        """A verb as a command."""
        return [sys.executable, "-m", "dynimo", *arguments]

    def run(
        self,
        *arguments: str,
        typed: str = "",
        below: bool = False,
        variables: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """One verb; ``typed`` comes on standard input."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.below if below else self.folder,
            env={**os.environ, **(variables or {})},
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    server = Server(folder / ".dynimo").start()
    desk = Desk(folder, server)
    (folder / "empty").mkdir()
    desk.below.mkdir()
    for name, text in (
        ("greet.py", HANDLER), ("slow.yaml", SLOW.format(runtime=runtime_here())),
        ("broken.json", '{"a":'), ("notes.txt", "x"),
        ("un.named.py", HANDLER), ("bootstrap", "#!/bin/sh\n"), ("policy.json", "{"),
    ):  # fmt: skip
        (folder / name).write_text(text)
    for name in ("greet.py", "slow.yaml"):
        assert desk.run("deploy", name, "--alias", "live").returncode == 0
    assert desk.run("invoke", "greet", "--event", '{"name": "Ada"}').returncode == 0
    yield desk
    server.stop()


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ("invoke greet --event {", 2, "'{' is no JSON: Expecting property name"),
        ("invoke greet --event nothing.json", 2, "no JSON, nor a file that can be read"),
        ("invoke greet --event broken.json", 2, "broken.json holds no JSON"),
        ("invoke greet --event empty", 2, "Is a directory"),
        ("invoke absent", 3, "`dynimo versions` lists every function"),
        ("invoke greet:absent", 3, "Function not found"),
        ("invoke bad!name", 2, "failed to satisfy constraint"),
        ("invoke greet", 1, "KeyError: 'name'"),
        ("versions absent", 3, "Function not found"),
        ("alias greet absent", 3, "dynimo alias FUNCTION NAME VERSION"),
        ("alias greet live=200% 1", 2, "must be NAME or NAME=PERCENT%"),
        ("alias greet live 99", 3, "Function not found"),
        ("alias greet absent --delete", 3, "Cannot find alias"),
        ("rollback greet", 3, "no version comes before 1; `dynimo versions greet` lists them"),
        ("rollback greet --alias absent", 3, "Cannot find alias"),
        ("logs absent", 3, "one begins with the first call"),
        ("logs gret", 3, "did you mean 'greet'?"),
        ("logs greet --since yesterday", 2, "say 10m, 2h, 30d"),
        ("logs greet:live", 2, "logs are kept by version"),
        ("cost absent", 3, "`dynimo versions` lists every function"),
        ("cost --config absent.toml", 78, "absent.toml: No such file"),
        ("queue show absent", 3, "`dynimo queue list` names those that did"),
        ("deploy absent.py", 3, "there is no such file or folder"),
        ("deploy gret.py", 3, "Did you mean greet.py?"),
        ("deploy greet.py::absent", 1, "it defines: handler"),
        ("deploy notes.txt", 1, "none of what can be deployed alone"),
        ("deploy un.named.py", 1, "a module's name holds no dot"),
        ("deploy bootstrap", 1, "chmod +x bootstrap"),
        ("deploy empty", 3, "holds neither app.toml nor template.yaml"),
        ("deploy greet.py --parameter A=b", 2, "--parameter is for a template"),
        ("deploy greet.py --alias live=10", 2, "must be NAME or NAME=PERCENT%"),
        ("run absent.py", 3, "there is no such file or folder"),
        ("run greet.py --event broken.json", 2, "broken.json holds no JSON"),
        ("run greet.py", 1, "failed: KeyError: 'name'"),
        ("run greet.py --env A", 2, "must be NAME=VALUE"),
        ("dev empty --name x", 2, "--name is for a single file"),
        ("dev absent.py", 3, "there is no such file or folder"),
        ("new . --from absent", 3, "there are: async-worker"),
        ("new a/b!c", 2, "no good name"),
        ("access key add absent", 3, "cannot be found"),
        ("access policy attach --user x p policy.json", 1, "it is no JSON"),
        ("access policy attach p policy.json", 2, "name --user or --role"),
        ("check absent", 3, "there is no such folder"),
        ("up", 78, "is in use by pid"),
        ("lgos greet", 2, "Did you mean `dynimo logs`?"),
    ],
)
def test_a_mistake_is_told(desk: Desk, typed: str, status: int, said: str) -> None:
    done = desk.run(*typed.split())

    assert said in done.stderr
    assert done.returncode == status
    assert 'Traceback (most recent call last):\n  File "<frozen' not in done.stderr


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://h:x"}, 78, "Mend AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, 78, "must be http://HOST:PORT, or https"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 69, "`dynimo up` starts one"),
        ({"AWS_ENDPOINT_URL": "https://HERE"}, 69, "Nobody answers there"),
        ({"AWS_ENDPOINT_URL": "http://HERE"}, 4, "Missing Authentication Token"),
        ({"AWS_ENDPOINT_URL": "http://HERE", "AWS_ACCESS_KEY_ID": "AKIA" + "A" * 16,
          "AWS_SECRET_ACCESS_KEY": "x"}, 4, 'eval "$(dynimo env)"'),
        ({"DYNIMO_DATA": "absent"}, 69, "no server runs on absent"),
    ],
)  # fmt: skip
def test_a_wrong_address_or_key_is_told(
    desk: Desk, variables: dict[str, str], status: int, said: str
) -> None:
    here = desk.address.removeprefix("http://")
    told = {name: each.replace("HERE", here) for name, each in variables.items()}
    done = desk.run("versions", variables=told)

    assert said in done.stderr
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_an_event_may_come_on_standard_input(desk: Desk) -> None:
    """And is looked at before it is sent."""
    good = desk.run("invoke", "greet", "--event", "-", typed='{"name": "Bo"}')
    bad = desk.run("invoke", "greet", "--event", "-", typed="{")

    assert good.stdout == '"Bo"\n'
    assert (bad.returncode, "standard input holds no JSON" in bad.stderr) == (2, True)


def test_the_server_of_a_folder_above_is_found(desk: Desk) -> None:
    """As git finds its repository: `cd project && dynimo deploy .` needs no --data."""
    assert "greet" in desk.run("versions", below=True).stdout
    assert "saw {'name': 'Ada'}" in desk.run("logs", "greet", below=True).stdout
    assert not (desk.below / ".dynimo").exists()


def test_a_data_folder_that_is_typed_goes_before_the_environment(desk: Desk) -> None:
    """`dynimo dev` prints commands with --data: they must not go to another platform."""
    elsewhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    typed = desk.run("versions", "--data", str(desk.folder / ".dynimo"), variables=elsewhere)
    assert "greet" in typed.stdout
    assert desk.run("versions", variables=elsewhere).returncode == 69


def test_logs_come_through_the_address_too(desk: Desk) -> None:
    """Signed for the service that keeps them; from a folder where no server runs."""
    told = desk.run("env", "--json")
    variables = json.loads(told.stdout)

    done = desk.run("logs", "greet", "--data", "elsewhere", variables=variables)
    default = subprocess.run(
        desk.command("logs", "greet"), cwd="/", env={**os.environ, **variables},
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip

    assert (done.returncode, "no log is kept" in done.stderr) == (3, True), "--data was named"
    assert "saw {'name': 'Ada'}" in default.stdout, default.stderr


@pytest.mark.parametrize("verb", ["settings", "--help", "versions", "logs greet"])
def test_a_reader_who_leaves_is_no_failure(desk: Desk, verb: str) -> None:
    """`dynimo … | head -1` ends well and quietly."""
    piped = " ".join(["set -o pipefail;", *desk.command(*verb.split()), "| true"])
    done = subprocess.run(
        ["bash", "-c", piped], cwd=desk.folder, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_told(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            desk.command("settings"), stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=SECONDS_MAX,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "dynimo: No space left on device.\n")


@pytest.mark.parametrize("arguments", ["run slow.yaml", "invoke slow", "logs slow -f"])
def test_an_interruption_is_the_exit_code(desk: Desk, arguments: str) -> None:
    """Ctrl-C ends what waits, without a traceback."""
    before = _begun(desk)
    began = subprocess.Popen(
        desk.command(*arguments.split()), cwd=desk.folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert began.stdout is not None
    if arguments.startswith("logs"):
        desk.run("invoke", "slow", "--async")
    if arguments.startswith("invoke"):
        _until(lambda: _begun(desk) > before)
    else:
        assert any("begun" in line for line in began.stdout)
    began.send_signal(signal.SIGINT)
    said, _ = began.communicate(timeout=SECONDS_MAX)

    assert began.returncode == 130
    assert "Traceback" not in said


def _begun(desk: Desk) -> int:
    """How often the slow function has begun."""
    return desk.run("logs", "slow").stdout.count("begun")


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_terminal_has_colour(desk: Desk) -> None:
    assert b"\x1b[" in _in_terminal(desk)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_refused(desk: Desk, variables: dict[str, str]) -> None:
    """As https://no-color.org asks."""
    assert b"\x1b[" not in _in_terminal(desk, **variables)


def _in_terminal(desk: Desk, **variables: str) -> bytes:
    """What a log looks like in a terminal."""
    mine, theirs = pty.openpty()
    try:
        subprocess.run(
            desk.command("logs", "greet"), cwd=desk.folder, stdout=theirs, stderr=theirs,
            env={**os.environ, "TERM": "xterm", **variables}, timeout=SECONDS_MAX, check=True,
        )  # fmt: skip
        return os.read(mine, 65_536)
    finally:
        os.close(theirs)
        os.close(mine)


@pytest.mark.parametrize(
    "arguments",
    [
        "versions", "versions greet", "alias greet live", "cost", "queue list", "env", "doctor",
        "settings", "new --list", "access user list", "access key list", "access role list",
        "invoke greet --async", "deploy greet.py", "deploy greet.py --dry-run", "purge --all",
        "alias greet live 1",
    ],
)  # fmt: skip
def test_every_table_is_there_as_json(desk: Desk, arguments: str) -> None:
    done = desk.run(*arguments.split(), "--json")
    assert json.loads(done.stdout) is not None
    assert done.returncode == 0
