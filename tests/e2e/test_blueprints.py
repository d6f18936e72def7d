"""Each blueprint, from `dynimo new` in an empty folder to its answer: all that its README says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynimo.cli import new
from tests.e2e import readmes
from tests.e2e.readmes import Newcomer
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

GREETING = {"message": "Hello, Ada!", "by": "hello"}
TRIED_AGAIN_SOON = {"DYNIMO_BACKLOG_FIRST_RETRY_SECONDS": "0.05"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `dynimo up` runs, and nobody has set up anything else."""
    folder = tmp_path_factory.mktemp("home")
    readmes.tools(folder / "tools")
    server = Server(folder / ".dynimo", environment=TRIED_AGAIN_SOON).start()
    yield folder
    server.stop()


@pytest.fixture
def made(home: Path) -> Callable[[str], Newcomer]:
    """``made(BLUEPRINT)`` makes the folder as one would, and stands in it."""

    def make(blueprint: str) -> Newcomer:
        subprocess.run(
            [home / "tools" / "dynimo", "new", f"my-{blueprint}", "--from", blueprint],
            cwd=home, check=True, capture_output=True,
        )  # fmt: skip
        return Newcomer(home / f"my-{blueprint}", home / "tools")

    return make


def test_every_blueprint_is_followed_here() -> None:
    """A new one needs a test."""
    source = Path(__file__).read_text()
    names = [each.parent.name for each in new.folder().glob("*/README.md")]
    assert [name for name in names if f'made("{name}")' not in source] == []


def test_hello(made: Callable[[str], Newcomer]) -> None:
    said = made("hello").follow()
    assert json.loads(said["dynimo run hello.py --event event.json"]) == GREETING
    assert "created" in said["dynimo deploy ."]
    assert json.loads(said["dynimo invoke hello --event event.json"]) == GREETING


def test_http_api(made: Callable[[str], Newcomer]) -> None:
    said = made("http-api").follow()
    assert said["curl -X PUT --data 'buy milk' URL/milk"] == '{"kept": "milk"}'
    assert said["curl URL/milk"] == "buy milk"
    assert json.loads(said["curl URL"]) == {"notes": ["milk"]}


def test_fastapi_brings_its_packages_along(made: Callable[[str], Newcomer]) -> None:
    """Nothing of the platform's own packages is there; what is missing is said with its remedy."""
    newcomer = made("fastapi")
    without = newcomer.run("dynimo deploy . --dry-run")

    said = newcomer.follow()

    assert "missing  fastapi of requirements.txt" in without.stderr
    assert "python3 -m pip install --target . -r requirements.txt" in without.stderr
    assert "missing" not in newcomer.run("dynimo deploy . --dry-run").stderr
    assert json.loads(said["curl URL"]) == {"languages": ["en"]}
    (greeted,) = (text for command, text in said.items() if command.endswith("URL/greet/en"))
    assert json.loads(greeted) == {"message": "Hello, Ada!"}


def test_streaming(made: Callable[[str], Newcomer]) -> None:
    said = made("streaming").follow()
    assert said["curl --no-buffer URL"] == "one\ntwo\nthree\n"


def test_async_worker_does_what_was_accepted_and_keeps_what_failed(
    made: Callable[[str], Newcomer],
) -> None:
    """Tried twice, kept with its reason, and sent on its way again."""
    said = made("async-worker").follow()

    assert said["dynimo invoke worker --event event.json --async"].startswith("accepted as ")
    assert "order 7 done" in said["dynimo logs worker"]
    kept = said["dynimo queue show failed-orders"]
    assert '"approximateInvokeCount":2' in kept.replace(" ", "")
    assert "order 8 has a negative amount" in kept
    assert said["dynimo queue redrive failed-orders"] == "1 redriven\n"


def test_image_is_drawn_once_and_kept_at_the_edge(made: Callable[[str], Newcomer]) -> None:
    newcomer = made("image")
    said = newcomer.follow()
    assert "good to deploy" in said["dynimo check ."]
    assert (newcomer.folder / "badge.png").read_bytes().startswith(b"\x89PNG")
    again = newcomer.run(f"curl --silent --dump-header - --output again.png {newcomer.url}")
    assert "cache-status: Dynimo; hit" in again.stdout


def test_custom_runtime(made: Callable[[str], Newcomer]) -> None:
    said = made("custom-runtime").follow()
    answer = said["dynimo invoke capitals --event event.json"]
    assert json.loads(answer) == {"SAY": "QUIETLY"}


def test_node(made: Callable[[str], Newcomer]) -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    said = made("node").follow()
    answer = said["dynimo invoke hello-node --event event.json"]
    assert json.loads(answer) == {"message": "Hello, Ada!", "by": "hello-node"}
