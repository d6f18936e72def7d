"""imgproxy's URLs through to pixels: what is seen is what the option says, by Pillow's eyes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import generate
import imgproxy_urls as asking
import preprocess
from conftest import CONTEXT, event, opened
from dynimo.sdk import http
from pixels import gaussian

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)
CORNERS = {(5, 5): RED, (-5, 5): GREEN, (5, -5): BLUE, (-5, -5): WHITE}


@pytest.fixture
def see(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Image.Image]:
    """Ask for options on a picture of 80x40 with a colour in each quarter."""
    image = Image.new("RGB", (80, 40), RED)
    for place, colour in (((40, 0), GREEN), ((0, 20), BLUE), ((40, 20), WHITE)):
        image.paste(colour, (*place, place[0] + 40, place[1] + 20))
    image.save(folder / "a.png")
    Image.new("RGBA", (10, 10), (0, 0, 0, 255)).save(folder / "mark.png")

    def call(options: str, **environment: str) -> Image.Image:
        return opened(reply(options, monkeypatch, **environment)).convert("RGBA")

    return call


def reply(options: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> http.Reply:
    monkeypatch.setenv("DYNIMO_DEVELOPMENT", "1")
    monkeypatch.setattr(preprocess, "_ENVIRONMENT", environment)
    path = f"/imgproxy/_/{options}/plain/local:///pics/a.png"
    decided = asyncio.run(preprocess.handler(event(path), CONTEXT))
    forwarded = dict(decided.headers).get(http.FORWARD_HEADER)
    assert forwarded, decided.body
    return generate.handler(event(forwarded), CONTEXT)


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, ...]) -> bool:
    """Tell whether a pixel has a colour; negative coordinates count from the far edge."""
    x, y = (each + side if each < 0 else each for each, side in zip(at, image.size, strict=True))
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= 3 for a, b in zip(pixel, colour, strict=False))


@pytest.mark.parametrize(
    ("options", "size", "seen"),
    [
        ("f:png", (80, 40), CORNERS),
        ("rs:fill:40:40/f:png", (40, 40), CORNERS),
        ("rs:fill:20:20/g:nowe/f:png", (20, 20), {(2, 2): RED, (-2, 2): RED, (2, -2): BLUE}),
        ("rs:fill:20:20/g:soea/f:png", (20, 20), {(2, 2): GREEN, (-2, -2): WHITE}),
        ("rs:fill:20:20/g:fp:1:0/f:png", (20, 20), {(-2, 2): GREEN, (2, 2): GREEN}),
        ("rs:force:20:40/f:png", (20, 40), {(2, 2): RED, (-2, -2): WHITE}),
        ("c:20:10:nowe:25:15/f:png", (20, 10), {(0, 0): RED, (-1, 0): GREEN, (0, -1): BLUE}),
        ("c:0.5:0.5:soea/f:png", (40, 20), {(0, 0): WHITE, (-1, -1): WHITE}),
        ("rot:90/f:png", (40, 80), {(5, 5): BLUE, (-5, 5): RED, (-5, -5): GREEN}),
        ("rot:90/c:10:10:nowe/f:png", (10, 10), {(5, 5): BLUE}),
        ("fl:1:0/f:png", (80, 40), {(5, 5): GREEN, (-5, 5): RED, (5, -5): WHITE}),
        ("fl:0:1/f:png", (80, 40), {(5, 5): BLUE, (5, -5): RED}),
        ("rot:90/fl:1/f:png", (40, 80), {(5, 5): RED, (-5, 5): BLUE}),
        ("pd:10:20/bg:00f/f:png", (120, 60), {(1, 1): BLUE, (22, 12): RED, (-22, -12): WHITE}),
        (
            "s:100:60:0:1:so/bg:f00/f:png",
            (100, 60),
            {(15, 25): RED, (50, 5): RED, (-12, -2): WHITE},
        ),
        ("s:100:60:0:1:so/f:png", (100, 60), {(5, 5): (255, 255, 255, 0)}),
        ("exar:1:we/s:80:80/f:png", (80, 80), {(5, 5): (255, 255, 255, 0), (5, 25): RED}),
        ("t:5:f00/f:png", (80, 40), CORNERS),
        ("mc:1:000000/f:jpg", (80, 40), {(5, 5): (0, 0, 0)}),
        ("col:1:00f/f:png", (80, 40), {(5, 5): BLUE, (-5, -5): BLUE}),
        ("gr:1:000:down/f:png", (80, 40), {(-5, -1): (0, 0, 0), (-5, 0): GREEN}),
        ("gr:1:000:90/f:png", (80, 40), {(0, 5): (0, 0, 0), (-1, 5): GREEN}),
        ("pix:20/f:png", (80, 40), CORNERS),
        ("w:40/-/rot:90/-/pd:5/f:png", (30, 50), {(7, 7): BLUE, (-7, 7): RED}),
        ("z:0.5/f:png", (40, 20), CORNERS),
        ("w:40/h:20/dpr:2/f:png", (80, 40), CORNERS),
        ("rs:fill:60:30/dpr:2/f:png", (80, 40), CORNERS),
    ],
)
def test_what_the_options_say_is_seen(
    see: Callable[..., Image.Image],
    options: str,
    size: tuple[int, int],
    seen: dict[tuple[int, int], tuple[int, ...]],
) -> None:
    """Sizes to the pixel, and colours where they must be."""
    image = see(options)
    assert image.size == size
    assert {at: near(image, at, colour) for at, colour in seen.items()} == dict.fromkeys(seen, True)


def test_the_watermark_is_laid_last(see: Callable[..., Image.Image]) -> None:
    """On the padding too, at its place and offset, with both opacities."""
    mark = {"IMGPROXY_WATERMARK_PATH": "pics/mark.png"}
    image = see("pd:10/bg:fff/wm:1:soea:5:5/f:png", **mark)
    assert image.size == (100, 60)
    assert near(image, (-6, -6), (0, 0, 0))
    assert near(image, (-4, -4), WHITE)
    half = see("wm:1:nowe/f:png", **mark, IMGPROXY_WATERMARK_OPACITY="0.5")
    assert near(half, (5, 5), (128, 0, 0))
    scaled = see("wm:1:nowe:0:0:0.5/f:png", **mark)
    assert near(scaled, (18, 18), (0, 0, 0))
    assert near(scaled, (22, 5), RED)
    own = see(f"wmu:{asking.base64('local:///pics/mark.png')}/wm:1:ce/f:png")
    assert near(own, (40, 20), (0, 0, 0))
    tiled = see("wm:1:re/f:png", **mark)
    assert all(near(tiled, at, (0, 0, 0)) for at in CORNERS)


@pytest.mark.usefixtures("see")
@pytest.mark.parametrize("options", ["raw:1/w:5/f:jpg", "skp:gif:png/w:5"])
def test_raw_is_the_file_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """Its bytes, whatever else is said; with its name where it is to be saved."""
    answer = reply(f"{options}/att:1/fn:mine.png", monkeypatch)
    assert answer.body == (folder / "a.png").read_bytes()
    headers = dict(answer.headers)
    assert headers["content-type"] == "image/png"
    assert "mine" in headers["content-disposition"]


@pytest.mark.usefixtures("see")
def test_another_file_stands_in_for_one_that_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the URL's word or the deployment's; a mark that is not there is a mistake all the same."""
    (folder / "a.png").rename(folder / "b.png")
    own = f"fiu:{asking.base64('local:///pics/b.png')}"
    everywhere = {"IMGPROXY_FALLBACK_IMAGE_PATH": "pics/b.png"}
    for options, environment in ((f"{own}/w:40/f:png", {}), ("w:40/f:png", everywhere)):
        answer = reply(options, monkeypatch, **environment)
        assert opened(answer).size == (40, 20)
        headers = dict(answer.headers)
        assert headers["fallback-image"] == "1"
        assert "max-age=60," in headers["cache-control"]
    assert reply("w:40/f:png", monkeypatch).status == 404
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes())
    lost = {**everywhere, "IMGPROXY_WATERMARK_PATH": "pics/none.png"}
    assert reply("wm:1/f:png", monkeypatch, **lost).status == 404


def test_a_source_that_failed_is_the_edges_to_replace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told what the URL names for the case; it may still have the picture itself."""
    monkeypatch.setenv("DYNIMO_SOURCES", json.dumps({"pics": "http://127.0.0.1:9/"}))
    own = f"fiu:{asking.base64('local:///pics/b.png')}"
    answer = reply(f"{own}/w:40/f:png", monkeypatch)
    assert answer.status == 502
    step, _, path = dict(answer.headers)[http.FALLBACK_HEADER].partition("=")
    assert (step, path.endswith("/pics/b.png")) == ("instead", True)
    assert dict(reply("w:40/f:png", monkeypatch).headers)[http.FALLBACK_HEADER] == "none"


MANY = (
    "rs:fit:30:7", "rs:fill:61:30:1", "rs:fill-down:200:7", "rs:force:1:90:1:1", "rs:auto:7:30",
    "mw:70", "mh:200", "z:0.5:3", "dpr:3.7", "dpr:0.3", "el:1", "ex:1:fp:0:0", "exar:1", "g:sm",
    "g:soea:-5:99", "c:0.001:500:nowe:3:-4", "c:3:0", "car:10:1", "t:5:fff:1:1", "t:400", "pd:3:9",
    "ar:0", "rot:90", "rot:180", "fl:1:1", "bg:12ab9F", "bga:0.3", "bl:50", "sh:10", "pix:4096",
    "wm:0.5:re:5", "wm:1:so:0.3:0:3", "wmr:45", "wms:7:0", "q:1", "mb:1", "f:jpg", "f:png",
    "f:avif",
    "f:gif", "f:best", "a:-255:2:3", "mc:0.5", "dt:1:f00:00f", "col:0.3:0f0", "gr:1:000:45:0.5:0.2",
    "ba:9:0.5:0.5:1:1", "pbl:9:up", "ush:always:20", "pngo:1:1:2", "webpo:lossless", "pgs:3", "-",
)  # fmt: skip
FILES = ("a.png", "thin.png", "grey.jpg", "clear.webp", "small.gif")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make small pictures of every kind: thin, grey, transparent, with a palette."""
    made = tmp_path_factory.mktemp("odd")
    Image.radial_gradient("L").resize((60, 40)).convert("RGB").save(made / "a.png")
    Image.new("L", (1, 9), 7).save(made / "thin.png")
    Image.linear_gradient("L").resize((33, 20)).save(made / "grey.jpg")
    Image.new("RGBA", (17, 31), (9, 9, 9, 0)).save(made / "clear.webp")
    Image.new("P", (20, 30)).save(made / "small.gif")
    return made


@settings(max_examples=60, deadline=None)
@given(options=st.lists(st.sampled_from(MANY), max_size=7), name=st.sampled_from(FILES))
def test_any_options_give_a_picture_or_a_reason(odd: Path, options: list[str], name: str) -> None:
    """Whatever is combined: one that opens, or 404 or 422; never another exception."""
    mark = {"IMGPROXY_WATERMARK_PATH": "pics/clear.webp"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYNIMO_SOURCES", json.dumps({"pics": str(odd)}))
        patch.setenv("DYNIMO_DEVELOPMENT", "1")
        patch.setattr(preprocess, "_ENVIRONMENT", mark)
        path = "/".join(("/imgproxy/_", *options, f"plain/local:///pics/{name}"))
        decided = asyncio.run(preprocess.handler(event(path), CONTEXT))
        forwarded = dict(decided.headers).get(http.FORWARD_HEADER)
        answer = generate.handler(event(forwarded), CONTEXT) if forwarded else decided
    if answer.status == 200:
        opened(answer)
    else:
        assert answer.status in (404, 422)


@pytest.mark.parametrize("sigma", [2, 5, 8])
def test_a_blur_is_as_wide_as_libvips(see: Callable[..., Image.Image], sigma: float) -> None:
    """Which ends its bell curve at a fifth of its height: with sigma as it is said it is wider."""
    source, seen = (_as_vips(see(f"{blur}f:png")) for blur in ("", f"bl:{sigma}/"))
    right = source.gaussblur(sigma)
    assert (seen - right).abs().avg() < 2.5
    assert (gaussian.blurred(source, sigma) - right).abs().avg() > 1.3 * (seen - right).abs().avg()


def _as_vips(image: Image.Image) -> pyvips.Image:
    plain = pyvips.Image.new_from_array(np.asarray(image.convert("RGB")))
    return plain.copy(interpretation="srgb")
