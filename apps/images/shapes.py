"""How big, what part, where on the canvas: arithmetic on sides, before any pixel exists. Pure.

Sizes are (w, h), boxes (x, y, w, h), in whole pixels. Sides round half up, offsets of a half
towards the top left: the same for whoever asked, in whatever dialect.
"""

from __future__ import annotations

import math
from decimal import Decimal

import limits as limit_names
import refusals
from ops import effects, geometry, values
from ops.base import Op

Size = tuple[int, int]
Box = tuple[int, int, int, int]
INNER_AREA_FACTOR = 4
"""How much larger than the largest output a step on the way to it may be."""

ROUNDING_ERROR = 1e-6
"""Pixels by which a side may seem longer than it is when it comes from sines."""
SHADOW_REACH = 3
"""How far a shadow is seen, in its sigmas."""


def after(size: Size, op: Op) -> Size:
    """Give the size after an operation; as before for those that keep it or cannot tell.

    Raises:
        Refusal: 400; nothing would be left, or a strict resize would enlarge.
    """
    match op:
        case geometry.Resize():
            return resized(size, op)
        case geometry.Crop():
            return cropped(size, op)[2:]
        case geometry.Cut():
            return cut(size, op)
        case geometry.Shape():
            return shaped(size, op.ratio)
        case geometry.Extend():
            return extended(size, op)
        case geometry.Pad():
            top, right, bottom, left = padding(size, op)
            return size[0] + left + right, size[1] + top + bottom
        case geometry.Rotate():
            return turned(size, op.degrees)
        case effects.Shadow():
            return shadowed(size, op)[0]
    return size


def check(size: Size, limits: limit_names.Limits) -> None:
    """Check the size of the finished picture.

    Raises:
        Refusal: 422.
    """
    if max(size) > limits.output_side:
        raise refusals.unusable(
            "output_too_large",
            f"the picture would be larger than {limits.output_side} pixels wide"
            " or high (limit output_side)",
        )
    if size[0] * size[1] > limits.output_pixels:
        raise refusals.unusable(
            "output_too_large",
            f"the picture would have more than {limits.output_pixels} pixels (limit output_pixels)",
        )


def check_step(size: Size, limits: limit_names.Limits) -> None:
    """Check the size of a step on the way to the finished picture.

    Raises:
        Refusal: 422.
    """
    area = INNER_AREA_FACTOR * limits.output_pixels
    if size[0] * size[1] > area or max(size) > limits.source_side:
        raise refusals.unusable(
            "too_elongated",
            f"a step on the way would be {size[0]} x {size[1]}, more than {area} pixels or"
            f" {limits.source_side} a side (limits output_pixels, source_side)",
        )


def resized(size: Size, op: geometry.Resize) -> Size:
    """Give the size that scaling leads to.

    Raises:
        Refusal: 400; ``strict``, and it would enlarge or be nothing.
    """
    width, height = size
    w, h = _box(size, op)
    found = size
    if w and h and op.mode == "fill":
        found = (w, h) if op.enlarge or op.strict else _limited(size, (w, h), even=op.even)
    elif w and h:
        mode = op.mode
        if mode == "auto":  # a square lies
            mode = "outside" if (w >= h) == (width >= height) else "inside"
        # Compare w/width with h/height without leaving the integers: the same on every machine.
        by_width = (w * height < h * width) != (mode == "outside")
        found = (w, side(height, w, width)) if by_width else (side(width, h, height), h)
    elif w:
        found = (w, height if op.mode == "fill" else side(height, w, width))
    elif h:
        found = (width if op.mode == "fill" else side(width, h, height), h)
    if not op.enlarge and (found[0] > width or found[1] > height):
        if op.strict:
            raise refusals.parameter(
                "size", f"{found[0]}x{found[1]}", f"at most the region's own {width}x{height}"
            )
        found = size
    found = _at_most(found, op.area)
    return _at_least(found, op, of=found if op.mode == "fill" else size)


def _limited(size: Size, wanted: Size, *, even: bool) -> Size:
    """Give the size that is wanted where no side may grow."""
    (width, height), (w, h) = size, wanted
    if not even or (w <= width and h <= height):
        return min(w, width), min(h, height)
    if w * height >= h * width:  # the width has to give way more
        return width, side(h, width, w)
    return side(w, height, h), height


def _at_most(found: Size, area: int) -> Size:
    w, h = found
    if not area or w * h <= area:
        return found
    across = min(area, max(1, math.isqrt(area * w // h)))
    return across, max(1, min(area // across, across * h // w))


def _box(size: Size, op: geometry.Resize) -> Size:
    sides = tuple(zip((op.w, op.h), size, strict=True))
    if op.strict and any(length.value and not length.of(own) for length, own in sides):
        raise refusals.parameter("size", str(op), "at least one pixel")
    w, h = (max(1, length.of(own)) if length.value else 0 for length, own in sides)
    if op.swap and _lies_across(size, (w, h)):
        return h, w
    return w, h


def _lies_across(size: Size, box: Size) -> bool:
    """Tell whether one lies where the other stands; squares and open boxes do neither."""
    return bool(box[0] and box[1]) and (box[0] - box[1]) * (size[0] - size[1]) < 0


def _at_least(found: Size, op: geometry.Resize, *, of: Size) -> Size:
    """Grow to what is the least, in the shape ``of``."""
    w, h = found
    if w < op.least_w:
        w, h = op.least_w, side(of[1], op.least_w, of[0])
    if h < op.least_h:
        w, h = side(of[0], op.least_h, of[1]), op.least_h
    return w, h


def cropped(size: Size, op: geometry.Crop) -> Box:
    """Give the part of a rectangle that lies inside.

    Raises:
        Refusal: 400; nothing does.
    """
    x, y = op.x.of(size[0]), op.y.of(size[1])
    right, bottom = min(size[0], x + op.w.of(size[0])), min(size[1], y + op.h.of(size[1]))
    x, y = max(0, x), max(0, y)
    if right <= x or bottom <= y:
        raise refusals.parameter("region", str(op), f"within the picture of {size[0]}x{size[1]}")
    return x, y, right - x, bottom - y


def cut(size: Size, op: geometry.Cut) -> Size:
    """Give the size of what is cut out."""
    w = max(1, op.w.of(size[0])) if op.w.value else size[0]
    h = max(1, op.h.of(size[1])) if op.h.value else size[1]
    if op.ratio and op.dpr > 1:
        least = tuple(max(1, values.pixels(one / op.dpr).of(one)) for one in (w, h))
        if least[0] > size[0] or least[1] > size[1]:
            return min(least[0], size[0]), min(least[1], size[1])
    if op.ratio and (w > size[0] or h > size[1]):
        return shaped(size, Decimal(w) / Decimal(h))
    return min(w, size[0]), min(h, size[1])


def shaped(size: Size, ratio: Decimal) -> Size:
    """Give the largest size within that has the ratio w / h."""
    width, height = size
    w = min(width, _whole(height * ratio))
    h = min(height, _whole(width / ratio))
    return max(1, w), max(1, h)


def extended(size: Size, op: geometry.Extend) -> Size:
    """Give the size of the canvas."""
    w, h = op.w.of(size[0]), op.h.of(size[1])
    if op.swap and _lies_across(size, (w, h)):
        w, h = h, w
    if op.ratio and w and h:
        ratio = Decimal(w) / Decimal(h)
        return max(size[0], _whole(size[1] * ratio)), max(size[1], _whole(size[0] / ratio))
    return max(size[0], w), max(size[1], h)


def padding(size: Size, op: geometry.Pad) -> tuple[int, int, int, int]:
    """Give top, right, bottom and left."""
    w, h = size
    return op.top.of(h), op.right.of(w), op.bottom.of(h), op.left.of(w)


def turned(size: Size, degrees: Decimal) -> Size:
    """Give the size of the canvas that holds all of it, turned."""
    quarters, rest = divmod(degrees, 90)
    if not rest:
        return (size[1], size[0]) if quarters % 2 else size
    angle = math.radians(float(degrees))
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    w, h = size[0] * cos + size[1] * sin, size[0] * sin + size[1] * cos
    return math.ceil(w - ROUNDING_ERROR), math.ceil(h - ROUNDING_ERROR)


def shadowed(size: Size, op: effects.Shadow) -> tuple[Size, int, int]:
    """Give the size of a canvas for a picture and its shadow, and where on it the picture is."""
    reach = math.ceil(SHADOW_REACH * op.sigma)
    left, right = max(0, reach - op.x), max(0, reach + op.x)
    top, bottom = max(0, reach - op.y), max(0, reach + op.y)
    return (size[0] + left + right, size[1] + top + bottom), left, top


def window(size: Size, part: Size, gravity: values.Gravity) -> tuple[int, int]:
    """Place ``part`` within ``size`` by a gravity that needs no pixels; never outside."""
    free = size[0] - part[0], size[1] - part[1]
    x, y = place(size, part, gravity)
    return min(max(0, x), max(0, free[0])), min(max(0, y), max(0, free[1]))


def place(size: Size, part: Size, gravity: values.Gravity) -> tuple[int, int]:
    """Give where ``part`` lies on ``size``; offsets may push it out."""
    free = size[0] - part[0], size[1] - part[1]
    if gravity.place == "fp":
        return tuple(
            _whole(one.value * side_ if one.share else one.value) - part_ // 2
            for one, side_, part_ in zip((gravity.x, gravity.y), size, part, strict=True)
        )  # type: ignore[return-value]
    dx, dy = gravity.x.of(size[0]), gravity.y.of(size[1])
    name = gravity.place if gravity.place in values.SIDES else "ce"
    x = dx if "we" in name else free[0] - dx if "ea" in name else _half(free[0]) + dx
    y = dy if "no" in name else free[1] - dy if "so" in name else _half(free[1]) + dy
    return x, y


def side(length: int, numerator: int, denominator: int) -> int:
    """Give ``length`` x ``numerator`` / ``denominator``, half rounded up, never below 1."""
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))


def _whole(value: Decimal) -> int:
    return int(value + Decimal("0.5"))


def _half(difference: int) -> int:
    return difference // 2 if difference >= 0 else -(-difference // 2)
