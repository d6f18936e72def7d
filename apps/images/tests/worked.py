"""Operations done on Pillow pictures, for tests: Pillow in, Pillow out, whatever stands between.

Here too is how their arguments are written, and how far two pictures are apart.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

import limits
import render
from ops import values
from ops.base import Op
from pixels import table
from pixels.canvas import Canvas, Scene

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
SCENE = Scene(limits=limits.Limits(), fetch=render.nowhere)


def canvas(image: Image.Image) -> Canvas:
    """Give the canvas of an L, RGB or RGBA picture."""
    bands = len(image.getbands())
    seen = pyvips.Image.new_from_memory(image.tobytes(), *image.size, bands, "uchar")
    return Canvas(image=seen.copy(interpretation="b-w" if bands == 1 else "srgb"), size=image.size)


def work(image: Image.Image, *ops: Op) -> Image.Image:
    """Do the operations in their order."""
    done = table.apply(canvas(image), ops, SCENE).image
    assert done.format == "uchar"
    assert done.interpretation == ("b-w" if done.bands == 1 else "srgb")
    return Image.frombytes(MODES[done.bands], (done.width, done.height), done.write_to_memory())


def number(value: float | str) -> Decimal:
    return Decimal(str(value))


def px(count: int) -> values.Length:
    return values.pixels(count)


def part(share: float) -> values.Length:
    return values.share(number(share))


def away(one: Image.Image, other: Image.Image) -> float:
    """Give the mean difference of samples."""
    assert (one.mode, one.size) == (other.mode, other.size)
    a, b = (np.asarray(each, dtype=np.float32) for each in (one, other))
    return float(np.abs(a - b).mean())


def apart(one: Image.Image, other: Image.Image) -> int:
    """Give the largest difference between two samples."""
    assert (one.mode, one.size) == (other.mode, other.size)
    a, b = (np.asarray(each, dtype=np.int16) for each in (one, other))
    return int(np.abs(a - b).max())
