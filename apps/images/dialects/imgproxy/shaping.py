"""What is said of the shape → operations, in the order of imgproxy's pipeline. Pure.

trim, turn, crop, scale, cut to the result, effects, canvas, padding. Facts: imgproxy's processing
(prepare, crop, extend): sides round half away from zero; a dpr never enlarges unless ``el:1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import colours
from dialects.imgproxy import arguments
from dialects.imgproxy.said import Said
from ops import geometry, values
from ops.base import Op

MODES = {"fit": "inside", "fill": "outside", "fill-down": "outside", "auto": "auto"}
_ONE = Decimal(1)


def before(said: Said) -> Iterator[Op]:
    """Give what comes in front of the effects."""
    if said.trim is not None:
        colour = said.trim_colour
        yield geometry.Trim(
            said.trim,
            given=colour is not None,
            colour=colour or colours.WHITE,
            equal_x=said.trim_x,
            equal_y=said.trim_y,
        )
    if said.rotate:
        yield geometry.Rotate(Decimal(said.rotate))
    if said.flip_x or said.flip_y:
        yield geometry.Flip(said.flip_x, said.flip_y)
    if said.crop_w or said.crop_h or said.crop_ratio:
        yield from _cropped(said)
    yield from _scaled(said)


def after(said: Said) -> Iterator[Op]:
    """Give what comes behind the effects: canvas and padding, on the background."""
    bg = background(said)
    if bg is None or bg[3] < 255:  # one with alpha is laid behind everything afterwards
        bg = geometry.CLEAR
    if not (said.extend or said.extend_shape or any(said.padding)):
        return
    w, h = box(said)
    if said.extend and (w or h):
        gravity = arguments.scaled(said.extend_gravity, said.dpr)
        yield geometry.Extend(values.pixels(w), values.pixels(h), gravity, bg)
    if said.extend_shape and w and h:
        gravity = arguments.scaled(said.extend_shape_gravity, said.dpr)
        yield geometry.Extend(values.pixels(w), values.pixels(h), gravity, bg, ratio=True)
    if any(said.padding):
        top, right, bottom, left = (values.pixels(_times(side, said.dpr)) for side in said.padding)
        yield geometry.Pad(top, right, bottom, left, bg)


def background(said: Said) -> colours.Colour | None:
    """Give the background with its alpha."""
    if said.bg is None:
        return None
    return said.bg if said.bg_alpha == 1 else (*said.bg[:3], _whole(said.bg_alpha * 255))


def box(said: Said) -> tuple[int, int]:
    """Give the size that is asked for in pixels, zoom and dpr included; 0 is not said."""
    return _times(said.w, said.zoom_x * said.dpr), _times(said.h, said.zoom_y * said.dpr)


def _times(side: int, factor: Decimal) -> int:
    if factor == 1 or not side:
        return side
    return min(_whole(side * factor) or 1, geometry.SIDE_MAX)


def _whole(value: Decimal) -> int:
    return int(value.quantize(_ONE, rounding=ROUND_HALF_UP))


def _cropped(said: Said) -> Iterator[Op]:
    gravity = said.gravity if said.crop_gravity is None else said.crop_gravity
    w, h = (
        values.pixels(int(side)) if side >= 1 else values.share(side)
        for side in (said.crop_w, said.crop_h)
    )
    ratio = said.crop_ratio
    if ratio and w.value and h.value and not (w.share or h.share):
        across, down = int(w.value), int(h.value)
        wider = across > down * ratio
        if wider == said.crop_grows:  # keep the width, change the height
            down = max(1, _whole(across / ratio))
        else:
            across = max(1, _whole(down * ratio))
        w, h, ratio = values.pixels(across), values.pixels(down), Decimal(0)
        yield geometry.Cut(w, h, gravity, ratio=True)
        return
    if w.value or h.value:
        yield geometry.Cut(w if w.value else values.ZERO, h if h.value else values.ZERO, gravity)
    if ratio:
        yield geometry.Shape(ratio, gravity)


def _scaled(said: Said) -> Iterator[Op]:
    w, h = box(said)
    least = _times(said.least_w, said.dpr), _times(said.least_h, said.dpr)
    yield from _sized(said, w, h, least)
    if any(least) or (w and h and said.mode in ("fill", "fill-down", "auto")):
        yield _result(said, w, h)


def _sized(said: Said, w: int, h: int, least: tuple[int, int]) -> Iterator[Op]:
    across, down = values.pixels(w), values.pixels(h)
    mode = MODES.get(said.mode, "fill") if w and h else "inside"
    evenly = said.zoom_x == said.zoom_y
    if evenly and not (w or h):
        across = down = _share(said.zoom_x * said.dpr, grows=said.enlarge)
    elif said.mode == "force" or not (w or h):
        mode = "fill"
        across, down = _forced(said)
    elif not evenly:
        across, down = (values.pixels(_times(side, said.dpr)) for side in (said.w, said.h))
    even = mode == "fill" and not said.enlarge and bool(across.value and down.value)
    yield geometry.Resize(
        mode,  # type: ignore[arg-type]
        across,
        down,
        said.enlarge,
        least_w=least[0],
        least_h=least[1],
        even=even,
    )
    if not evenly and mode != "fill":
        across, down = (values.share(zoom) for zoom in (said.zoom_x, said.zoom_y))
        yield geometry.Resize("fill", across, down, said.enlarge, even=not said.enlarge)


def _forced(said: Said) -> tuple[values.Length, values.Length]:
    """Each side on its own; where one is its own, a dpr must not enlarge the other alone."""
    alone = bool(said.w) != bool(said.h)
    dpr = _ONE if alone and not said.enlarge else said.dpr
    across, down = (
        values.pixels(_times(side, zoom * dpr)) if side else _share(zoom * dpr, grows=True)
        for side, zoom in ((said.w, said.zoom_x), (said.h, said.zoom_y))
    )
    return across, down


def _share(factor: Decimal, *, grows: bool) -> values.Length:
    """Give that part of a side; nothing where it stays as it is."""
    kept = factor == 1 or (factor > 1 and not grows)
    return values.ZERO if kept else values.share(factor)


def _result(said: Said, w: int, h: int) -> Op:
    """Cut what sticks out of the size that is asked for."""
    gravity = arguments.scaled(said.gravity, said.dpr)
    across, down = values.pixels(w), values.pixels(h)
    if said.mode == "fill-down":
        return geometry.Cut(across, down, gravity, ratio=True)
    if said.mode == "fill" and w and h and not said.enlarge and said.dpr > 1:
        return geometry.Cut(across, down, gravity, ratio=True, dpr=said.dpr)
    return geometry.Cut(across, down, gravity)
