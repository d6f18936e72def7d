"""SVG drawings: cleaned, measured, and drawn by librsvg in the size that is needed.

libvips calls librsvg unsafe for strangers' files, so its loader is shut but for the moment in which
a cleaned drawing is opened.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyvips

import fonts
import limits as limit_names
import refusals
from decoding import cleaning
from decoding.opened import Opened, check_size

DENSITY = 96
"""CSS pixels in an inch."""
LOADER = "VipsForeignLoadSvg"
IMAGE_BYTES_MAX = 4 << 20
"""Of one picture in a drawing, decoded from base64."""

Judge = Callable[[bytes], object]


def clean(data: bytes, judge: Judge) -> bytes:
    """Give the drawing without what it could run or load; ``judge`` refuses pictures in it.

    Raises:
        Refusal: 422; it is no drawing, unsafe, or over a limit.
    """

    def may_stay(encoded: str) -> bool:
        try:
            picture = binascii.a2b_base64(encoded)
            judge(picture)
        except (ValueError, refusals.Refusal):
            return False
        return len(picture) <= IMAGE_BYTES_MAX

    return cleaning.clean(data, may_stay)


def open_drawing(data: bytes, limits: limit_names.Limits, density: int, judge: Judge) -> Opened:
    """Clean and measure; ``density`` is pixels an inch, 0 the drawing's own.

    Raises:
        Refusal: 422; as `clean`, or too large.
        pyvips.Error: librsvg cannot read it.
    """
    safe = clean(data, judge)
    fonts.ready()  # librsvg wakes fontconfig, which reads its configuration once
    with _allowed():
        image = pyvips.Image.svgload_buffer(safe)
    scale = (density or DENSITY) / DENSITY
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    check_size(width, height, limits)

    def draw(w: int, h: int) -> pyvips.Image:
        with _allowed():
            drawn = pyvips.Image.thumbnail_buffer(safe, w, height=h, size="force")
            return drawn.copy_memory()

    return Opened(width=width, height=height, has_alpha=True, draw=draw, vector=True)


@contextmanager
def _allowed() -> Iterator[None]:
    pyvips.operation_block_set(LOADER, False)
    try:
        yield
    finally:
        pyvips.operation_block_set(LOADER, True)
