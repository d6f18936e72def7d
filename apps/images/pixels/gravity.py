"""Where the part that matters lies, when only pixels tell: attention, entropy, faces, objects."""

from __future__ import annotations

import refusals
from ops.values import Gravity
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene
from shapes import Size

LOOKED_SIDE_MAX = 512
"""Pixels of the longer side of what is looked at: more tell no more."""


def find(canvas: Canvas, part: Size, gravity: Gravity, scene: Scene) -> tuple[int, int]:
    """Give the top left corner of the best ``part`` of the canvas, in pixels of its size.

    Raises:
        Refusal: this way of finding it is not installed.
    """
    del scene
    if gravity.place not in ("attention", "entropy"):
        raise refusals.unusable("unsupported_operation", f"gravity {gravity.place} is not there")
    return _by_saliency(canvas, part, gravity.place)


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
