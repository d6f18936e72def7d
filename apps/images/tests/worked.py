"""Operations done on Pillow pictures, for tests: Pillow in, Pillow out, whatever stands between."""

from __future__ import annotations

import pyvips
from PIL import Image

import limits
import render
from ops.base import Op
from pixels import table
from pixels.canvas import Canvas, Scene

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
