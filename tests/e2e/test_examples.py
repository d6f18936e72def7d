"""Each example, deployed and called as its README says, on a platform that knows nothing of it.

What function URLs do in general is tests/e2e/aws/test_function_urls.py's.
"""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e import packages, readmes
from tests.e2e.readmes import Newcomer
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `dynimo up` runs."""
    folder = tmp_path_factory.mktemp("home")
    readmes.tools(folder / "tools")
    server = Server(folder / ".dynimo").start()
    yield folder
    server.stop()


@pytest.fixture
def copied(home: Path) -> Callable[[str], Newcomer]:
    """``copied(EXAMPLE)`` stands in a copy of it; packages are laid as pip would lay them."""

    def copy(example: str) -> Newcomer:
        folder = home / example
        shutil.copytree(EXAMPLES / example, folder)
        if (folder / "requirements.txt").exists():
            packages.lay(folder)
            readme = folder / "README.md"  # pip itself is test_blueprints.py's
            lines = [each for each in readme.read_text().splitlines() if "-m pip" not in each]
            readme.write_text("\n".join(lines))
        return Newcomer(folder, home / "tools")

    return copy


def test_every_example_is_followed_here() -> None:
    """A new one needs a test."""
    source = Path(__file__).read_text()
    names = [each.parent.name for each in EXAMPLES.glob("*/README.md")]
    assert len(names) == len([each for each in EXAMPLES.iterdir() if each.is_dir()])
    assert [name for name in names if f'copied("{name}")' not in source] == []


def test_the_smallest_app(copied: Callable[[str], Newcomer]) -> None:
    newcomer = copied("hello")
    said = newcomer.follow()
    assert "good to deploy" in said["dynimo check ."]
    assert newcomer.url.endswith("/hello?name=Ada")
    assert json.loads(said["curl URL"]) == {"hello": "Ada", "version": "1"}


def test_fastapi_through_mangum(copied: Callable[[str], Newcomer]) -> None:
    said = copied("fastapi-mangum").follow()

    assert json.loads(said["curl 'URL/items/7?tag=new'"]) == {"number": 7, "tag": "new"}
    assert said["curl --data-binary 'any bytes' URL/echo"] == "any bytes"
    assert _cookies(said["curl --include URL/login"]) == ["session=s1", "theme=dark"]
    (fault,) = json.loads(said["curl URL/items/seven"])["detail"]
    assert fault["loc"] == ["path", "number"]


def test_a_fastapi_application_as_it_is(copied: Callable[[str], Newcomer]) -> None:
    """Its lifespan ran once before two requests; each line of /count is a piece of its own."""
    newcomer = copied("fastapi-native")
    said = newcomer.follow()

    told = json.loads(said["curl 'URL/items/7?tag=new'"])
    assert told == {"number": 7, "tag": "new", "started": 1}
    assert _cookies(said["curl --include URL/login"]) == ["session=s1", "theme=dark"]
    assert said["curl --no-buffer URL/count"] == "0\n1\n2\n"
    assert json.loads(newcomer.run(f"curl -s {newcomer.url}/items/8").stdout)["started"] == 1
    assert _pieces(f"{newcomer.url}/count?to=4") == [b"0\n", b"1\n", b"2\n", b"3\n"]


def _cookies(answer: str) -> list[str]:
    """The cookies of an answer with its head, without what they are set with."""
    head = answer.replace("\r", "").split("\n\n")[0].splitlines()
    lines = [each.partition(": ") for each in head]
    return [value.split(";")[0] for name, _, value in lines if name.lower() == "set-cookie"]


def _pieces(url: str) -> list[bytes]:
    """An answer as it comes: what each read finds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return list(iter(lambda: answer.read1(65_536), b""))
    finally:
        connection.close()
