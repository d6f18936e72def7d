"""Parameters of the file that is made: format, quality, size in bytes, what is kept. Pure."""

from __future__ import annotations

import re
from typing import Any

import colours
from ops.base import Text
from ops.output import FORMATS as MADE
from ops.output import Output
from parameters import readers
from parameters.row import Given, Row

FORMATS = ("auto", *(name for name in MADE if name not in ("source", "json")))
BYTES_MAX = 1 << 30
FRAMES_MAX = 10_000
NAME_MAX = 150
"""Bytes of a file's name in UTF-8."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\"]")
_FRAMES = readers.whole(1, FRAMES_MAX)
_EFFORT = readers.whole(1, 10)


def _file_name(text: str) -> str | None:
    right = 0 < len(text.encode()) <= NAME_MAX and not _UNFIT.search(text)
    return text if right else None


ROWS = (
    Row("fm", readers.words(*FORMATS), "Format. `auto` follows the Accept header: AVIF, WebP, else"
        " JPEG or PNG as suits the source. `best`: the smallest. `original`: the source's bytes."),
    Row("q", readers.whole(1, 100), "Quality of the encoder; its own for each format if not said."),
    Row("target", readers.number(1, 100), "Instead of a quality: how like the original it must"
        " look (SSIMULACRA2)."),
    Row("max-bytes", readers.whole(1, BYTES_MAX), "Lower the quality until the file is no larger."),
    Row("bg", readers.COLOUR, "What pads, and what shows through where the format has no alpha;"
        " white."),
    Row("flat", readers.FLAG, "Put it on `bg` even where the format has alpha."),
    Row("lossless", readers.FLAG, "Without loss, where the format can."),
    Row("progressive", readers.FLAG, "A JPEG or PNG that shows at once, coarsely."),
    Row("chromasub", readers.words("420", "444"), "Whether colour has half the resolution; `420`"
        " unless the quality is high."),
    Row("colorquant", readers.whole(2, 256), "Colours of a palette (PNG, GIF)."),
    Row("effort", _EFFORT, "How hard the encoder tries."),
    Row("depth", readers.words("1", "2", "4", "8", "10", "12", "16"), "Bits of a sample: 16 of PNG"
        " and TIFF, 10 and 12 of AVIF; 1, 2 and 4 of a palette of PNG and GIF."),
    Row("among", readers.some_of("avif", "webp", "jxl", "jpg", "png"), "What `fm=best` chooses"
        " from."),
    Row("frames", readers.Reader(
        lambda text: 0 if text == "all" else _FRAMES.take(text), f"all, or {_FRAMES.allowed}"
    ), "Frames of an animation; 1 is a still."),
    Row("page", _FRAMES, "The first frame or page; 1."),
    Row("second", readers.number(0, 86_400), "Where in a video."),
    Row("density", readers.whole(1, 1200), "Dots an inch that drawings and pages are read at."),
    Row("dpi", readers.whole(1, 1200), "Dots an inch that are written into the file."),
    Row("meta", readers.words("none", "copyright", "all"), "What metadata stays; `none`."),
    Row("cs", readers.words("srgb", "keep"), "Colours in sRGB, or as in the source; `srgb`."),
    Row("hdr", readers.FLAG, "Keep a gain map."),
    Row("orient", readers.words("auto", "none"), "`none`: not turned by its EXIF orientation."),
    Row("dl", readers.Reader(_file_name, f"a file name of up to {NAME_MAX} bytes"
        " without / \\ and quotation marks"), "Let browsers save it under this name."),
    Row("v", readers.matching(r"[0-9A-Za-z_.-]{1,64}", "up to 64 letters, digits, - _ and ."),
        "Changes nothing but the key under which the picture is stored."),
)  # fmt: skip
_PLAIN = {
    "max-bytes": "bytes_max", "target": "target", "frames": "frames", "meta": "meta", "cs": "icc",
    "lossless": "lossless", "progressive": "progressive", "colorquant": "colours",
    "effort": "effort", "among": "among", "dpi": "dpi", "hdr": "hdr", "second": "second",
    "density": "density", "v": "buster",
}  # fmt: skip


def output(
    given: Given, *, fm: Any, quality: int, bg: colours.Colour, flat: bool, ttl_seconds: int
) -> Output:
    """Give the output; what rules have a say in is said by the caller."""
    said: dict[str, Any] = {to: given[name] for name, to in _PLAIN.items() if name in given}
    if "page" in given:
        said["page"] = given["page"] - 1
    if "depth" in given:
        said["depth"] = int(given["depth"])
    if "chromasub" in given:
        said["chroma"] = "off" if given["chromasub"] == "444" else "on"
    if "dl" in given:
        said["name"], said["attach"] = Text(given["dl"]), True
    if given.get("orient") == "none":
        said["upright"] = False
    return Output(
        fm=fm, quality=quality, bg=bg, flat=flat or given.get("flat", False),
        ttl_seconds=ttl_seconds, **said,
    )  # fmt: skip
