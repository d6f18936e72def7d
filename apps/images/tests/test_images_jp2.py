"""JPEG 2000: no more of it is decoded than is needed, in the right colours, whatever it says."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import decode
import limits
import recipe as recipes
import refusals
import render
from decoding import jp2
from dynimo.sdk import http
from encoding import likeness
from ops import geometry, values
from ops.output import Output

Look = Callable[[http.Reply], Image.Image]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
LIMITS = limits.Limits()


def photograph(size: tuple[int, int], **options: Any) -> bytes:
    out = io.BytesIO()
    with Image.open(SAMPLE) as image:
        image.convert("RGB").resize(size).save(out, "JPEG2000", **options)
    return out.getvalue()


def rendered(data: bytes, w: int) -> np.ndarray:
    made = recipes.canonical(
        source="s", path="p", engine="1", out=Output(fm="png"),
        ops=[geometry.Resize("inside", values.pixels(w))],
    )  # fmt: skip
    pixels = render.render(data, made, LIMITS).pixels
    return np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width, pixels.bands)


@pytest.mark.parametrize("size", [(497, 301), (500, 313), (1001, 777), (511, 255), (640, 400)])
@pytest.mark.parametrize("w", [15, 60, 125, 250, 490])
def test_a_part_of_the_resolution_is_enough(size: tuple[int, int], w: int) -> None:
    """What comes of a half or a quarter looks like what comes of all; of any size."""
    data = photograph(size)
    with Image.open(io.BytesIO(data)) as image:
        tall = round(size[1] * w / size[0])
        wanted = np.asarray(image.convert("RGB").resize((w, tall), Image.Resampling.LANCZOS))
    made = rendered(data, w)
    assert made.shape[:2] in {(tall, w), (tall + 1, w), (tall - 1, w)}
    if made.shape == wanted.shape and min(made.shape[:2]) >= 64:
        assert likeness.Original(wanted).likeness(made) > 65


def test_no_more_is_decoded_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved as often as the file knows and the picture bears."""
    halved: list[int] = []
    real = jp2._reduced
    monkeypatch.setattr(
        jp2, "_reduced", lambda image, times: halved.append(times) or real(image, times)
    )
    data = photograph((640, 400), num_resolutions=4)
    assert jp2.codestream(data).levels == 3
    for w in (640, 321, 320, 160, 40, 20):
        rendered(data, w)
    assert halved == [0, 0, 0, 1, 3, 3]


def test_memory_is_counted_for_what_is_decoded() -> None:
    """A large one is made small where all of it would be too much."""
    data = photograph((640, 400))
    held = jp2.codestream(data).bytes_held
    few = limits.Limits(decode_bytes=held + 640 * 400 * jp2.BYTES_PER_PIXEL - 1)
    header = decode.open_header(data, few)
    assert header.draw is not None
    assert header.draw(100, 60).width == 320
    with pytest.raises(refusals.Refusal, match="decode_bytes"):
        header.draw(640, 400)


def test_both_forms_of_a_file_are_read() -> None:
    """With boxes around the codestream, and without."""
    for options in ({}, {"no_jp2": True}):
        data = photograph((160, 100), **options)
        header = decode.open_header(data, LIMITS)
        assert (header.kind, header.width, header.height) == ("jp2", 160, 100)
        assert rendered(data, 80).shape == (50, 80, 3)


@pytest.mark.parametrize(("mode", "fill"), [("L", 200), ("I;16", 200 * 257), ("LA", (200, 90))])
def test_grey_is_grey_in_any_depth(mode: str, fill: Any) -> None:
    """Of 16 bits the upper 8 are taken; alpha stays."""
    out = io.BytesIO()
    Image.new(mode, (64, 64), fill).save(out, "JPEG2000")
    pixel = rendered(out.getvalue(), 64)[30, 30]
    assert np.abs(pixel[:3].astype(int) - 200).max() <= 1
    assert len(pixel) == (4 if mode == "LA" else 3)


def test_a_profile_in_its_header_is_honoured() -> None:
    """A box that Pillow leaves unread; wherever the header's boxes lie."""
    data = photograph((64, 64))
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = data.index(b"colr") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    box = (11 + len(icc)).to_bytes(4, "big") + b"colr" + b"\2\0\0" + icc
    head = data.index(b"jp2h") - 4
    grown = int.from_bytes(data[head : head + 4], "big") + len(box) - size
    told = data[:head] + grown.to_bytes(4, "big") + data[head + 4 : at] + box + data[at + size :]
    assert jp2.profile(told) == icc
    assert decode.open_header(told, LIMITS).icc == icc
    assert rendered(told, 32).shape == (32, 32, 3)
    assert jp2.profile(data) == b""


def test_a_bomb_is_refused_by_its_header() -> None:
    """Sizes are judged before a pixel is decoded."""
    data = bytearray(photograph((64, 64), no_jp2=True))
    at = data.index(b"\xff\x51")
    for place in (6, 10, 22, 26):  # the picture's and its tiles' sides
        data[at + place : at + place + 4] = (60_000).to_bytes(4, "big")
    with pytest.raises(refusals.Refusal) as refused:
        decode.open_header(bytes(data), LIMITS)
    assert refused.value.status == 422


@pytest.fixture(scope="module")
def small() -> bytes:
    return photograph((48, 32))


@given(data=st.data())
@settings(deadline=None, max_examples=100)
def test_damaged_files_are_rendered_or_refused(small: bytes, data: st.DataObject) -> None:
    """Any bytes changed anywhere, or cut off: a picture of the right size, or 422."""
    broken = bytearray(small)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    keep = data.draw(st.just(len(broken)) | st.integers(0, len(broken)))
    few = limits.Limits(source_pixels=1_000_000)
    made = recipes.canonical(
        source="s", path="p", engine="1", out=Output(fm="png"),
        ops=[geometry.Resize("fill", values.pixels(30), values.pixels(20), enlarge=True)],
    )  # fmt: skip
    try:
        pixels = render.render(bytes(broken[:keep]), made, few).pixels
    except refusals.Refusal as refusal:
        assert refusal.status == 422
    else:
        assert (pixels.width, pixels.height) == (30, 20)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_has_no_profile(data: bytes) -> None:
    """Whatever comes: a refusal or what was read, bytes; never another exception."""
    for head in (b"", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"):
        with contextlib.suppress(refusals.Refusal):
            assert jp2.codestream(head + data).bytes_held > 0
        assert isinstance(jp2.profile(head + data), bytes)


@pytest.mark.parametrize(
    "options",
    [
        {"tile_size": (255, 255)},  # of whose last tile nothing is left when it is halved
        {"tile_size": (33, 33)},
        {"tile_size": (1024, 1024), "offset": (64, 32)},
        {"tile_size": (64, 64), "offset": (10, 10), "tile_offset": (10, 10)},
    ],
)
@pytest.mark.parametrize("w", [8, 30, 60, 120])
def test_tiles_and_places_that_do_not_halve_are_made(options: dict[str, Any], w: int) -> None:
    """Where a half cannot be decoded, more of it is; a good file is never called damaged."""
    made = rendered(photograph((256, 255), num_resolutions=6, **options), w)
    assert made.shape == (w, w, 3)


def changed(at: int, value: bytes, big: int = 8000, tile: int = 8000) -> bytes:
    """Give a file of hundreds of bytes that says it is large, with other bytes in its style."""
    data = bytearray(photograph((64, 64), no_jp2=True, num_resolutions=6, precinct_size=(128, 128)))
    for place, side in ((8, big), (12, big), (24, tile), (28, tile)):
        data[place : place + 4] = side.to_bytes(4, "big")
    style = data.index(b"\xff\x52") + at
    data[style : style + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(10, b"\0\0"), "decode_bytes"),  # blocks of 4 x 4
        (changed(14, b"\x11" * 6), "packets"),  # precincts of 2 x 2
        (changed(14, b"\x44" * 6), "decode_bytes"),
        (changed(6, b"\xff\xff", tile=500), "packets"),  # 65535 layers
        (changed(6, b"\0\1", tile=32), "tiles"),
    ],
)
def test_few_bytes_cannot_ask_for_much_memory(data: bytes, why: str) -> None:
    """Tiles, precincts, blocks and layers are counted before a decoder builds them."""
    with pytest.raises(refusals.Refusal, match=why) as refused:
        decode.open_header(data, LIMITS)
    assert refused.value.status == 422


def test_a_tile_may_not_say_it_later() -> None:
    """What stands in the header of a tile-part counts as well."""
    data = changed(10, b"\4\4")
    begin = data.index(b"\xff\x52")
    style = bytearray(data[begin : begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")])
    style[10:12] = b"\0\0"
    part = data.index(b"\xff\x90") + 12
    with pytest.raises(refusals.Refusal, match="decode_bytes"):
        decode.open_header(data[:part] + bytes(style) + data[part:], LIMITS)


def test_boxes_and_codestream_must_agree() -> None:
    """A header of boxes that says less than the codestream is believed by nobody."""
    data = bytearray(photograph((64, 64)))
    at = data.index(b"ihdr") + 4
    data[at : at + 4] = (32).to_bytes(4, "big")
    with pytest.raises(refusals.Refusal, match="two sizes"):
        decode.open_header(bytes(data), LIMITS)
