"""Other pictures over this one: fetched, decoded and worked on as any picture, then laid.

Each is made once for one picture, however often it is named. How it is laid is in `over`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyvips

import decode
import refusals
import shapes
from ops import geometry, layers, values
from ops.base import Op
from pixels import over, patches, shaping
from pixels.canvas import Canvas, Scene, Work


def layer(canvas: Canvas, op: layers.Layer, scene: Scene) -> Canvas:
    """Lay another picture over this one.

    Raises:
        Refusal: it cannot be had or made; says which.
    """
    how = over.Laying(
        gravity=op.gravity,
        opacity=op.opacity,
        blend=op.blend,
        degrees=op.degrees,
        tile=op.tile,
        along=op.along,
        spread=op.spread,
    )
    if op.fit == "patch":
        patch = patches.read(picture(op.file, layers.inner(op), scene))
        below = _padded(canvas, patch, scene)
        return over.lay(below, patches.drawn(patch, below.size), how, scene)
    ops = (*layers.inner(op), *_boxed(op, canvas.size))
    return over.lay(canvas, picture(op.file, ops, scene), how, scene)


def _padded(canvas: Canvas, patch: patches.Patch, scene: Scene) -> Canvas:
    """Add what a frame marks as outside of its content, clear."""
    top, right, bottom, left = patch.padding
    size = canvas.size[0] + left + right, canvas.size[1] + top + bottom
    shapes.check_step(size, scene.limits)
    if size == canvas.size:
        return canvas
    return canvas.over(shaping.embedded(canvas.settled().image, left, top, size, geometry.CLEAR))


def picture(file: str, ops: tuple[Op, ...], scene: Scene) -> pyvips.Image:
    """Make the picture ``NAME/path``; its pixels are in memory.

    Raises:
        Refusal: it cannot be had or made, layers lie too deep, or are too big together.
    """
    known = scene.drawn.get((file, ops))
    if known is not None:
        return known
    if scene.depth >= layers.NESTED_MAX:
        allowed = f"nested at most {layers.NESTED_MAX} deep"
        raise refusals.parameter("layers", str(scene.depth + 1), allowed)
    try:
        drawn = scene.draw(scene.fetch(file), ops, replace(scene, depth=scene.depth + 1))
        _check_room(drawn.image, scene)
        image = drawn.image.copy_memory()
    except pyvips.Error as error:
        raise refusals.of_layer(decode.refused(error), file) from error
    except refusals.Refusal as refusal:
        raise refusals.of_layer(refusal, file) from refusal
    scene.drawn[(file, ops)] = image
    return image


def lightness(file: str, size: shapes.Size, scene: Scene) -> pyvips.Image:
    """Stretch the picture ``NAME/path`` to ``size`` and say how light it is: 0 to 1, clear is 0.

    Raises:
        Refusal: as `picture`.
    """
    w, h = map(values.pixels, size)
    image = picture(file, (geometry.Resize("fill", w, h, enlarge=True),), scene)
    if image.hasalpha():
        image = image.flatten(background=[0] * (image.bands - 1))
    return image.colourspace("b-w").linear(1 / 255, 0)


def _boxed(op: layers.Layer, size: shapes.Size) -> tuple[Op, ...]:
    """Give the resize into the layer's box; shares are of the picture below."""
    w, h = (
        max(1, length.of(side)) if length.value else 0
        for length, side in zip((op.w, op.h), size, strict=True)
    )
    if not (w or h) or op.fit == "patch":
        return ()
    return (geometry.Resize(op.fit, values.pixels(w), values.pixels(h), enlarge=True),)


def _check_room(image: pyvips.Image, scene: Scene) -> None:
    taken = sum(one.width * one.height for one in (image, *scene.drawn.values()))
    if taken > scene.limits.output_pixels:
        raise refusals.unusable(
            "layers_too_large",
            f"the layers have more than {scene.limits.output_pixels} pixels together"
            " (limit output_pixels)",
        )


WORK: Mapping[type[Op], Work] = {layers.Layer: layer}
