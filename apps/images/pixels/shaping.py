"""Geometry on pixels: parts, sizes, turns and canvases. Where and how big is `shapes`' to say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyvips

import colours
import shapes
from ops import geometry, values
from ops.base import Op
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene, Work
from pixels.gaussian import blurred
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
    left, top, w, h = _other(image, op).find_trim(threshold=0.5, background=[0], line_art=True)
    if not w or not h:
        return canvas.over(image)
    if op.equal_x:
        left = min(left, image.width - left - w)
        w = image.width - 2 * left
    if op.equal_y:
        top = min(top, image.height - top - h)
        h = image.height - 2 * top
    return canvas.over(image.crop(left, top, w, h))


def _other(image: pyvips.Image, op: geometry.Trim) -> pyvips.Image:
    """Tell, by 255 or 0, which pixels have another colour than the border.

    By their distance in red, green, blue and alpha, colours weighed by alpha: however clear pixels
    are coloured, they are alike.
    """
    image = canvases.coloured(image)
    seen = image.premultiply() if image.hasalpha() else image
    if op.given:
        alpha = op.colour[3] / 255 if image.hasalpha() else 1
        border = [*(part * alpha for part in op.colour[:3]), op.colour[3]][: image.bands]
    else:
        corner = (0, 0) if op.corner == "top-left" else (image.width - 1, image.height - 1)
        border = seen.getpoint(*corner)
    away = seen - border
    return (away * away).recomb([[1.0] * image.bands]) > float(op.threshold) ** 2


def rotate(canvas: Canvas, op: geometry.Rotate, scene: Scene) -> Canvas:
    """Turn clockwise."""
    size = shapes.turned(canvas.size, op.degrees)
    if op.degrees % 90 == 0:
        turn = {90: "rot90", 180: "rot180", 270: "rot270"}.get(int(op.degrees))
        return Canvas(image=getattr(canvas.image, turn)(), size=size) if turn else canvas
    shapes.check_step(size, scene.limits)
    image = canvases.with_alpha(canvas.settled().image)
    angle = math.radians(float(op.degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    turned = image.premultiply().affine(
        [cos, -sin, sin, cos],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, *size],
        idx=-(image.width - 1) / 2,
        idy=-(image.height - 1) / 2,
        odx=(size[0] - 1) / 2,
        ody=(size[1] - 1) / 2,
        extend="background",
        background=[0],
    )
    image = turned.unpremultiply().rint().cast("uchar").copy_memory()
    return canvas.over(behind(image, op.bg))


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
    backdrop = blurred(backdrop.crop(*inside, *size), max(size) * BLUR_SHARE)
    if image.hasalpha():
        return backdrop.composite2(image, "over", x=x, y=y).rint().cast("uchar")
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
    return ground.composite2(image, "over").rint().cast("uchar")


def embedded(
    image: pyvips.Image, x: int, y: int, size: shapes.Size, bg: colours.Colour
) -> pyvips.Image:
    """Put it on a canvas of ``bg``."""
    if bg[3] < 255:
        image = canvases.with_alpha(image)
    elif len(set(bg[:3])) > 1:
        image = canvases.coloured(image)
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
