"""Frames that stretch only where they say so: nine-patches, as Android draws and thumbor reads.

The outermost pixel of such a picture is no picture: opaque black in its top row and left column
marks what is stretched, in its bottom row and right column where the content lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyvips

import refusals
from pixels import canvas as canvases
from shapes import Size

STRETCHES_MAX = 32
"""Parts along a side: each row of them meets each column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Which columns (``across``) and rows stretch; ``padding`` is top, right, bottom, left."""

    image: pyvips.Image
    across: tuple[bool, ...]
    down: tuple[bool, ...]
    padding: tuple[int, int, int, int]


def read(image: pyvips.Image) -> Patch:
    """Read the marks of a picture.

    Raises:
        Refusal: 422; it is too small, or marked in too many parts.
    """
    if min(image.width, image.height) < 3:
        raise refusals.unusable("damaged", "a frame needs at least 3 x 3 pixels")
    image = canvases.with_alpha(image)
    shape = (image.height, image.width, 4)
    rows = np.frombuffer(image.write_to_memory(), np.uint8).reshape(shape)
    black = (rows == (0, 0, 0, 255)).all(axis=2)
    across, down = black[0, 1:-1].tolist(), black[1:-1, 0].tolist()
    for marks in (across, down):
        if len(list(groupby(marks))) > STRETCHES_MAX:
            raise refusals.unusable(
                "too_many_parts", f"a frame may have {STRETCHES_MAX} parts along a side"
            )
    left, right = _outside(black[-1, 1:-1].tolist())
    top, bottom = _outside(black[1:-1, -1].tolist())
    return Patch(
        image=image.crop(1, 1, image.width - 2, image.height - 2),
        across=tuple(across),
        down=tuple(down),
        padding=(top, right, bottom, left),
    )


def _outside(marks: list[bool]) -> tuple[int, int]:
    """Count what lies before the first mark and behind the last; nothing without marks."""
    if True not in marks:
        return 0, 0
    return marks.index(True), marks[::-1].index(True)


def drawn(patch: Patch, size: Size) -> pyvips.Image:
    """Draw the frame in that size; what cannot shrink enough is cut off."""
    columns, rows = _parts(patch.across, size[0]), _parts(patch.down, size[1])
    lines = []
    for y, h, high in rows:
        cells = [
            canvases.resize(patch.image.crop(x, y, w, h), (wide, high)) for x, w, wide in columns
        ]
        lines.append(_joined(cells, "horizontal"))
    whole = _joined(lines, "vertical")
    return whole.crop(0, 0, min(size[0], whole.width), min(size[1], whole.height))


def _joined(images: list[pyvips.Image], direction: str) -> pyvips.Image:
    whole = images[0]
    for image in images[1:]:
        whole = whole.join(image, direction)
    return whole


def _parts(marks: tuple[bool, ...], side: int) -> list[tuple[int, int, int]]:
    """Give parts as (from, pixels there, pixels here); together they fill ``side`` if they can."""
    runs = [(stretched, len(list(run))) for stretched, run in groupby(marks)]
    stretching = sum(length for stretched, length in runs if stretched)
    room = max(0, side - (len(marks) - stretching))
    made, at, seen = [], 0, 0
    for stretched, length in runs:
        wanted = length
        if stretched:
            before = round(room * seen / stretching)
            seen += length
            wanted = round(room * seen / stretching) - before
        if wanted:
            made.append((at, length, wanted))
        at += length
    return made or [(0, len(marks), side)]
