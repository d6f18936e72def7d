"""Operations on the picture's outline: round corners, masks, borders and shadows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pyvips

import shapes
from ops import effects
from ops.base import Op
from pixels import canvas as canvases
from pixels import gaussian, layers, masks, shaping
from pixels.canvas import Canvas, Scene, Work
from shapes import Size


def round_(canvas: Canvas, op: effects.Round, scene: Scene) -> Canvas:
    """Round the corners; at most half of each side."""
    del scene
    width, height = canvas.size
    radii = (
        min(op.rx.of(width), width / 2),
        min((op.ry if op.ry.value else op.rx).of(height), height / 2),
    )
    if not min(radii):
        return canvas
    cover = masks.rounded(canvas.size, radii)
    return _kept(canvas, cover, op.bg)


def mask(canvas: Canvas, op: effects.Mask, scene: Scene) -> Canvas:
    """Keep what is in the shape, or where the file is light.

    Raises:
        Refusal: the file cannot be had or made.
    """
    if op.shape == "file":
        return _kept(canvas, layers.lightness(op.file, canvas.size, scene), op.bg)
    return _kept(canvas, _COVERS[op.shape](canvas.size), op.bg)


def _kept(canvas: Canvas, cover: pyvips.Image, bg: tuple[int, int, int, int]) -> Canvas:
    image = masks.masked(canvas.settled().image, cover)
    if bg[3] == 0:
        return canvas.over(image)
    return canvas.over(shaping.behind(image.copy_memory(), bg))


def _ellipse(size: Size) -> pyvips.Image:
    return masks.ellipse(size, (size[0] / 2, size[1] / 2), (size[0] / 2, size[1] / 2))


def _circle(size: Size) -> pyvips.Image:
    radius = min(size) / 2
    return masks.ellipse(size, (size[0] / 2, size[1] / 2), (radius, radius))


def _regular(count: int, *, first: float = -90) -> list[masks.Point]:
    """Give the corners of a regular polygon, clockwise; the first at that angle."""
    angles = [math.radians(first + at * 360 / count) for at in range(count)]
    return [(math.cos(angle), math.sin(angle)) for angle in angles]


_COVERS: Mapping[str, Callable[[Size], pyvips.Image]] = {
    "ellipse": _ellipse,
    "circle": _circle,
    "triangle": lambda size: masks.polygon(size, _regular(3)),
    "pentagon": lambda size: masks.polygon(size, _regular(5)),
    "hexagon": lambda size: masks.polygon(size, _regular(6, first=0)),
    "star": lambda size: masks.polygon(size, _regular(5), crossing=True),
    "heart": masks.heart,
}


def border(canvas: Canvas, op: effects.Border, scene: Scene) -> Canvas:
    """Paint the outermost pixels; shares are of the shorter side."""
    del scene
    width = op.width.of(min(canvas.size))
    if not width:
        return canvas
    image = canvas.settled().image.copy_memory()
    cover = masks.frame(canvas.size, width)
    return canvas.over(masks.painted(image, op.colour, cover, keep_alpha=False))


def shadow(canvas: Canvas, op: effects.Shadow, scene: Scene) -> Canvas:
    """Put the blurred shape of what is not clear behind it."""
    size, x, y = shapes.shadowed(canvas.size, op)
    shapes.check_step(size, scene.limits)
    image = canvases.with_alpha(canvas.settled().image).copy_memory()
    shape = image.extract_band(3).embed(x + op.x, y + op.y, *size).copy_memory()
    soft = gaussian.blurred(shape, float(op.sigma))
    spread = soft.recomb([[0], [0], [0], [op.colour[3] / 255]])
    dark = spread.linear([1, 1, 1, 1], [*op.colour[:3], 0.5]).cast("uchar")
    dark = dark.copy(interpretation="srgb")
    return canvas.over(dark.composite2(image, "over", x=x, y=y).rint().cast("uchar"))


WORK: Mapping[type[Op], Work] = {
    effects.Round: round_,
    effects.Mask: mask,
    effects.Border: border,
    effects.Shadow: shadow,
}
