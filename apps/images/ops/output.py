"""What is made of the finished picture: the last operation of every recipe. Declarations only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import colours
from ops.base import EMPTY, Between, Op, Text

QUALITIES = ("jpg", "webp", "avif", "jxl", "heic", "tiff")
"""Formats to which a quality means something."""
LOSSLESS = ("webp", "avif", "jxl", "heic", "tiff", "best")
"""Formats that can be asked to lose nothing; others always do, or never."""
FORMATS = (
    "source", "jpg", "png", "webp", "avif", "jxl", "gif", "tiff", "heic", "bmp", "ico", "svg",
    "mp4", "best", "original", "json",
)  # fmt: skip
Format = Literal[
    "source", "jpg", "png", "webp", "avif", "jxl", "gif", "tiff", "heic", "bmp", "ico", "svg",
    "mp4", "best", "original", "json",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output(Op, name="as"):
    """The format, and everything that only encoding needs to know.

    ``source``: JPEG or PNG, whichever suits the source. ``best``: the smallest of those in
    ``among`` (``avif.webp.jpg``). ``original``: the source's bytes, untouched. ``json``: no
    picture but a ``report`` on it; ``base`` is the address that it names.

    ``quality``: 0 is the format's default. ``target``: instead of a quality, how like the
    original it must look (SSIMULACRA2, 0 to 100). ``bytes_max``: lower quality until it fits.
    ``bg``: what shows through where the format has no alpha; ``flat``: lie on it in any case.
    ``frames``: of a source that has several: 1 is a still, 0 all; the first is ``page``.
    ``meta``: ``none``, ``copyright`` (artist and copyright stay) or ``all``. ``icc``: ``srgb``,
    or ``keep`` the source's colour space. ``colours``: of a palette (PNG, GIF); 0 is none.
    ``effort``: 0 is the format's default, else 1 to 10. ``chroma``: whether colour loses
    resolution. ``name``, ``attach``: how browsers call it, and whether they save it. ``dpi`` is
    written into the file, ``density`` is what drawings and pages are read at. ``depth``: bits a
    sample, 0 is 8 (palettes: as few as are enough). ``hdr``: a gain map stays. ``second``: where
    in a video. ``upright``: turned by its EXIF orientation. ``buster`` changes nothing but the
    key under which the picture is stored. ``instead``: the file ``NAME/path`` of which the picture
    is made where its own cannot be had.
    """

    fm: Format
    quality: Annotated[int, Between(0, 100)] = 0
    bg: colours.Colour = colours.WHITE
    flat: bool = False
    ttl_seconds: Annotated[int, Between(0, 31_536_000)] = 3_600
    bytes_max: Annotated[int, Between(0, 1 << 30)] = 0
    target: Annotated[Decimal, Between(0, 100)] = Decimal(0)
    frames: Annotated[int, Between(0, 10_000)] = 1
    page: Annotated[int, Between(0, 10_000)] = 0
    meta: Literal["none", "copyright", "all"] = "none"
    icc: Literal["srgb", "keep"] = "srgb"
    lossless: bool = False
    progressive: bool = False
    colours: Annotated[int, Between(0, 256)] = 0
    effort: Annotated[int, Between(0, 10)] = 0
    chroma: Literal["auto", "on", "off"] = "auto"
    among: str = ""
    report: str = ""
    base: Text = EMPTY
    name: Text = EMPTY
    attach: bool = False
    dpi: Annotated[int, Between(0, 1200)] = 0
    depth: Annotated[int, Between(0, 16)] = 0
    hdr: bool = False
    second: Annotated[Decimal, Between(0, 86_400)] = Decimal(0)
    upright: bool = True
    density: Annotated[int, Between(0, 1200)] = 0
    buster: str = ""
    instead: Text = EMPTY
