"""One picture laid over another: where, how see-through, by which blend mode. For layers and words.

Blend modes are libvips' (those of cairo and PDF). Where a layer is clear, most leave what is below;
a few empty it, and work on the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pyvips

import shapes
from ops.layers import Along, Blend
from ops.values import Gravity
from pixels import calm
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene

SMALL_SHARE = 0.5
"""A layer that covers no more of the picture is worked on alone and put back."""
_EVERYWHERE = frozenset({"source", "in", "out", "dest-in", "dest-atop", "clear"})
"""Modes that change the picture where the layer is clear or not at all."""
_THINNING = _EVERYWHERE | {"dest-out", "xor"}
"""Modes that may leave an opaque picture see-through."""

SPREAD_MAX, SPREAD_ALONG, SPREAD_GAP = 100, 6, 10
"""Spread copies: more than the first are as many as the second along each side; and pixels between
two of which the second is cut off. All three are thumbor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laying:
    """How a layer lies: the arguments that layers and words share.

    ``margin`` is what of it on every side does not count where its place is found.
    """

    gravity: Gravity
    opacity: Decimal
    blend: Blend
    degrees: Decimal
    tile: bool
    along: Along = "both"
    spread: bool = False
    margin: int = 0


def lay(canvas: Canvas, image: pyvips.Image, how: Laying, scene: Scene) -> Canvas:
    """Lay ``image`` over the canvas; what is outside is not seen.

    Raises:
        Refusal: 422; turned, it would be too big.
    """
    image = _prepared(image, how, scene)
    canvas = canvas.settled()
    below = canvases.coloured(canvas.image)
    size = (below.width, below.height)
    x, y = _place(canvas, image, how)
    if how.tile:
        tiled = _spread if how.spread else _tiled
        image, x, y = tiled(image, (x, y), size, how.along)
    left, top = max(0, x), max(0, y)
    w, h = min(size[0], x + image.width) - left, min(size[1], y + image.height) - top
    if w > 0 and h > 0:
        image = image.crop(left - x, top - y, w, h)
    elif how.blend in _EVERYWHERE:
        image, left, top, w, h = image.new_from_image([0, 0, 0, 0]).crop(0, 0, 1, 1), 0, 0, 1, 1
    else:
        return canvas
    if how.blend in _EVERYWHERE or w * h > SMALL_SHARE * size[0] * size[1]:
        return canvas.over(_blended(below, image, how.blend, left, top))
    part = below.crop(left, top, w, h)
    blended = _blended(part, image, how.blend, 0, 0)
    if blended.bands > below.bands:
        below = canvases.with_alpha(below)
    return canvas.over(below.insert(blended, left, top))


def _place(canvas: Canvas, image: pyvips.Image, how: Laying) -> tuple[int, int]:
    counted = image.width - 2 * how.margin, image.height - 2 * how.margin
    gravity = calm.settled(canvas, how.gravity, counted)
    x, y = shapes.place(canvas.size, counted, gravity)
    return x - how.margin, y - how.margin


def _blended(below: pyvips.Image, image: pyvips.Image, blend: str, x: int, y: int) -> pyvips.Image:
    opaque = not below.hasalpha()
    if opaque and blend == "over":  # the same in whole numbers, in half the time
        image = image.embed(x, y, below.width, below.height)
        colour = image.extract_band(0, n=3)
        return image.extract_band(3).ifthenelse(colour, below, blend=True)
    both = below.composite2(image, blend, x=x, y=y)
    if opaque and blend not in _THINNING:
        both = both.extract_band(0, n=3)
    return both.cast("uchar")


def _prepared(image: pyvips.Image, how: Laying, scene: Scene) -> pyvips.Image:
    image = canvases.with_alpha(image).copy(interpretation="srgb")
    if how.degrees % 360:
        turned = image.premultiply().rotate(float(how.degrees), background=[0, 0, 0, 0])
        image = turned.unpremultiply().cast("uchar")
        shapes.check_step((image.width, image.height), scene.limits)
    if how.opacity < 1:
        alpha = image.extract_band(3).linear(float(how.opacity), 0.5).cast("uchar")
        image = image.extract_band(0, n=3).bandjoin(alpha).copy(interpretation="srgb")
    return image


def _tiled(
    image: pyvips.Image, at: tuple[int, int], size: shapes.Size, along: Along
) -> tuple[pyvips.Image, int, int]:
    """Repeat it from ``at``, over all of ``size`` in the directions meant; give where it lies."""
    (x, left, across) = _repeated(at[0], image.width, size[0], once=along == "down")
    (y, top, down) = _repeated(at[1], image.height, size[1], once=along == "across")
    w = image.width if along == "down" else size[0]
    h = image.height if along == "across" else size[1]
    return image.replicate(across, down).crop(left, top, w, h), x, y


def _repeated(at: int, side: int, whole: int, *, once: bool) -> tuple[int, int, int]:
    """Give where the row of copies begins, how much of the first is cut off, and how many."""
    if once:
        return at, 0, 1
    cut = -at % side
    return 0, cut, -(-(cut + whole) // side)


def _spread(
    image: pyvips.Image, at: tuple[int, int], size: shapes.Size, along: Along
) -> tuple[pyvips.Image, int, int]:
    """Repeat it as often as it fits, with gaps between; give where it lies."""
    across = 1 if along == "down" else _fitting(image.width, size[0])
    down = 1 if along == "across" else _fitting(image.height, size[1])
    if across * down > SPREAD_MAX:
        across, down = min(across, SPREAD_ALONG), min(down, SPREAD_ALONG)
    wide, high = _gap(image.width, size[0], across), _gap(image.height, size[1], down)
    cell = image.embed(0, 0, image.width + wide, image.height + high)
    x, y = at[0] if along == "down" else 0, at[1] if along == "across" else 0
    return cell.replicate(across, down), x, y


def _fitting(side: int, whole: int) -> int:
    """Give how many copies there are: where no two fit, the second is cut off."""
    return whole // side if whole >= 2 * side else -(-whole // side)


def _gap(side: int, whole: int, count: int) -> int:
    if whole < 2 * side:
        return SPREAD_GAP
    return (whole - count * side) // (max(count, 2) - 1)
