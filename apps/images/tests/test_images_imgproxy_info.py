"""imgproxy's /info: which facts are asked for, and that they are true."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import generate
import imgproxy_urls as asking
import preprocess
from conftest import CONTEXT, event
from dynimo.sdk import http


def facts(options: str) -> str:
    """Give the facts that a URL asks for."""
    path = "/".join(filter(None, ("info/_", options, asking.FILE)))
    out = asking.decision(path).recipe.out
    assert (out.fm, out.report) == ("json", "imgproxy")
    return out.base


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("", "dimensions exif format size"),
        ("s:0/f:f/exif:", "dimensions"),
        (
            "p:8/bh:4:3/avg:1/do:t",
            "average blurhash=4x3 dimensions exif format objects palette=8 size",
        ),
        ("p:8/p:0/bh:4:0/avg:1/avg:0", "dimensions exif format size"),
        ("iptc:0/xmp:0/vm:0/dc:0", "dimensions exif format size"),
    ],
)
def test_options_say_which_facts(options: str, asked: str) -> None:
    """Size, format, dimensions and EXIF unless they are switched off; the rest where asked for."""
    assert facts(options) == asked


@pytest.mark.parametrize(
    "options", ["iptc:1", "dc:1", "crop:1:1", "pg:1", "p:1", "p:257", "bh:10:1", "w:3", "pr:a", "-"]
)
def test_what_is_not_told_is_named(options: str) -> None:
    """404, as for every other mistake; 403 without a signature where there are keys."""
    refusal = asking.refused(f"info/_/{options}/{asking.FILE}")
    assert refusal is not None
    assert refusal.status == 404
    keyed = asking.world({"IMGPROXY_KEY": "00", "IMGPROXY_SALT": "00"})
    signed = asking.refused(f"info/_/{asking.FILE}", keyed)
    assert signed is not None
    assert signed.status == 403


def test_it_ends_when_it_says_so() -> None:
    """As pictures do."""
    gone = asking.refused(f"info/_/exp:{int(asking.NOW) - 1}/{asking.FILE}")
    assert gone is not None
    assert gone.code == "expired"
    assert asking.decision(f"info/_/exp:{int(asking.NOW) + 9}/cb:1/{asking.FILE}").until


@given(st.text(max_size=40))
def test_any_question_is_a_decision_or_a_refusal(path: str) -> None:
    """Never another exception."""
    refusal = asking.refused(f"info/_/{path}")
    assert refusal is None or refusal.status in (403, 404)


def test_the_facts_are_true(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Pillow's picture: bytes, kind, sides, colours, and what of EXIF anybody may know."""
    image = Image.new("RGB", (60, 40), (200, 0, 0))
    image.paste((0, 0, 100), (30, 0, 60, 40))
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    image.save(folder / "a.jpg", quality=95, exif=exif)
    told = _ask("p:2/bh:1:1/avg:1", monkeypatch)
    assert told["size"] == (folder / "a.jpg").stat().st_size
    assert (told["format"], told["width"], told["height"]) == ("jpeg", 60, 40)
    assert told["exif"]["model"].startswith("Camera")
    assert {colour["A"] for colour in told["palette"]} == {255}
    assert sorted(round(colour["R"], -1) for colour in told["palette"]) == [0, 200]
    assert abs(told["average"]["R"] - 100) <= 3
    assert len(told["blurhash"]) == 6
    assert set(_ask("s:0/f:0/exif:0", monkeypatch)) == {"width", "height"}


def _ask(options: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(preprocess, "_ENVIRONMENT", {})
    monkeypatch.setenv("DYNIMO_DEVELOPMENT", "1")
    path = f"/imgproxy/info/_/{options}/plain/local:///pics/a.jpg"
    decided = asyncio.run(preprocess.handler(event(path), CONTEXT))
    reply = generate.handler(event(dict(decided.headers)[http.FORWARD_HEADER]), CONTEXT)
    assert reply.status == 200, reply.body
    value: dict[str, Any] = json.loads(reply.body)
    return value
