"""Faces made unknowable, or framed: each that is found is an area like any other."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from looking import faces
from ops import effects, values
from ops.base import Op
from pixels import areas, gravity
from pixels.canvas import Canvas, Scene, Work, coloured

MARGIN_SHARE = 0.12
"""How much is hidden around a find, as a part of its side: hair and ears tell as well."""
FRAME_PIXELS = 3


def detections(canvas: Canvas, op: effects.Detections, scene: Scene) -> Canvas:
    """Blur, pixelate, paint over or frame every face.

    Raises:
        Refusal: 422; the package that finds faces is not installed.
    """
    for one in faces.find(gravity.lightness(canvas.image)):
        if op.how == "frame":
            canvas = _framed(canvas, one, op)
        else:
            canvas = areas.region(canvas, _area(one, op), scene)
    return canvas


def _area(one: faces.Find, op: effects.Detections) -> effects.Region:
    across, down = one.w * MARGIN_SHARE, one.h * MARGIN_SHARE
    assert op.how != "frame"
    return effects.Region(
        op.how, _share(one.x - across), _share(one.y - down),
        _share(one.w + 2 * across), _share(one.h + 2 * down),
        op.strength, op.colour, oval=True,
    )  # fmt: skip


def _share(part: float) -> values.Length:
    return values.share(Decimal(f"{min(1.0, max(0.0, part)):.6f}"))


def _framed(canvas: Canvas, one: faces.Find, op: effects.Detections) -> Canvas:
    image = coloured(canvas.settled().image).copy_memory()
    x, y = round(one.x * image.width), round(one.y * image.height)
    w, h = round(one.w * image.width), round(one.h * image.height)
    ink = list(op.colour[: image.bands])

    for at in range(FRAME_PIXELS):
        sides = max(1, w - 2 * at), max(1, h - 2 * at)
        image = image.draw_rect(ink, x + at, y + at, *sides)
    return canvas.over(image)


WORK: Mapping[type[Op], Work] = {effects.Detections: detections}
