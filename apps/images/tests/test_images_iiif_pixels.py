"""IIIF through both functions: pixels, tiles that join, descriptions and links."""

from __future__ import annotations

import asyncio
import functools
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import conftest
import generate
import iiif_terms
import kept
import preprocess
from dynimo.sdk import http

Ask = Callable[..., http.Reply]
SIZE = (1_301, 807)
"""Odd, and no multiple of anything."""


@functools.cache
def noise(size: tuple[int, int] = SIZE) -> Image.Image:
    """Give colour that changes from pixel to pixel, over shapes that are large."""
    rows = np.random.default_rng(1)
    w, h = size
    y, x = np.mgrid[0:h, 0:w]
    waves = np.stack([np.sin(x / 17), np.cos(y / 23), np.sin((x + y) / 31)], axis=-1)
    grain = rows.normal(0, 12, (h, w, 3))
    return Image.fromarray(np.clip(128 + 90 * waves + grain, 0, 255).astype("uint8"))


@pytest.fixture
def picture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Image.Image:
    """Put a picture into the source, as PNG and turned by EXIF as JPEG."""
    monkeypatch.setenv("DYNIMO_DEVELOPMENT", "1")
    for name, data in files().items():
        (folder / name).write_bytes(data)
    return noise()


@functools.cache
def files() -> dict[str, bytes]:
    straight, turned = io.BytesIO(), io.BytesIO()
    noise().save(straight, "PNG", compress_level=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    noise().save(turned, "JPEG", exif=exif, quality=95, subsampling=0)
    return {"a-b.png": straight.getvalue(), "turned.jpg": turned.getvalue()}


@pytest.fixture
def ask(picture: Image.Image) -> Ask:
    """Ask both functions below /iiif/, as the edge does."""
    del picture

    def call(path: str, **headers: str) -> http.Reply:
        told = {"x-forwarded-host": "a.example", **headers}
        asked = conftest.event("/iiif/" + path, headers=told)
        decision = asyncio.run(preprocess.handler(asked, conftest.CONTEXT))
        forwarded = dict(decision.headers).get(http.FORWARD_HEADER)
        if not forwarded:
            return decision
        return generate.handler(conftest.event(forwarded), conftest.CONTEXT)

    return call


@pytest.fixture
def see(ask: Ask) -> Callable[[str], Image.Image]:
    """Ask for a PNG of the picture, and open it."""

    def call(rest: str, name: str = "a-b.png") -> Image.Image:
        return conftest.opened(ask(f"3/pics%2F{name}/{rest}/default.png"))

    return call


See = Callable[..., Image.Image]


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.convert("RGB").tobytes() == other.tobytes()


def test_regions_at_full_size_are_the_sources_own_pixels(see: See, picture: Image.Image) -> None:
    """Exactly: in pixels, in percent, clipped at the edge, square in the middle."""
    w, h = SIZE
    assert same(see("full/max/0"), picture)
    assert same(see("10,20,300,400/max/0"), picture.crop((10, 20, 310, 420)))
    assert same(see("1000,700,999,999/max/0"), picture.crop((1000, 700, w, h)))
    assert same(see("pct:0,0,50,50/max/0"), picture.crop((0, 0, 651, 404)))
    assert same(see("square/max/0"), picture.crop((247, 0, 247 + h, h)))


def test_turns_and_mirrors_are_exact(see: See, picture: Image.Image) -> None:
    """Clockwise, and mirrored before."""
    assert same(see("full/max/90"), picture.transpose(Image.Transpose.ROTATE_270))
    assert same(see("full/max/!0"), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert same(see("full/max/!90"), mirrored.transpose(Image.Transpose.ROTATE_270))


def test_other_turns_grow_the_canvas(ask: Ask, see: See) -> None:
    """Clear behind it where the format can say so, white where not."""
    turned = see("0,0,200,100/max/45")
    assert turned.mode == "RGBA"
    assert abs(turned.width - 212) <= 2
    assert turned.getpixel((0, 0))[3] == 0  # type: ignore[index]
    flat = conftest.opened(ask("3/pics%2Fa-b.png/0,0,200,100/max/45/default.jpg"))
    assert min(flat.getpixel((0, 0))) > 250  # type: ignore[arg-type,type-var]


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ("90,", (90, 56)), (",90", (145, 90)), ("90,90", (90, 90)), ("!90,90", (90, 56)),
        ("pct:10", (130, 81)), ("^1400,", (1400, 868)), ("^1400,900", (1400, 900)),
        ("^!2000,900", (1451, 900)), ("^pct:110", (1431, 888)), ("max", SIZE),
    ],
)  # fmt: skip
def test_sizes(see: See, size: str, made: tuple[int, int]) -> None:
    """Exactly as big as the version's own words say; halves are rounded up."""
    assert see(f"full/{size}/0").size == made


@pytest.mark.parametrize(
    "rest",
    [
        "full/1302,/0", "full/,808/0", "full/1302,10/0", "full/!1400,1400/0",
        "0,0,10,10/11,/0", "1301,0,5,5/max/0", "0,807,5,5/max/0", "pct:99.99,0,0.001,1/max/0",
        "full/pct:0.01/0", "0,0,1,800/^20,/0", "full/^pct:900/0",
    ],
)  # fmt: skip
def test_what_only_the_size_tells_is_400_too(ask: Ask, rest: str) -> None:
    """Enlarging unasked, regions outside, less than a pixel, over the limits."""
    reply = ask(f"3/pics%2Fa-b.png/{rest}/default.png")
    assert reply.status == 400, reply.headers


def test_version_2_enlarges_as_asked(ask: Ask) -> None:
    """It has no ``^``."""
    for size, made in (("1400,", (1400, 868)), ("full", SIZE), ("!2000,900", (1451, 900))):
        reply = ask(f"2/pics%2Fa-b.png/full/{size}/0/default.png")
        assert conftest.opened(reply).size == made


WIDE = (12_289, 64)
"""So wide that a last column of decoding which is only a part of one would push tiles apart."""


@functools.cache
def wide() -> tuple[np.ndarray, dict[str, bytes]]:
    x = np.mgrid[0 : WIDE[1], 0 : WIDE[0]][1]
    samples = np.stack([np.sin(x / 9.7), np.cos(x / 13), np.sin(x / 15)], axis=-1)
    made = Image.fromarray((128 + 100 * samples).astype("uint8"))
    png, jpg = io.BytesIO(), io.BytesIO()
    made.save(png, "PNG", compress_level=1)
    made.save(jpg, "JPEG", quality=97, subsampling=0)
    return np.asarray(made), {"wide.png": png.getvalue(), "wide.jpg": jpg.getvalue()}


@pytest.mark.parametrize("factor", [2, 8])
@pytest.mark.parametrize("name", ["wide.png", "wide.jpg"])
def test_tiles_lie_where_they_belong(see: See, folder: Path, name: str, factor: int) -> None:
    """Each to a hundredth of a pixel, and beside its neighbours no worse than elsewhere."""
    source, data = wide()
    (folder / name).write_bytes(data[name])
    side = iiif_terms.TILE_SIDE
    step = side * factor
    whole = np.concatenate([
        np.asarray(see(f"{x},0,{step},64/{side},{64 // factor}/0", name), dtype=float)
        for x in range(0, WIDE[0] - step, step)
    ], axis=1)  # fmt: skip
    part = source[:, : whole.shape[1] * factor].astype(float)
    ideal = part.reshape(64 // factor, factor, -1, factor, 3).mean(axis=(1, 3))
    away, slope = whole - ideal, np.gradient(ideal, axis=1)
    for x in range(0, whole.shape[1], side):
        inside = np.s_[:, x + 4 : x + side - 4]
        shift = -(slope[inside] * away[inside]).sum() / (slope[inside] ** 2).sum()
        assert abs(shift) < 0.01
    seams = [x + near for x in range(side, whole.shape[1], side) for near in (-2, -1, 0, 1)]
    assert np.abs(away[:, seams]).mean() < 1.2 * np.abs(away).mean() + 0.1


@pytest.mark.parametrize("shared", [False, True])
def test_tiles_at_full_size_are_the_picture(
    see: See, picture: Image.Image, *, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All beside each other, byte for byte, whether decoding is shared or not."""
    if shared:
        monkeypatch.setattr(kept.Pictures, "see", lambda *_: True)
    whole = Image.new("RGB", SIZE)
    side = iiif_terms.TILE_SIDE
    for y in range(0, SIZE[1], side):
        for x in range(0, SIZE[0], side):
            w, h = min(side, SIZE[0] - x), min(side, SIZE[1] - y)
            whole.paste(see(f"{x},{y},{w},{h}/{w},{h}/0"), (x, y))
    assert same(whole, picture)


def test_the_description_of_3(ask: Ask) -> None:
    """Everything that a viewer needs to ask for tiles, and nothing that is refused."""
    reply = ask("3/pics%2Fa-b.png/info.json")
    assert json.loads(reply.body) == {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": "http://a.example/iiif/3/pics%2Fa-b.png",
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": 1301,
        "height": 807,
        "maxWidth": 8192,
        "maxHeight": 8192,
        "maxArea": 40_000_000,
        "sizes": [
            {"width": 82, "height": 51}, {"width": 163, "height": 101},
            {"width": 326, "height": 202}, {"width": 651, "height": 404},
            {"width": 1301, "height": 807},
        ],
        "tiles": [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4]}],
        "extraQualities": ["bitonal"],
        "extraFormats": ["webp", "tif", "gif"],
        "extraFeatures": [
            "canonicalLinkHeader", "mirroring", "profileLinkHeader", "rotationArbitrary",
            "sizeUpscaling",
        ],
    }  # fmt: skip
    headers = dict(reply.headers)
    assert headers["content-type"] == (
        'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'
    )
    assert 'rel="profile"' in headers["link"]
    assert http.GROUP_HEADER not in headers


def test_the_description_of_2(ask: Ask) -> None:
    """The same in the words of 2.1; plain JSON, that names its context in a link."""
    reply = ask("2/pics%2Fa-b.png/info.json")
    told = json.loads(reply.body)
    assert told["@id"] == "http://a.example/iiif/2/pics%2Fa-b.png"
    level, more = told["profile"]
    assert level == "http://iiif.io/api/image/2/level2.json"
    assert (more["maxArea"], more["qualities"], more["formats"]) == (
        40_000_000, ["bitonal"], ["webp", "tif", "gif"],
    )  # fmt: skip
    assert "sizeAboveFull" in more["supports"]
    headers = dict(reply.headers)
    assert headers["content-type"] == "application/json"
    assert "json-ld#context" in headers["link"]
    typed = ask("2/pics%2Fa-b.png/info.json", accept="application/ld+json")
    assert dict(typed.headers)["content-type"].startswith("application/ld+json;profile=")


def test_every_size_that_is_named_is_given(ask: Ask, see: See) -> None:
    """A viewer may ask for each of them as ``w,h``, of a picture turned by EXIF too."""
    told = json.loads(ask("3/pics%2Fturned.jpg/info.json").body)
    assert (told["width"], told["height"]) == (SIZE[1], SIZE[0])
    for size in told["sizes"]:
        asked = (size["width"], size["height"])
        assert see("full/{},{}/0".format(*asked), "turned.jpg").size == asked


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("3/{}/full/max/0/color.png", "3/{}/full/max/0/default.png"),
        ("3/{}/pct:0,0,100,100/1301,/0/default.png", "3/{}/full/max/0/default.png"),
        ("3/{}/pct:0,0,50,50/100,/!90.0/default.jpg", "3/{}/0,0,651,404/100,62/!90/default.jpg"),
        ("3/{}/9,0,8,90/^pct:200/22.50/default.webp", "3/{}/9,0,8,90/^16,180/22.5/default.webp"),
        ("2/{}/full/pct:50/0/default.png", "2/{}/full/651,/0/default.png"),
        ("2/{}/0,0,9999,9999/100,100/0/default.png", "2/{}/full/100,100/0/default.png"),
        ("2/{}/full/max/0/default.png", "2/{}/full/full/0/default.png"),
    ],
)  # fmt: skip
def test_a_picture_names_its_one_address(ask: Ask, asked: str, canonical: str) -> None:
    """In the form that the version calls canonical; asked for there, it is that picture."""
    reply = ask(asked.format("pics%2F%61-b.png"))
    one = canonical.format("pics%2Fa-b.png")
    level = f"http://iiif.io/api/image/{asked[0]}/level2.json"
    assert dict(reply.headers)["link"] == (
        f'<{level}>;rel="profile", </iiif/{one}>;rel="canonical"'
    )
    again = ask(one)
    first, second = (
        np.asarray(conftest.opened(each).convert("RGB"), dtype=int) for each in (reply, again)
    )
    # Noise, and the second is made of what is kept of the first: the same picture, other samples.
    assert np.abs(first - second).mean() < 6
    assert dict(again.headers)["link"] == dict(reply.headers)["link"]


def test_pictures_of_iiif_are_no_form_of_the_artwork(ask: Ask) -> None:
    """A tile must never stand in for the whole (nor the whole for a tile)."""
    headers = dict(ask("3/pics%2Fa-b.png/0,0,512,512/512,512/0/default.jpg").headers)
    assert not {http.GROUP_HEADER, http.RANK_HEADER} & headers.keys()
    asked = conftest.event("/iiif/3/pics%2Fa-b.png/full/max/0/default.jpg")
    decision = dict(asyncio.run(preprocess.handler(asked, conftest.CONTEXT)).headers)
    assert not {http.GROUP_HEADER, http.FALLBACK_HEADER} & decision.keys()
    buffer = io.BytesIO(ask("3/pics%2Fa-b.png/full/!64,64/0/default.webp").body)
    assert Image.open(buffer).format == "WEBP"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("gif", "GIF")],
)
def test_every_format_that_is_named_is_given(ask: Ask, name: str, kind: str) -> None:
    """And every quality in it."""
    for quality in ("default", "gray", "bitonal"):
        made = conftest.opened(ask(f"3/pics%2Fa-b.png/full/64,/0/{quality}.{name}"))
        assert made.format == kind
        seen = np.asarray(made.convert("RGB"), dtype=int)
        grey = np.ptp(seen, axis=-1).max() <= 3
        assert grey == (quality != "default")
        if name in {"png", "tif", "gif"}:
            assert (set(seen.flat) <= {0, 255}) == (quality == "bitonal")
