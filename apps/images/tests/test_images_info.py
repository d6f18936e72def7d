"""/info: facts, colours, placeholders, hashes and faces; and what faces are used for."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

import extras
import limits
import recipe
import refusals
import render
from dynimo.sdk import http
from looking import colouring, faces, fingerprint, placeholders
from ops import effects, geometry, values
from ops.output import Output
from pixels import gravity

Ask = Callable[..., http.Reply]
PORTRAIT = (Path(__file__).parent / "portrait.jpg").read_bytes()
FACE = (0.34, 0.12, 0.2, 0.2)
"""Where the face of the portrait is, by eye."""
Array = np.ndarray[Any, np.dtype[np.uint8]]


def pattern() -> Array:
    y, x = np.mgrid[0:24, 0:32]
    clear = np.where((x < 8) & (y < 9), 0, 255)
    colours = (x * 37 + y * 91 + x * x * y, x * x + y * 53, x * y * 7 + y)
    return np.stack([*(one % 256 for one in colours), clear], axis=-1).astype(np.uint8)


def opaque(rgba: Array) -> Array:
    return np.concatenate([rgba[..., :3], np.full_like(rgba[..., :1], 255)], axis=-1)


def test_placeholders_are_those_of_other_implementations() -> None:
    """What blurhash-python 1.2.2 and thumbhash-python 1.0.1 give for the same samples."""
    rgba = pattern()
    assert placeholders.blurhash(rgba[..., :3]) == "L7HeqJtHw.-h]zz:IWMxMurqr@AC"
    hashes = [placeholders.thumbhash(each) for each in (opaque(rgba), rgba)]
    assert [base64.b64encode(each).decode() for each in hashes] == [
        "XwgCFYJARRRSRHdxRyhnU/yuXfuP",
        "H/iBDIIekGmkV9IcrN/HkN0FUhcyVmWICQ==",
    ]
    tall = placeholders.thumbhash(np.rot90(opaque(rgba)))
    assert base64.b64encode(tall).decode() == "XwgCFQISMq+ISnSmu3S4GN5T/6iw"


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.integers(0, 255))
def test_any_picture_has_placeholders(width: int, height: int, shade: int, alpha: int) -> None:
    """Also one pixel, one colour, and one that is all clear."""
    rgba = np.full((height, width, 4), (shade, shade, 255 - shade, alpha), np.uint8)
    assert len(placeholders.blurhash(rgba[..., :3])) == 28
    assert len(placeholders.thumbhash(rgba)) >= 5
    assert len(colouring.palette(rgba)) == (alpha >= colouring.CLEAR_BELOW)


def test_the_palette_has_the_colours_that_are_there() -> None:
    """By how much of the picture they are."""
    rgba = np.zeros((10, 10, 4), np.uint8)
    rgba[:7] = (255, 0, 0, 255)
    rgba[7:9] = (0, 0, 255, 255)
    rgba[9:] = (0, 255, 0, 0)  # clear: nobody sees it
    found = [(one.rgb, round(one.share, 2)) for one in colouring.palette(rgba)]
    assert found == [("ff0000", 0.78), ("0000ff", 0.22)]


def hashed(image: Image.Image) -> str:
    small = image.convert("L").resize((fingerprint.SIDE,) * 2, Image.Resampling.LANCZOS)
    return fingerprint.perceptual(np.asarray(small))


def test_similar_pictures_have_near_hashes() -> None:
    """Another size, encoding or brightness changes few bits; another picture about half."""
    image = Image.open(io.BytesIO(PORTRAIT))
    base = hashed(image)
    buffer = io.BytesIO()
    image.resize((100, 100)).save(buffer, "JPEG", quality=30)
    for near in (Image.open(buffer), image.point(lambda one: one * 0.8), image.filter(_soft())):
        assert fingerprint.distance(base, hashed(near)) <= 8
    assert fingerprint.distance(base, hashed(ImageOps.mirror(image))) > 16


def _soft() -> ImageFilter.GaussianBlur:
    return ImageFilter.GaussianBlur(1)


def asked(folder: Path, make: Ask, name: str = "a.jpg") -> tuple[http.Reply, dict[str, Any]]:
    del folder
    out = Output(fm="json", report="info")
    path = recipe.spell(recipe.canonical(source="pics", path=name, engine="1", out=out))
    reply = make(path)
    return reply, json.loads(reply.body)


def test_info_tells_of_the_upright_picture(folder: Path, make: Ask) -> None:
    """Size, kind, orientation, how it was taken; never where."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif[0x8298] = "(c) Somebody"
    exif.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (80, 40), (200, 30, 30)).save(folder / "a.jpg", exif=exif)
    reply, told = asked(folder, make)
    assert (reply.status, dict(reply.headers)["content-type"]) == (200, "application/json")
    assert (told["width"], told["height"], told["orientation"]) == (40, 80, 6)
    assert (told["format"], told["frames"], told["alpha"]) == ("jpg", 1, False)
    assert told["exif"] == {"make": "Maker", "copyright": "(c) Somebody"}
    assert told["bytes"] == (folder / "a.jpg").stat().st_size
    assert told["faces"] == []
    red, green, blue = bytes.fromhex(told["dominant"])
    assert max(abs(red - 200), abs(green - 30), abs(blue - 30)) < 6
    picture = Image.open(io.BytesIO(base64.b64decode(told["lqip"].partition(",")[2])))
    assert picture.size == (12, 24)


def test_info_finds_the_face(folder: Path, make: Ask) -> None:
    """In shares of the sides, and says that it is what matters."""
    (folder / "a.jpg").write_bytes(PORTRAIT)
    _, told = asked(folder, make)
    (face,) = told["faces"]
    for name, by_eye in zip(("x", "y", "w", "h"), FACE, strict=True):
        assert abs(face[name] - by_eye) < 0.06
    assert abs(told["focal"]["x"] - 0.44) < 0.05
    assert abs(told["focal"]["y"] - 0.22) < 0.05


def test_without_the_package_info_says_what_is_missing(
    folder: Path, make: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is told as well."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    (folder / "a.jpg").write_bytes(PORTRAIT)
    reply, told = asked(folder, make)
    assert (reply.status, told["faces"]) == (200, None)
    assert told["missing"] == [extras.NEEDS["cv2"][0].partition("<")[0]]
    cut = geometry.Cut(values.pixels(50), values.pixels(50), values.Gravity("face"))
    with pytest.raises(refusals.Refusal, match="opencv-python-headless"):
        rendered(cut)


@pytest.mark.parametrize("name", ["a.txt", "b.jpg"])
def test_what_is_no_picture_has_no_info(folder: Path, make: Ask, name: str) -> None:
    """422, as for pictures."""
    (folder / name).write_bytes(b"\xff\xd8\xff\xe0 no picture" if name == "b.jpg" else b"text")
    assert asked(folder, make, name)[0].status == 422


@pytest.mark.parametrize("size", [(40, 30), (700, 400)])
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("png", "RGB"), ("png", "RGBA"), ("png", "L"), ("png", "P"), ("png", "1"), ("tiff", "RGB"),
        ("tiff", "L"), ("gif", "P"), ("webp", "RGBA"), ("bmp", "RGB"), ("avif", "RGB"),
    ],
)  # fmt: skip
def test_info_reads_every_kind_of_file(
    folder: Path, make: Ask, kind: str, mode: str, size: tuple[int, int]
) -> None:
    """Also those whose decoder gives the rows once, from the top to the bottom."""
    Image.new("RGB", size, (200, 30, 30)).convert(mode).save(folder / f"a.{kind}")
    reply, told = asked(folder, make, f"a.{kind}")
    assert reply.status == 200, told
    assert (told["format"], told["width"], told["height"]) == (kind, *size)
    assert len(told["phash"]) == 16


def test_a_source_whose_pixels_are_damaged_has_no_info(folder: Path, make: Ask) -> None:
    """422 too where the header is whole and only the decoder finds the fault (a Huffman table)."""
    head, table, rest = PORTRAIT.partition(b"\xff\xc4")
    (folder / "b.jpg").write_bytes(head + table + rest[:3] + b"\xff" * 16 + rest[19:])
    assert asked(folder, make, "b.jpg")[0].status == 422


def rendered(*ops: Any, fm: Any = "png") -> Array:
    made = recipe.canonical(source="s", path="p", engine="1", ops=ops, out=Output(fm=fm))
    pixels = render.render(PORTRAIT, made, limits.Limits()).pixels
    rows = np.frombuffer(pixels.data, np.uint8)
    return rows.reshape(pixels.height, pixels.width, pixels.bands)


@pytest.mark.parametrize("place", ["face", "object"])
def test_the_face_stays_in_the_picture(place: str) -> None:
    """A narrow strip is cut around it, not around the middle."""
    whole = rendered()
    strip = rendered(geometry.Cut(values.ZERO, values.pixels(90), values.Gravity(place)))
    top = round((FACE[1] + FACE[3] / 2) * 320 - 45)
    offs = [np.abs(strip.astype(int) - whole[at : at + 90]).mean() for at in range(231)]
    assert abs(int(np.argmin(offs)) - top) < 16


def test_without_a_face_attention_decides() -> None:
    """There is always a picture."""
    plain = Image.new("RGB", (200, 100), (90, 90, 90))
    plain.paste((255, 40, 0), (170, 40, 190, 60))
    buffer = io.BytesIO()
    plain.save(buffer, "PNG")
    cut = geometry.Cut(values.pixels(60), values.pixels(60), values.Gravity("face"))
    made = recipe.canonical(source="s", path="p", engine="1", ops=(cut,), out=Output(fm="png"))
    pixels = render.render(buffer.getvalue(), made, limits.Limits()).pixels
    rows = np.frombuffer(pixels.data, np.uint8).reshape(60, 60, 3)
    assert (rows[..., 0] == 255).any()


BOXES = st.tuples(*[st.floats(0, 0.9)] * 2, *[st.floats(0.01, 0.1)] * 2)


@given(
    st.lists(BOXES, min_size=1, max_size=5),
    st.integers(1, 400), st.integers(1, 300),
)  # fmt: skip
def test_a_part_around_faces_lies_within(found: list[tuple[float, ...]], w: int, h: int) -> None:
    """Wherever they are, and however small the part."""
    x, y = gravity.around((400, 300), (w, h), [faces.Find(*one) for one in found])
    assert 0 <= x <= 400 - w
    assert 0 <= y <= 300 - h


@pytest.mark.parametrize("how", ["blur", "pixelate", "colour", "frame"])
def test_faces_are_hidden_or_framed(how: Any) -> None:
    """The rest of the picture stays as it is."""
    red = (255, 0, 0, 255)
    whole = rendered()
    changed = rendered(effects.Detections(how, Decimal(12), red))
    off = np.abs(changed.astype(int) - whole).max(axis=2) > 8
    y, x = round((FACE[1] + FACE[3] / 2) * 320), round((FACE[0] + FACE[2] / 2) * 320)
    near = off[y - 40 : y + 40, x - 40 : x + 40]
    assert near.mean() > (0.02 if how == "frame" else 0.3)
    assert off[200:].sum() == 0
    if how == "colour":
        assert tuple(changed[y, x]) == red[:3]


def test_the_dialect_leads_to_the_report(folder: Path, decide_info: Ask, make: Ask) -> None:
    """/info/NAME/path; parameters are refused."""
    (folder / "a.jpg").write_bytes(PORTRAIT)
    forwarded = dict(decide_info("pics/a.jpg").headers)[http.FORWARD_HEADER]
    assert json.loads(make(forwarded).body)["width"] == 320
    assert decide_info("pics/a.jpg", "w=1").status == 400
    assert decide_info("nowhere/a.jpg").status == 404
