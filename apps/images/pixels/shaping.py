"""Geometry on pixels: parts, sizes, turns and canvases. Where and how big is `shapes`' to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyvips

import colours
import shapes
from ops import geometry, values
from ops.base import Op
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene, Work
from pixels.gravity import find

BLUR_SHARE = 0.03
"""Sigma of a blurred backdrop, as a part of its longer side."""


def resize(canvas: Canvas, op: geometry.Resize, scene: Scene) -> Canvas:
    """Scale."""
    size = shapes.resized(canvas.size, op)
    shapes.check_step(size, scene.limits)
    return canvas.resized(size)


def crop(canvas: Canvas, op: geometry.Crop, scene: Scene) -> Canvas:
    """Take a rectangle."""
    del scene
    return canvas.taking(shapes.cropped(canvas.size, op))


def cut(canvas: Canvas, op: geometry.Cut, scene: Scene) -> Canvas:
    """Take a size around what matters."""
    return _around(canvas, shapes.cut(canvas.size, op), op.gravity, scene)


def shape(canvas: Canvas, op: geometry.Shape, scene: Scene) -> Canvas:
    """Take a shape around what matters."""
    return _around(canvas, shapes.shaped(canvas.size, op.ratio), op.gravity, scene)


def _around(canvas: Canvas, part: shapes.Size, gravity: values.Gravity, scene: Scene) -> Canvas:
    if part == canvas.size:
        return canvas
    if gravity.place in values.SMART:
        return canvas.taking((*find(canvas, part, gravity, scene), *part))
    return canvas.taking((*shapes.window(canvas.size, part, gravity), *part))


def trim(canvas: Canvas, op: geometry.Trim, scene: Scene) -> Canvas:
    """Cut off borders of one colour; a picture that is all border stays."""
    del scene
    image = canvas.settled().image.copy_memory()
    seen = image.flatten(background=[255, 255, 255]) if image.hasalpha() else image
    if op.given:
        background = list(op.colour[:3]) if seen.bands == 3 else [op.colour[1]]
    else:
        corner = (0, 0) if op.corner == "top-left" else (seen.width - 1, seen.height - 1)
        background = seen.getpoint(*corner)
    left, top, w, h = seen.find_trim(threshold=float(op.threshold), background=background)
    if not w or not h:
        return canvas.over(image)
    if op.equal_x:
        left = min(left, seen.width - left - w)
        w = seen.width - 2 * left
    if op.equal_y:
        top = min(top, seen.height - top - h)
        h = seen.height - 2 * top
    return canvas.over(image.crop(left, top, w, h))


def rotate(canvas: Canvas, op: geometry.Rotate, scene: Scene) -> Canvas:
    """Turn clockwise."""
    if op.degrees % 90 == 0:
        image = getattr(canvas.image, f"rot{int(op.degrees) % 360}")() if op.degrees % 360 else None
        return canvas if image is None else Canvas(image=image, size=_turned(canvas.size, op))
    image = canvases.with_alpha(canvas.settled().image)
    turned = image.premultiply().rotate(float(op.degrees), background=[0, 0, 0, 0])
    image = turned.unpremultiply().cast("uchar")
    shapes.check_step((image.width, image.height), scene.limits)
    return canvas.over(behind(image, op.bg))


def _turned(size: shapes.Size, op: geometry.Rotate) -> shapes.Size:
    return shapes.after(size, op)


def flip(canvas: Canvas, op: geometry.Flip, scene: Scene) -> Canvas:
    """Mirror."""
    del scene
    image = canvas.image
    if op.x:
        image = image.fliphor()
    if op.y:
        image = image.flipver()
    return Canvas(image=image, size=canvas.size)


def extend(canvas: Canvas, op: geometry.Extend, scene: Scene) -> Canvas:
    """Put it on a larger canvas."""
    size = shapes.extended(canvas.size, op)
    shapes.check_step(size, scene.limits)
    if size == canvas.size:
        return canvas
    image = canvas.settled().image
    x, y = shapes.window(size, canvas.size, op.gravity)
    if op.fill == "blur":
        return canvas.over(_on_itself(image, size, x, y))
    bg = _average(image) if op.fill == "auto" else op.bg
    return canvas.over(embedded(image, x, y, size, bg))


def _average(image: pyvips.Image) -> colours.Colour:
    seen = canvases.coloured(image)
    if seen.hasalpha():
        seen = seen.flatten(background=[255, 255, 255])
    red, green, blue = (round(seen.extract_band(band).avg()) for band in range(3))
    return red, green, blue, 255


def _on_itself(image: pyvips.Image, size: shapes.Size, x: int, y: int) -> pyvips.Image:
    image = canvases.coloured(image).copy_memory()
    cover = geometry.Resize(
        mode="outside", w=values.pixels(size[0]), h=values.pixels(size[1]), enlarge=True
    )
    backdrop = canvases.resize(image, shapes.resized((image.width, image.height), cover))
    inside = shapes.window((backdrop.width, backdrop.height), size, values.CENTRE)
    backdrop = backdrop.crop(*inside, *size).gaussblur(max(size) * BLUR_SHARE, precision="integer")
    if image.hasalpha():
        return backdrop.composite2(image, "over", x=x, y=y).cast("uchar")
    return backdrop.insert(image, x, y)


def pad(canvas: Canvas, op: geometry.Pad, scene: Scene) -> Canvas:
    """Add a border outside."""
    top, _, _, left = shapes.padding(canvas.size, op)
    size = shapes.after(canvas.size, op)
    shapes.check_step(size, scene.limits)
    return canvas.over(embedded(canvas.settled().image, left, top, size, op.bg))


def background(canvas: Canvas, op: geometry.Background, scene: Scene) -> Canvas:
    """Put a colour behind it."""
    del scene
    return Canvas(image=behind(canvas.image, op.colour), size=canvas.size)


def behind(image: pyvips.Image, colour: colours.Colour) -> pyvips.Image:
    """Lay a picture with alpha on a colour, which may have alpha too."""
    if not image.hasalpha() or colour[3] == 0:
        return image
    image = canvases.coloured(image)
    if colour[3] == 255:
        return image.flatten(background=list(colour[:3]))
    ground = image.new_from_image(list(colour)).copy(interpretation="srgb")
    return ground.composite2(image, "over").cast("uchar")


def embedded(
    image: pyvips.Image, x: int, y: int, size: shapes.Size, bg: colours.Colour
) -> pyvips.Image:
    """Put it on a canvas of ``bg``."""
    image = canvases.coloured(image)
    if bg[3] < 255:
        image = canvases.with_alpha(image)
    samples: list[Any] = list(bg[: image.bands])
    return image.embed(x, y, *size, extend="background", background=samples)


WORK: Mapping[type[Op], Work] = {
    geometry.Resize: resize,
    geometry.Crop: crop,
    geometry.Cut: cut,
    geometry.Shape: shape,
    geometry.Trim: trim,
    geometry.Rotate: rotate,
    geometry.Flip: flip,
    geometry.Extend: extend,
    geometry.Pad: pad,
    geometry.Background: background,
}
