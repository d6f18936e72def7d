"""Operations that hold in a part of the picture, or here more than there."""

from __future__ import annotations

from collections.abc import Mapping

import pyvips

from ops import effects
from ops.base import Op
from pixels import canvas as canvases
from pixels import gaussian, masks, sharpness
from pixels.canvas import Canvas, Scene, Work
from shapes import Box


def gradient(canvas: Canvas, op: effects.Gradient, scene: Scene) -> Canvas:
    """Lay a colour over it that grows in one direction; what is clear stays clear."""
    del scene
    degrees = sharpness.TURNS[op.direction] + float(op.degrees)
    cover = masks.ramp(canvas.size, degrees, float(op.start), float(op.stop))
    return _shaded(canvas, op.colour, cover.linear(float(op.amount), 0))


def vignette(canvas: Canvas, op: effects.Vignette, scene: Scene) -> Canvas:
    """Lay a colour over the corners; what is clear stays clear."""
    del scene
    cover = masks.corners(canvas.size).linear(float(op.amount), 0)
    return _shaded(canvas, op.colour, cover)


def _shaded(canvas: Canvas, colour: tuple[int, int, int, int], cover: pyvips.Image) -> Canvas:
    image = canvas.settled().image.copy_memory()
    return canvas.over(masks.painted(image, colour, cover, keep_alpha=True))


def region(canvas: Canvas, op: effects.Region, scene: Scene) -> Canvas:
    """Blur, pixelate or paint over what of a rectangle or oval lies in the picture."""
    del scene
    width, height = canvas.size
    x, y = op.x.of(width), op.y.of(height)
    wanted = x, y, op.w.of(width), op.h.of(height)
    left, top = max(0, x), max(0, y)
    right, bottom = min(width, x + wanted[2]), min(height, y + wanted[3])
    if right <= left or bottom <= top:
        return canvas
    image = canvas.settled().image
    if op.how == "colour" and len(set(op.colour[:3])) > 1:
        image = canvases.coloured(image)
    image = image.copy_memory()
    part = image.crop(left, top, right - left, bottom - top).copy_memory()
    hidden = _hidden(part, op)
    if op.oval:
        hidden = masks.mixed(part, hidden, _oval(wanted, (left, top, part.width, part.height)))
    return canvas.over(image.insert(hidden, left, top))


def _hidden(part: pyvips.Image, op: effects.Region) -> pyvips.Image:
    """Give the part as it is to look; only itself is looked at, so nothing around it shows."""
    if op.how == "blur":
        return gaussian.blurred(part, float(op.strength))
    if op.how == "pixelate":
        return sharpness.squares(part, max(1, round(op.strength)))
    everywhere = pyvips.Image.black(part.width, part.height).linear(0, 1)
    return masks.painted(part, op.colour, everywhere, keep_alpha=False)


def _oval(wanted: Box, part: Box) -> pyvips.Image:
    """Cover what of the oval in the wanted box is in the part."""
    x, y, w, h = wanted
    centre = x + w / 2 - part[0], y + h / 2 - part[1]
    return masks.ellipse(part[2:], centre, (w / 2, h / 2))


WORK: Mapping[type[Op], Work] = {
    effects.Gradient: gradient,
    effects.Vignette: vignette,
    effects.Region: region,
}
