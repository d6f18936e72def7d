"""Business rules in the running program: facts, roll-outs, why; purges by what a picture is of."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests import origins
from tests.e2e.conftest import SAMPLE
from tests.e2e.serving import Answer, Server

pytestmark = pytest.mark.e2e

KEY = "the key of who may ask why"
URL = "/img/art/titles/7/poster.jpg?w=60&fm=png"
RULES = """\
version = "{version}"
[facts]
file = "titles.json"
[[rule]]
name = "square"
path = "titles/{{title}}/*"
canvas = {{ w = {side}, h = {side} }}
tags = "squares"
[[rule]]
source = "far"
fallback = "art/titles/7/poster.jpg"
[[rule]]
path = "boats.jpg"
when = {{ locale = ["de", "fr"], device = "phone" }}
effects = "grey"
[[rule]]
source = "sample"
path = "badge.png"
artworks = {{ files = ["sample/badge.png", "sample/boats.jpg"], by = "cookie:viewer" }}
[[rule.tests]]
url = "/img/art/titles/1/poster.jpg?fm=png"
expect = {{ has = "cut:{side},{side}" }}
"""
PATIENCE_SECONDS = 30.0


def _images(server: Server, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "dynimo", "images", *arguments, "--data", str(server.data)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "IMAGES_EXPLAIN_KEY": KEY},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _size(answer: Answer) -> tuple[int, int]:
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        return image.size


def _until(server: Server, side: int) -> Answer:
    """Ask until the picture has that side: a soft purge gives the old one for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = server.get(URL)
        if _size(answer) == (side, side):
            return answer
        assert time.monotonic() < deadline, "the old picture stays"
        time.sleep(0.05)


class _Far(origins.Handler):
    """A source that has nothing, and is not well."""

    def get(self) -> None:
        self.say(404 if "gone" in self.path else 502)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a title, a roll-out file that names one ruleset, and another beside it."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "art" / "titles" / "7").mkdir(parents=True)
    (folder / "art" / "titles" / "7" / "poster.jpg").write_bytes(SAMPLE.read_bytes())
    rules = folder / "rules"
    rules.mkdir()
    (rules / "old.toml").write_text(RULES.format(version="old", side=40))
    (rules / "new.toml").write_text(RULES.format(version="new", side=50))
    (rules / "titles.json").write_text('{"7": {"rank": 3}}')
    (rules / "rollout.toml").write_text('stable = "old.toml"\n')
    (folder / "settings.toml").write_text(
        f'[apps.images]\nrules = "rules/rollout.toml"\nexplain_key = "{KEY}"\n'
        'hints = ["dpr", "width", "save-data"]\n'
    )
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """One server for all; each test begins by emptying it."""
    with origins.listening(_Far) as port:
        sources = (f"art={folder / 'art'}", f"far=http://127.0.0.1:{port}")
        arguments = [word for each in sources for word in ("--source", each)]
        config = str(folder / "settings.toml")
        server = Server(folder / "data", (*arguments, "--config", config)).start()
        yield server
        server.stop()


@pytest.fixture
def file(folder: Path) -> Path:
    """The file of the title."""
    return folder / "art" / "titles" / "7" / "poster.jpg"


def test_rules_roll_out_say_why_and_are_taken_back(server: Server, folder: Path) -> None:
    """Without a restart, by whoever has the folder; over HTTP only with the key."""
    plan = str(folder / "rules" / "rollout.toml")
    before = Path(plan).read_text("utf-8")
    assert _size(server.get(URL)) == (40, 40)
    told = json.loads(_images(server, "explain", URL, "--json"))
    assert (told["ruleset"], told["rules"][0]["name"]) == ("old", "square")
    assert told["facts"] == {"7": {"rank": 3}}
    assert server.get(f"{URL}&explain=1").status == 403
    asked = server.get(f"{URL}&explain=1", {"x-images-key": KEY})
    assert asked.json["recipe"] == told["recipe"]

    _images(server, "rules", "roll-out", plan, "--canary", "new.toml", "--percent", "100")
    _until(server, 50)
    shown = server.get(f"{URL}&debug=1", {"x-images-key": KEY})
    assert shown.headers["images-ruleset"] == 'new; rules="square"'
    stable = server.get(f"{URL}&ruleset=stable", {"x-images-key": KEY})
    assert _size(stable) == (40, 40)
    assert "images-ruleset" not in server.get(URL).headers

    _images(server, "rules", "rollback", plan)
    assert _size(server.get(URL)) == (40, 40)

    server.purge(everything=True)  # so that nothing of the canary is there any more
    _images(server, "rules", "roll-out", plan, "--canary", "new.toml", "--percent", "0")
    for _ in range(2):
        assert _size(server.get(URL)) == (40, 40)
    _images(server, "rules", "promote", plan, "--warm", "5")
    assert "; hit" in _until(server, 50).headers["cache-status"]  # it was made before the change

    Path(plan).write_text(before, "utf-8")  # as the other tests want it, whichever comes first
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _size(server.get(URL)) != (40, 40):
        assert time.monotonic() < deadline, "the plan of before is not seen"
        server.purge(everything=True)  # what was decided before it was seen


def test_a_rules_fallback_stands_in(server: Server) -> None:
    """If the source's server fails, and if it has no such file; in the size that was asked for."""
    failed = server.get("/img/far/well.jpg?w=30&h=20&fit=cover&fm=png", {"accept": "image/*"})
    assert (_size(failed), failed.headers["dynimo-step"]) == ((30, 20), "instead")
    gone = server.get("/img/far/gone.jpg?w=30&h=20&fit=cover&fm=png")
    assert (_size(gone), gone.headers["fallback-image"]) == ((30, 20), "1")


def test_many_languages_and_browsers_are_few_variants(server: Server) -> None:
    """The edge keeps one decision for each answer to what the rules ask, and each is right."""
    url = "/img/sample/boats.jpg?w=8&fm=png"
    for number in range(60):
        language = ("de", "en", "fr")[number % 3]
        headers = {
            "accept-language": f"{language}-x{number},sv;q=0.{number}",
            "user-agent": f"Some {('Mobile', 'Desk')[number % 2]}/{number}",
        }
        with Image.open(io.BytesIO(server.get(url, headers).body)) as image:
            grey = image.convert("RGB").getpixel((4, 3))
        assert (len(set(grey)) == 1) == (number % 3 != 1 and not number % 2)
    assert len(_variants(server, url)) == 5  # und needs no device


def test_many_spellings_of_a_density_are_few_variants(server: Server) -> None:
    """One for each of the densities that pictures are made in, each of its own size."""
    url = "/img/sample/boats.jpg?w=10&fm=png"
    for told, width in (("2", 20), ("2.0", 20), ("2.000001", 20), ("1.9", 20), ("2.1", 30),
                        ("3.5", 30), ("1", 10), ("0.5", 10)):  # fmt: skip
        assert _size(server.get(url, {"dpr": told}))[0] == width
    assert len(_variants(server, url)) == 3
    for told in ("600", "700", "x"):
        server.get(f"{url}&dpr=1", {"width": told})
    assert len(_variants(server, f"{url}&dpr=1")) == 1


def _variants(server: Server, url: str) -> list[object]:
    """Ask the edge which decisions it has for a URL."""
    shown = subprocess.run(
        [sys.executable, "-m", "dynimo", "edge", "inspect", url, "--json", "--data", server.data],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [each["variant"] for each in json.loads(shown) if each["leads_to"]]


def test_each_viewer_keeps_its_artwork(server: Server) -> None:
    """By a cookie that comes with the request; without it the first one is shown."""
    url = "/img/sample/badge.png?w=8&fm=png"
    viewers = [{"cookie": f"a=b; viewer={number}"} for number in range(12)]
    seen = [server.get(url, viewer).body for viewer in viewers]
    assert len(set(seen)) == 2
    assert [server.get(url, viewer).body for viewer in viewers] == seen
    assert server.get(url).body == server.get(url, {"cookie": "a=b"}).body


@pytest.mark.parametrize(
    "tag",
    [
        "asset:art/titles/7/poster.jpg", "title:7", "tag:squares", "rule:square", "ruleset:old",
        "images",
    ],
)  # fmt: skip
def test_a_purge_by_anything_that_a_picture_is_of(server: Server, file: Path, tag: str) -> None:
    """Hard: the next answer is made of the new file. What is not of it stays."""
    other = "/img/sample/boats.jpg?w=9&fm=jpg"
    _paint(file, "red")
    server.purge(everything=True)
    server.get(other)
    assert _colour(server.get(URL)) == (254, 0, 0)
    _paint(file, "blue")
    assert _colour(server.get(URL)) == (254, 0, 0)
    assert server.purge(tag=tag).json["purged"] >= 1
    assert _colour(server.get(URL)) == (0, 0, 254)
    if tag not in {"images", "ruleset:old"}:  # both are of all that there is
        assert "; hit" in server.get(other).headers["cache-status"]


def test_a_soft_purge_warms_what_is_asked_for_most(server: Server, file: Path) -> None:
    """What is purged is given until the new one is there, which nobody had to ask for."""
    _paint(file, "red")
    assert json.loads(_images(server, "purge", "--all", "--hard", "--json"))["tags"] == ["images"]
    for _ in range(3):
        assert _colour(server.get(URL)) == (254, 0, 0)
    _paint(file, "blue")
    told = json.loads(_images(server, "purge", "--title", "7", "--warm", "5", "--json"))
    assert told["warmed"]["asked"] >= 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _colour(server.get(URL)) != (0, 0, 254):
        assert time.monotonic() < deadline, "the old picture stays"
        time.sleep(0.05)


def _colour(answer: Answer) -> object:
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        return image.convert("RGB").getpixel((20, 20))


def _paint(file: Path, colour: str) -> None:
    fresh = file.with_suffix(".new")
    Image.new("RGB", (90, 90), colour).save(fresh, "jpeg")
    fresh.replace(file)
