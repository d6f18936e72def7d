"""The client helpers and the server say the same, held by one file of vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings as django_settings
from django.template import Context, Engine

import deployment
import dynimo_images
import refusals
import rules
from commands import sign
from dialects import native
from dialects.dialect import Asked, Decision, World
from dynimo.sdk import commands

CLIENTS = Path(__file__).parents[3] / "clients"
VECTORS = json.loads((CLIENTS / "vectors.json").read_text("utf-8"))
KEY = VECTORS["key"]
WORLD = World(
    deployment=deployment.read({"keys": [KEY], "presets": {"thumb": "w=200&h=200&fit=cover"}}),
    engine="1",
    rules=rules.Rules(),
    sources={"photos": "/nowhere"},
    now=lambda: 1_800_000_000.0,
)


def served(url: str) -> Decision:
    """Ask as the gateway does: the path and the query as they were sent."""
    path, _, query = url.partition("/img/")[2].partition("?")
    return native.decide(Asked(path=path, query=query), WORLD)


def python(each: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in parameters.items()} | {
        "key": KEY if each.get("signed", True) else None
    }


@pytest.mark.parametrize("each", VECTORS["urls"], ids=lambda each: each["url"])
def test_python_makes_the_url_and_the_server_takes_it(each: dict[str, Any]) -> None:
    """Path, parameters and signature, byte for byte."""
    options = python(each, each["parameters"])
    made = dynimo_images.url(each["file"], base=each["base"], expires=each["expires"], **options)
    assert made == each["url"]
    assert served(made).recipe.source == "photos"


@pytest.mark.parametrize("each", VECTORS["urls"], ids=lambda each: each["url"])
def test_the_command_signs_the_same(each: dict[str, Any]) -> None:
    """`dynimo images sign`, whatever signature was there before."""
    if each["signed"]:
        bare = each["url"].replace("?s=", "&s=").partition("&s=")[0]
        assert sign.signed(bare, KEY) == each["url"]
        assert sign.signed(each["url"], KEY) == each["url"]


def test_the_command_ends_urls_and_refuses_what_is_none(tmp_path: Path) -> None:
    """An end takes the place of the one that was there."""
    ended = sign.signed("https://a.example/img/photos/a.jpg?expires=5&w=9", KEY, 1_900_000_000)
    assert ended.startswith("https://a.example/img/photos/a.jpg?w=9&expires=1900000000&s=")
    assert served(ended).until == 1_900_000_000
    for url in ("/thumbor/x/a.jpg", "/img/a b.jpg", "/img/photos/ä.jpg", "a/img/b/c", "w=400"):
        with pytest.raises(commands.CommandError, match="of the form"):
            sign.signed(url, KEY)
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert sign.key_of(file, {}) == sign.key_of(None, {"DYNIMO_IMAGES_KEY": KEY}) == KEY
    with pytest.raises(commands.CommandError, match="16 characters"):
        sign.key_of(None, {"DYNIMO_IMAGES_KEY": "short"})


@pytest.mark.parametrize("url", VECTORS["wrong"])
def test_the_server_refuses_every_other(url: str) -> None:
    """A signature is one URL's."""
    with pytest.raises(refusals.Refusal) as caught:
        served(url)
    assert caught.value.code == "bad_signature"


@pytest.mark.parametrize("kind", ["srcset", "picture"])
def test_python_makes_the_markup(kind: str) -> None:
    """Everything in it is escaped."""
    for each in VECTORS[f"{kind}s"]:
        rest = {k: v for k, v in each.items() if k not in ("file", "parameters", "value")}
        made = getattr(dynimo_images, kind)(
            each["file"], **rest, **python(each, each["parameters"])
        )
        assert made == each["value"]


def test_javascript_makes_the_same() -> None:
    """The client, the loader of next/image and the provider of @nuxt/image: its own tests."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: apt-get install nodejs")
    ran = subprocess.run(
        ["node", "--test"], cwd=CLIENTS / "javascript", capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
    assert "# pass 0" not in ran.stdout


def test_django_makes_the_same() -> None:
    """The tags, in a real template: base and key are the project's."""
    if not django_settings.configured:
        django_settings.configure(DYNIMO_IMAGES={"base": "https://images.example", "key": KEY})
        django.setup()
    engine = Engine(libraries={"dynimo_images": "dynimo_images_django"})
    shown = engine.from_string(
        "{% load dynimo_images %}"
        "{% image_url file w=400 fit='cover' %}|{% image_picture file alt=title h=30 %}"
    ).render(Context({"file": "photos/a.jpg", "title": "<b>"}))
    url, _, picture = shown.partition("|")
    options: Any = {"base": "https://images.example", "key": KEY}
    made = dynimo_images.url("photos/a.jpg", w=400, fit="cover", **options)
    assert url.replace("&amp;", "&") == made
    assert picture == dynimo_images.picture("photos/a.jpg", alt="<b>", h=30, **options)
    assert "<b>" not in picture


def test_the_how_to_signs_rightly() -> None:
    """What it shows with openssl is in the vectors."""
    page = (CLIENTS.parent / "docs" / "how-to" / "sign-image-urls.md").read_text("utf-8")
    target, _, signature = VECTORS["urls"][1]["url"].partition("&s=")
    assert f"printf '%s' '{target}'" in page
    assert f"-hmac '{KEY}'" in page
    assert f"# {signature}\n" in page
