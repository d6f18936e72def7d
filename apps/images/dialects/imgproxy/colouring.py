"""What is said of colours and of marks on the picture → operations, in one fixed order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dialects.imgproxy import arguments
from dialects.imgproxy.configured import Configured
from dialects.imgproxy.said import Said
from ops import layers, values
from ops.base import Op, Text

ORDER = (
    "brightness", "contrast", "saturation", "monochrome", "duotone", "blur", "progressive_blur",
    "blur_areas", "blur_detections", "sharpen", "unsharp_masking", "pixelate", "colorize",
    "gradient", "draw_detections",
)  # fmt: skip
FONT_PIXELS = 16
"""Of text whose size nothing says, as imgproxy's ``sans 16``."""


def effects(said: Said) -> Iterator[Op]:
    """Give the effects."""
    for name in ORDER:
        yield from said.effects.get(name, ())


def mark(said: Said, settings: Configured, locate: Callable[[str], str]) -> Iterator[Op]:
    """Give the watermark; ``locate`` makes a source reference of a URL.

    Where none is configured, nothing: so does imgproxy.
    """
    mark = said.mark
    opacity = values.rounded(mark.opacity * settings.opacity)
    file = locate(mark.file) if mark.file else settings.watermark
    if not opacity or not (mark.text or file):
        return
    place = "ce" if mark.place == "re" else mark.place
    gravity = arguments.scaled(values.Gravity(place, mark.x, mark.y), said.dpr)
    tile = mark.place == "re"
    if tile:
        gravity = values.CENTRE
    w, h = values.pixels(mark.w), values.pixels(mark.h)
    if mark.scale:
        w = h = values.share(mark.scale)
    if mark.text and not mark.file:
        sized = w.value or h.value
        size = values.ZERO if sized else values.pixels(FONT_PIXELS)
        yield layers.Words(
            Text(mark.text), gravity, size=size, w=w, h=h, opacity=opacity,
            degrees=mark.degrees, tile=tile,
        )  # fmt: skip
        return
    yield layers.Layer(Text(file), gravity, w, h, opacity, tile=tile, degrees=mark.degrees)
