"""imagor's ``params/``: what a path says, told in imagor's words."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preprocess
from conftest import CONTEXT, event
from dialects.thumbor import telling
from refusals import Refusal

IMAGE = "raw.example/cshum/gopher.png"


def asked(path: str) -> Any:
    reply = asyncio.run(preprocess.handler(event(f"/thumbor/params/{path}"), CONTEXT))
    assert reply.status == 200, reply.body
    assert dict(reply.headers)["content-type"] == "application/json"
    return json.loads(reply.body)


def test_a_signed_url_is_told_part_by_part() -> None:
    """An example of imagor's; whether the hash is right is not asked, for no picture is given."""
    path = f"fit-in/500x400/0x20/filters:fill(white)/{IMAGE}"
    assert asked(f"OyGJyvfYJw8xNkYDmXU-4NPA2U0=/{path}") == {
        "path": path, "image": IMAGE, "hash": "OyGJyvfYJw8xNkYDmXU-4NPA2U0=",
        "fit_in": True, "width": 500, "height": 400, "padding_top": 20, "padding_bottom": 20,
        "filters": [{"name": "fill", "args": "white"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("unsafe/x.png", {"unsafe": True, "path": "x.png", "image": "x.png"}),
        ("adaptive-fit-in/x%20y.png", {"image": "x y.png", "adaptive_fit_in": True}),
        ("meta/trim/10x11:12x13/-300x-200/left/top/smart/filters:a():b(1,2)/x.png", {
            "meta": True, "trim": True, "trim_by": "top-left", "crop_left": 10, "crop_top": 11,
            "crop_right": 12, "crop_bottom": 13, "h_flip": True, "v_flip": True, "width": 300,
            "height": 200, "h_align": "left", "v_align": "top", "smart": True,
            "filters": [{"name": "a"}, {"name": "b", "args": "1,2"}],
        }),
        ("trim:bottom-right:50/stretch/origx/x.png", {
            "trim_by": "bottom-right", "trim_tolerance": 50, "stretch": True, "width": "orig",
        }),
        ("0.1x0:0.5x1/5x6:7x8/x.png", {
            "crop_left": 0.1, "crop_right": 0.5, "crop_bottom": 1, "padding_right": 7,
        }),
    ],
)  # fmt: skip
def test_every_part_has_imagors_name(path: str, told: dict[str, Any]) -> None:
    """What is not said is left out, and so is what is 0."""
    found = asked(path)
    assert {name: found.get(name) for name in told} == told
    assert all(found.values())
    assert "crop_top" not in found or found["crop_top"]


@given(st.text(max_size=60) | st.from_regex(r"\A([a-z:-]{1,9}[x/(),%0-9]){1,9}\Z"))
def test_any_path_is_told_or_refused(path: str) -> None:
    """Whatever it is, the answer is JSON."""
    try:
        reply = telling.told(path)
    except Refusal as refusal:
        assert refusal.status == 400
        return
    assert json.loads(reply.body)["path"]
