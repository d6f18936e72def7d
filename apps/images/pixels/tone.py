"""Operations on colours, each pixel by itself: tables of samples, and matrices of colours.

Neither looks at a pixel twice, so any number of them is one pass. Lightness is Rec. 601 luma, as
in Pillow and thumbor. Blurs and anything else that looks at neighbours do not belong here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pyvips

from ops import effects
from ops.base import Op
from pixels import canvas as canvases
from pixels import curve as curves
from pixels.canvas import Canvas, Scene, Work

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in lightness (Rec. 601)."""
TOP = 255.0
MIDDLE = 127.5
Matrix = Sequence[Sequence[float]]
_SAME: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_LIGHTNESS: Matrix = (LUMA, LUMA, LUMA)


def brightness(canvas: Canvas, op: effects.Brightness, scene: Scene) -> Canvas:
    """Add to every sample."""
    del scene
    return _mapped(canvas, _raised(op.percent))


def contrast(canvas: Canvas, op: effects.Contrast, scene: Scene) -> Canvas:
    """Stretch around the middle."""
    del scene
    factor = 1 + float(op.percent) / 100
    return _mapped(canvas, table(lambda value: (value - MIDDLE) * factor + MIDDLE))


def gamma(canvas: Canvas, op: effects.Gamma, scene: Scene) -> Canvas:
    """Raise every sample, as a part of its range, to 1 / exponent."""
    del scene
    power = 1 / float(op.exponent)
    return _mapped(canvas, table(lambda value: TOP * (value / TOP) ** power))


def invert(canvas: Canvas, op: effects.Invert, scene: Scene) -> Canvas:
    """Take every sample from its range."""
    del op, scene
    return _mapped(canvas, table(lambda value: TOP - value))


def levels(canvas: Canvas, op: effects.Levels, scene: Scene) -> Canvas:
    """Add to each colour."""
    del scene
    return _mapped(canvas, _raised(op.red), _raised(op.green), _raised(op.blue))


def _raised(percent: Decimal) -> bytes:
    step = float(percent) * TOP / 100
    return table(lambda value: value + step)


def curve(canvas: Canvas, op: effects.Curve, scene: Scene) -> Canvas:
    """Map each colour by its curve, then all by the common one.

    Raises:
        Refusal: 400; the text of a curve is none.
    """
    del scene
    common = curves.table(op.all)
    own = [curves.table(text) for text in (op.red, op.green, op.blue)]
    return _mapped(canvas, *(one.translate(common) for one in own))


def equalise(canvas: Canvas, op: effects.Equalise, scene: Scene) -> Canvas:
    """Spread the histogram of each colour evenly over its range."""
    del op, scene
    image = canvas.settled().image.copy_memory()
    data = image.hist_find().write_to_memory()
    counts = struct.unpack(f"={len(data) // 4}I", data)
    bands = image.bands - image.hasalpha()
    spread = [_evenly(counts[band :: image.bands]) for band in range(bands)]
    return _mapped(canvas.over(image), *spread)


def _evenly(counts: Sequence[int]) -> bytes:
    """Give the table after which samples that are counted so are about as frequent each."""
    found = [count for count in counts if count]
    step = (sum(counts) - found[-1]) // 255
    if not step:
        return bytes(range(256))
    made, before = bytearray(), step // 2
    for count in counts:
        made.append(min(255, before // step))
        before += count
    return bytes(made)


def grey(canvas: Canvas, op: effects.Grey, scene: Scene) -> Canvas:
    """Leave lightness only: one band, or four where there is alpha."""
    del op, scene
    image = canvas.settled().image
    if image.bands == 1:
        return canvas
    if image.hasalpha():
        return canvas.over(mixed(image, _LIGHTNESS))
    light = image.recomb([list(LUMA)]).linear(1, 0.5).cast("uchar")
    return canvas.over(light.copy(interpretation="b-w"))


def bitonal(canvas: Canvas, op: effects.Bitonal, scene: Scene) -> Canvas:
    """Make the lighter half white and the darker black."""
    del op
    light = grey(canvas, effects.Grey(), scene)
    return _mapped(light, table(lambda value: TOP if value > MIDDLE else 0))


def saturation(canvas: Canvas, op: effects.Saturation, scene: Scene) -> Canvas:
    """Multiply the distance of each colour from its own grey."""
    del scene
    return _recoloured(canvas, _between(_LIGHTNESS, _SAME, float(op.factor)))


def hue(canvas: Canvas, op: effects.Hue, scene: Scene) -> Canvas:
    """Turn by the matrix of CSS hue-rotate (Filter Effects 1, 9.6): greys stay."""
    del scene
    angle = math.radians(float(op.degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    weights = (0.213, 0.715, 0.072)
    turned = ((-0.213, -0.715, 0.928), (0.143, 0.140, -0.283), (-0.787, 0.715, 0.072))
    matrix = [
        [
            weights[column] + cos * ((row == column) - weights[column]) + sin * turned[row][column]
            for column in range(3)
        ]
        for row in range(3)
    ]
    return _recoloured(canvas, matrix)


def _recoloured(canvas: Canvas, matrix: Matrix) -> Canvas:
    """Change colours by a matrix that leaves greys alone."""
    image = canvas.settled().image
    return canvas.over(image if image.bands == 1 else mixed(image, matrix))


def monochrome(canvas: Canvas, op: effects.Monochrome, scene: Scene) -> Canvas:
    """Mix with the colour times lightness: black stays black, white becomes the colour."""
    del scene
    shades = [[part / TOP * weight for weight in LUMA] for part in op.colour[:3]]
    amount = float(op.amount)
    return canvas.over(mixed(canvas.settled().image, _between(_SAME, shades, amount)))


def duotone(canvas: Canvas, op: effects.Duotone, scene: Scene) -> Canvas:
    """Mix with the ramp that begins with ``dark`` and ends with ``light``."""
    del scene
    ends = list(zip(op.dark[:3], op.light[:3], strict=True))
    ramp = [[(light - dark) / TOP * weight for weight in LUMA] for dark, light in ends]
    amount = float(op.amount)
    start = [amount * dark for dark, _ in ends]
    return canvas.over(mixed(canvas.settled().image, _between(_SAME, ramp, amount), start))


def tint(canvas: Canvas, op: effects.Tint, scene: Scene) -> Canvas:
    """Put the colour's distance from its own grey on the picture's greys."""
    del scene
    amount = float(op.amount)
    own = sum(weight * part for weight, part in zip(LUMA, op.colour[:3], strict=True))
    away = [amount * (part - own) for part in op.colour[:3]]
    return canvas.over(mixed(canvas.settled().image, _between(_SAME, _LIGHTNESS, amount), away))


def colourise(canvas: Canvas, op: effects.Colourise, scene: Scene) -> Canvas:
    """Lay one colour over it."""
    del scene
    image = canvas.settled().image
    amount = float(op.amount) * op.colour[3] / TOP
    if not op.keep_alpha and image.hasalpha():
        opacity = int(amount * TOP + 0.5)
        sheet = image.new_from_image([*op.colour[:3], opacity]).copy(interpretation="srgb")
        return canvas.over(image.composite2(sheet, "over").rint().cast("uchar"))
    if len(set(op.colour[:3])) > 1:
        image = canvases.coloured(image)
    bands = image.bands - image.hasalpha()
    factors, parts = [1 - amount] * bands, [amount * part + 0.5 for part in op.colour[:bands]]
    if image.hasalpha():
        factors, parts = [*factors, 1.0], [*parts, 0.5]
    return canvas.over(image.linear(factors, parts).cast("uchar"))


def table(change: Callable[[float], float]) -> bytes:
    """Say for each of the 256 samples what becomes of it, rounded and within the range."""
    return bytes(min(255, max(0, math.floor(change(float(one)) + 0.5))) for one in range(256))


def _mapped(canvas: Canvas, *tables: bytes) -> Canvas:
    """Change each colour by its table, or all by the only one; alpha stays."""
    image = canvas.settled().image
    if len(set(tables)) == 1:
        tables = tables[:1]
    elif image.bands == 1:
        image = canvases.coloured(image)
    bands = image.bands - image.hasalpha()
    tables = tables * bands if len(tables) == 1 else tables
    if image.hasalpha():
        tables = (*tables, bytes(range(256)))
    rows = bytes(sample for row in zip(*tables, strict=True) for sample in row)
    look = pyvips.Image.new_from_memory(rows, 256, 1, image.bands, "uchar")
    return canvas.over(image.maplut(look))


def mixed(image: pyvips.Image, matrix: Matrix, start: Sequence[float] = (0, 0, 0)) -> pyvips.Image:
    """Make each colour of all three: ``matrix`` times the colours, and ``start``; alpha stays."""
    image = canvases.coloured(image)
    rows, offsets = [list(row) for row in matrix], [one + 0.5 for one in start]
    if image.hasalpha():
        rows = [*([*row, 0.0] for row in rows), [0.0, 0.0, 0.0, 1.0]]
        offsets.append(0.5)
    made = image.recomb(rows).linear([1.0] * len(offsets), offsets)
    return made.cast("uchar").copy(interpretation="srgb")


def _between(nothing: Matrix, all_of_it: Matrix, part: float) -> Matrix:
    """Give the matrix that lies ``part`` of the way; over 1 it goes on in the same direction."""
    return [
        [(1 - part) * one + part * other for one, other in zip(row, its, strict=True)]
        for row, its in zip(nothing, all_of_it, strict=True)
    ]


WORK: Mapping[type[Op], Work] = {
    effects.Brightness: brightness,
    effects.Contrast: contrast,
    effects.Gamma: gamma,
    effects.Invert: invert,
    effects.Levels: levels,
    effects.Curve: curve,
    effects.Equalise: equalise,
    effects.Grey: grey,
    effects.Bitonal: bitonal,
    effects.Saturation: saturation,
    effects.Hue: hue,
    effects.Monochrome: monochrome,
    effects.Duotone: duotone,
    effects.Tint: tint,
    effects.Colourise: colourise,
}
