"""Where the part that matters lies, when only pixels tell: attention, entropy, faces, objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyvips

from looking import faces
from ops.values import Gravity
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene
from shapes import Size

LOOKED_SIDE_MAX = 512
"""Pixels of the longer side of what is looked at: more tell no more."""
CASCADES = {"face": faces.FACES, "object": (*faces.FACES, *faces.OTHERS)}
"""What each place looks for; where none of it is found, attention decides."""


def find(canvas: Canvas, part: Size, gravity: Gravity, scene: Scene) -> tuple[int, int]:
    """Give the top left corner of the best ``part`` of the canvas, in pixels of its size.

    Raises:
        Refusal: 422; the package that finds faces is not installed.
    """
    del scene
    if gravity.place in CASCADES:
        found = faces.find(lightness(canvas.image), CASCADES[gravity.place])
        if found:
            return around(canvas.size, part, found)
        return _by_saliency(canvas, part, "attention")
    return _by_saliency(canvas, part, gravity.place)


def around(size: Size, part: Size, found: Sequence[faces.Find]) -> tuple[int, int]:
    """Place ``part`` so that the finds lie in its middle; if not all fit, the largest ones."""
    kept = [found[0]]
    for one in found[1:]:
        left, top, right, bottom = _frame([*kept, one])
        if (right - left) * size[0] <= part[0] and (bottom - top) * size[1] <= part[1]:
            kept.append(one)
    left, top, right, bottom = _frame(kept)
    x = round((left + right) / 2 * size[0] - part[0] / 2)
    y = round((top + bottom) / 2 * size[1] - part[1] / 2)
    return min(max(0, x), size[0] - part[0]), min(max(0, y), size[1] - part[1])


def _frame(found: Sequence[faces.Find]) -> tuple[float, float, float, float]:
    """Give left, top, right and bottom of what holds all of them."""
    return (
        min(one.x for one in found),
        min(one.y for one in found),
        max(one.x + one.w for one in found),
        max(one.y + one.h for one in found),
    )


def lightness(image: pyvips.Image) -> faces.Samples:
    """Give 8-bit lightness of a copy small enough to be looked at (rows, columns)."""
    part = min(1.0, faces.LOOKED_SIDE_MAX / max(image.width, image.height))
    size = max(1, round(image.width * part)), max(1, round(image.height * part))
    small = canvases.resize(image.copy_memory(), size)
    if small.hasalpha():
        small = small.flatten(background=[255] * (small.bands - 1))
    grey = small.colourspace("b-w")
    return np.frombuffer(grey.write_to_memory(), np.uint8).reshape(grey.height, grey.width)


def _by_saliency(canvas: Canvas, part: Size, interesting: str) -> tuple[int, int]:
    image = canvases.coloured(canvas.image).copy_memory()
    width, height = canvas.size
    scale = min(1.0, LOOKED_SIDE_MAX / max(width, height))
    small = canvases.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    w = min(small.width, max(1, round(part[0] * scale)))
    h = min(small.height, max(1, round(part[1] * scale)))
    found = small.copy_memory().smartcrop(w, h, interesting=interesting)
    x, y = -found.xoffset / scale, -found.yoffset / scale
    return min(max(0, round(x)), width - part[0]), min(max(0, round(y)), height - part[1])
