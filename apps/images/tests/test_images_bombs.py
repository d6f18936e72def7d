"""Hostile files: each gets its answer in little time and memory, and never a half picture.

The files are made here and rendered by `bomb_range` in forked children with 1 GiB of address
space, as the platform would run them.
"""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

import limits
import refusals
import render
import spelled

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "samples" / "boats.jpg"
SECONDS_MAX = 10.0
KIB_MAX = 500 * 1024


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """A PNG that declares a size and has a few rows of data at most."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100_000, 9))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


def whole_png(width: int, height: int, *, interlace: int = 0) -> bytes:
    """A PNG of one colour whose data really has all its rows: little to send, much to decode."""
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(b"\0" * (width * 3 + 1)) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlace)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", rows + squeeze.flush())
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\1\0\0\0" + b"\x2c\0\0\0\0\1\0\1\0\0" + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b"\x3b"


def webp(width: int, height: int) -> bytes:
    """A real lossless WebP whose declared size is changed."""
    data = bytearray(saved("WEBP", lossless=True))
    data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(data)


def extended_webp(width: int, height: int) -> bytes:
    """A WebP whose canvas is far larger than the picture in it."""
    inner = saved("WEBP", lossless=True)[12:]
    head = b"\x10\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + head + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(width: int, height: int) -> bytes:
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8),
        (277, 3, 1), (278, 4, height), (279, 4, min(width * height, 0xFFFFFFFF)),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + b"\0\0\0\0"


def avif(width: int, height: int) -> bytes:
    """A real AVIF whose declared size (ispe) is changed."""
    data = bytearray(saved("AVIF"))
    at = data.index(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(data)


def jpeg_of(width: int, height: int) -> bytes:
    """A real JPEG whose declared size is changed."""
    data = bytearray(saved("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def scans(count: int) -> bytes:
    """A progressive JPEG that goes over the same picture again and again."""
    data = saved("JPEG", progressive=True)
    starts, at = [], data.find(b"\xff\xda")
    while at >= 0:
        starts.append(at)
        at = data.find(b"\xff\xda", at + 1)
    last = data[starts[-1] : -2]
    return data[:-2] + last * count + data[-2:]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(kind: str, **options: Any) -> bytes:
    """A small picture with some detail, in a format."""
    with Image.open(SAMPLE) as opened:
        return _saved(opened.resize((300, 200)), kind, **options)


SVG = b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='9'/>"
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF")
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "png-60000": (lambda: png(60_000, 60_000), "too_many_pixels"),
    "png-sides": (lambda: png(2_000_000_000, 1), "too_many_pixels"),
    "png-empty": (lambda: png(0, 5), "damaged"),
    "png-few-rows": (lambda: png(7_900, 7_900), "truncated"),
    "png-interlaced": (lambda: png(7_900, 7_900, interlace=1), "too_much_memory"),
    "png-deep": (lambda: png(60_000, 60_000, depth=16, colour=6), "too_many_pixels"),
    "gif-frames": (lambda: gif(1, 1, 10_000), "too_many_frames"),
    "gif-65535": (lambda: gif(65_535, 65_535, 1), "too_many_pixels"),
    "webp-16384": (lambda: webp(16_384, 16_384), "damaged"),
    "webp-lossless-lie": (lambda: webp(7_000, 7_000), "damaged"),
    "webp-canvas": (lambda: extended_webp(1 << 24, 1 << 24), "damaged"),
    "tiff-huge": (lambda: tiff(4_000_000_000, 4_000_000_000), "unsupported_kind"),
    "tiff-60000": (lambda: tiff(60_000, 60_000), "too_many_pixels"),
    "tiff-no-data": (lambda: tiff(7_000, 7_000), "truncated"),
    "avif-60000": (lambda: avif(60_000, 60_000), "too_many_pixels"),
    "avif-lie": (lambda: avif(4_000, 4_000), "damaged"),
    "jpeg-65535": (lambda: jpeg_of(65_535, 65_535), "too_many_pixels"),
    "jpeg-lie": (lambda: jpeg_of(8_000, 7_900), "truncated"),
    "jpeg-scans": (lambda: scans(600), "too_many_scans"),
    "svg-huge": (lambda: SVG % 10**9, "too_many_pixels"),
    "svg-laughs": (lambda: b"<!DOCTYPE svg [<!ENTITY a 'ha'>]><svg>&a;</svg>", "unsafe_drawing"),
    "empty": (lambda: b"", "not_an_image"),
    "text": (lambda: b"hello " * 100, "not_an_image"),
    "pdf": (lambda: b"%PDF-1.7\n" * 9, "damaged"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + b"\0" * 80, "damaged"),
    "avif-animation": (lambda: b"\0\0\0\x14ftypavis\0\0\0\0avif", "damaged"),
    "script-in-gif": (lambda: b"GIF89a/*<svg/onload=1>*/", "too_many_pixels"),
    "zip-in-jpeg": (lambda: b"\xff\xd8\xff\xe0PK\x03\x04" * 9, "truncated"),
}
TRUNCATED = {f"cut-{kind}": kind for kind in KINDS}
FINE: dict[str, Callable[[], bytes]] = {
    "fine-large-png": lambda: whole_png(8_000, 7_900),
    "fine-trailing": lambda: saved("JPEG") + b"PK\x03\x04" * 100,
    "fine-progressive": lambda: saved("JPEG", progressive=True),
}


def drawing(inside: str) -> bytes:
    size = "width='3000' height='3000'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{inside}</svg>".encode()


def pages(count: int) -> bytes:
    """A PDF of so many empty pages."""
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids),
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>"] * count,
    ]  # fmt: skip
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts):
        places.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number + 1, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>startxref\n%d\n%%%%EOF" % (len(parts) + 1, len(body))
    return body + head + table + tail


def with_profile(profile: bytes) -> bytes:
    return saved("JPEG", icc_profile=profile)


def heic(width: int, height: int) -> bytes:
    """A real HEIC whose declared sizes are changed."""
    pillow_heif.register_heif_opener()
    data = saved("HEIF")
    at = data.find(b"ispe")
    while at >= 0:
        data = data[: at + 8] + struct.pack(">II", width, height) + data[at + 16 :]
        at = data.find(b"ispe", at + 1)
    return data


BLUR = (
    "<filter id='f' x='-9' y='-9' width='99' height='99'>%s</filter>"
    "<rect width='3000' height='3000' filter='url(#f)'/>"
)
ODD: dict[str, Callable[[], bytes]] = {
    "odd-pdf-pages": lambda: pages(10_000),
    "odd-svg-blur": lambda: drawing(BLUR % "<feGaussianBlur stdDeviation='1e9'/>"),
    "odd-svg-noise": lambda: drawing(
        BLUR % "<feTurbulence baseFrequency='0.9' numOctaves='99999'/>"
    ),
    "odd-svg-radius": lambda: drawing(BLUR % "<feMorphology operator='dilate' radius='9999'/>"),
    "odd-svg-chain": lambda: drawing(BLUR % ("<feGaussianBlur stdDeviation='50'/>" * 300)),
    "odd-svg-pattern": lambda: drawing(
        "<pattern id='p' width='1e-7' height='1e-7'><rect width='1' height='1'/></pattern>"
        "<rect width='3000' height='3000' fill='url(#p)'/>"
    ),
    "odd-svg-path": lambda: drawing(f"<path stroke='red' d='M0 0{'L3000 1L0 2' * 100_000}'/>"),
    "odd-svg-dashes": lambda: drawing(
        "<path stroke='red' stroke-dasharray='1e-6' d='M0 0L3000 3000'/>"
    ),
    "odd-svg-text": lambda: drawing("<text font-size='1e6'>" + "\u0e01\u0e49" * 50_000 + "</text>"),
    "odd-icc-zeros": lambda: with_profile(b"\0" * 3_000_000),
    "odd-icc-tags": lambda: with_profile(
        b"\0" * 16 + b"RGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 88 + b"\xff" * 60_000
    ),
    "odd-gif-4k": lambda: gif(3_840, 2_160, 300),
    "odd-heic-lie": lambda: heic(7_000, 7_000),
    "odd-heic-60000": lambda: heic(60_000, 60_000),
    "odd-jxl-lie": lambda: b"\xff\x0a" + (
        (1 << 1 | 6_999 << 3 | 0 << 16 | 1 << 19 | 6_999 << 21).to_bytes(10, "little")
    ) + b"\x55" * 500,
    "odd-ico": lambda: b"\0\0\1\0\xff\0" + b"\0\0\0\0\1\0\x20\0\xff\xff\xff\x7f\x16\0\0\0" * 255,
    "odd-bmp-rle": lambda: b"BM" + struct.pack(
        "<IHHIIiiHHIIiiII", 9_999, 0, 0, 1_078, 40, 7_900, 7_900, 1, 8, 1, 0, 0, 0, 0, 0
    ) + b"\0" * 1_024 + b"\xff\1" * 2_000,
    "odd-webm": lambda: b"\x1aE\xdf\xa3" + b"\xff" * 2_000,
    "odd-mp4": lambda: b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + b"\x7f" * 2_000,
    "odd-raw": lambda: b"II*\0\x08\0\0\0\xff\xff" + b"\x12\xc6\4\0\1\0\0\0\x08\0\0\0" * 9_000,
}  # fmt: skip
"""Whatever comes of these: a picture or 422, within the same bounds."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Render all files once; name → what `bomb_range` printed."""
    root = tmp_path_factory.mktemp("bombs")
    for name, (made, _) in BOMBS.items():
        (root / name).write_bytes(made())
    for name, kind in TRUNCATED.items():
        data = saved(kind)
        (root / name).write_bytes(data[: len(data) * 2 // 3])
    for name, made_fine in (FINE | ODD).items():
        (root / name).write_bytes(made_fine())
    environment = {
        **os.environ,
        "DYNIMO_SOURCES": json.dumps({"pics": str(root)}),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "VIPS_CONCURRENCY": "1",
        "VIPS_BLOCK_UNTRUSTED": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    done = subprocess.run(
        [sys.executable, HERE / "bomb_range.py", root],
        capture_output=True, env=environment, timeout=50, check=True,
    )  # fmt: skip
    rows = map(json.loads, done.stdout.splitlines())
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_their_reason(told: dict[str, dict[str, Any]], name: str) -> None:
    """422 and a word for the reason."""
    assert (told[name]["status"], told[name]["error"]) == (422, BOMBS[name][1])


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_files_are_refused(told: dict[str, dict[str, Any]], name: str) -> None:
    """Never a picture whose rest is grey."""
    assert told[name]["status"] == 422
    assert told[name]["error"] in ("truncated", "damaged")


@pytest.mark.parametrize("name", FINE)
def test_large_but_allowed_files_are_rendered(told: dict[str, dict[str, Any]], name: str) -> None:
    """The limits do not refuse what can be done."""
    assert told[name]["status"] == 200


@pytest.mark.parametrize("name", ODD)
def test_odd_files_end_in_a_picture_or_a_refusal(
    told: dict[str, dict[str, Any]], name: str
) -> None:
    """Never a death, never 5xx."""
    assert told[name]["status"] in (200, 422), told[name]


def test_time_and_memory_stay_within_bounds(told: dict[str, dict[str, Any]]) -> None:
    """Whatever the file."""
    assert {row["name"] for row in told.values() if row["seconds"] > SECONDS_MAX} == set()
    assert {row["name"] for row in told.values() if row["kib"] > KIB_MAX} == set()


RECIPE = spelled.canonical(w=40, h=40, fit="cover")
SMALL = {kind: saved(kind) for kind in KINDS}


def rendered_or_refused(data: bytes) -> None:
    try:
        made = render.render(data, RECIPE, limits.Limits(source_pixels=1_000_000))
    except refusals.Refusal as refusal:
        assert refusal.status == 422
    else:
        assert (made.pixels.width, made.pixels.height) == (40, 40)


@given(st.sampled_from(KINDS), st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_are_rendered_or_refused(kind: str, data: st.DataObject) -> None:
    """Any bytes changed anywhere: a whole picture or 422, never anything else."""
    broken = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1) | st.integers(0, 200))
        broken[at] = data.draw(st.integers(0, 255))
    rendered_or_refused(bytes(broken))


@given(st.sampled_from(KINDS), st.integers(0, 64), st.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_polyglots_are_rendered_or_refused(kind: str, keep: int, rest: bytes) -> None:
    """The beginning of one format and then anything."""
    rendered_or_refused(SMALL[kind][:keep] + rest)


def test_pillow_can_make_all_kinds() -> None:
    """The oracle has every format these tests need."""
    assert features.check("avif")
    assert features.check("webp")


LARGER = """
import io, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import limits, recipe, refusals, render
from decoding import bounded
from ops.output import Output

most = recipe.canonical(source="s", path="p", engine="1", out=Output(fm="png"), ops=[])
try:
    print(render.render(Path(sys.argv[1]).read_bytes(), most, limits.Limits()).pixels.width)
except refusals.Refusal as refusal:
    print(refusal.status)
try:
    with bounded.memory():
        bytearray(400 << 20)
except MemoryError:
    print(len(bytearray(400 << 20)) >> 20)
"""


@pytest.mark.parametrize(("memory", "told"), [("220", ["422", "400"]), ("2048", ["64"])])
def test_a_frame_that_is_larger_than_its_file_says(
    tmp_path: Path, memory: str, told: list[str]
) -> None:
    """It gets the memory that there is; where that is too little it is refused, no more."""
    side, said = 4_000, 64
    out = io.BytesIO()
    image = Image.new("RGB", (side, side), (9, 9, 200))
    image.save(out, "AVIF", save_all=True, append_images=[image], speed=10, subsampling="4:4:4")
    data = out.getvalue()
    for form, shift in ((">II", 0), (">HH", 0), (">II", 16)):
        declared = struct.pack(form, side << shift, side << shift)
        data = data.replace(declared, struct.pack(form, said << shift, said << shift))
    path = tmp_path / "larger.avif"
    path.write_bytes(data)
    command = [sys.executable, "-c", LARGER, str(path), str(HERE.parent), *sys.path]
    variables = {**os.environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == told
