"""Parameters of what is done to the sized picture's colours, edges and corners. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import colours
from ops import effects, values
from ops.base import EMPTY, Op, Text
from parameters import readers
from parameters.row import Given, Row, scaled

SHAPES = ("ellipse", "circle", "triangle", "pentagon", "hexagon", "star", "heart")
SQUARE_MAX = 15
"""Rows and columns of a matrix."""
_PERCENT = readers.number(-100, 100)
_SIGMA = readers.number(0, 250)
_DIRECTION = readers.words("down", "up", "right", "left")
_PART = readers.part()
_HALF = Decimal("0.5")
_ONE = Decimal(1)
_NOTHING = Decimal(0)
_MASK = readers.Reader(
    lambda text: text if text in SHAPES else readers.REFERENCE.take(text),
    f"one of {', '.join(SHAPES)}, or {readers.REFERENCE.allowed}",
)


def _matrix(text: str) -> tuple[Decimal, ...] | None:
    most = SQUARE_MAX * SQUARE_MAX
    found = readers.numbers(1, most, low=-1000, high=1000).take(text)
    side = int(len(found) ** 0.5) if found else 0
    return found if found and side * side == len(found) and side % 2 else None


def _two_colours(text: str) -> tuple[colours.Colour, colours.Colour] | None:
    found = [colours.parse(piece) for piece in text.split(",", 2)]
    if len(found) != 2 or not found[0] or not found[1]:
        return None
    return found[0], found[1]


def _border(text: str) -> tuple[values.Length, colours.Colour] | None:
    width, _, colour = text.partition(",")
    found = readers.length().take(width), colours.parse(colour or "black")
    return None if found[0] is None or found[1] is None else (found[0], found[1])


TONE = (
    Row("bri", _PERCENT, "Brightness: adds to every sample; 100 is all of its range."),
    Row("con", readers.number(-100, 300), "Contrast around the middle: -100 is flat grey, 100"
        " doubles."),
    Row("sat", readers.number(-100, 900), "Saturation in percent more or less: -100 is grey."),
    Row("hue", readers.number(-360, 360), "Turns the colour wheel, in degrees."),
    Row("gam", readers.number(Decimal("0.1"), 10), "Gamma; over 1 brightens the middle."),
    Row("levels", readers.numbers(3, 3, low=-100, high=100), "Percent to add to red, green and"
        " blue."),
    Row("curve", readers.CURVE, "A curve through points, for all channels."),
    Row("curve-red", readers.CURVE, "A curve for red; before `curve`."),
    Row("curve-green", readers.CURVE, "A curve for green."),
    Row("curve-blue", readers.CURVE, "A curve for blue."),
    Row("equalize", readers.FLAG, "Spread each channel's histogram evenly."),
    Row("invert", readers.FLAG, "The negative."),
    Row("gray", readers.FLAG, "Lightness only."),
    Row("bitonal", readers.FLAG, "Black or white."),
    Row("monochrome", readers.COLOUR, "Shades of one colour."),
    Row("monochrome-alpha", _PART, "How much of that, in percent; 100.", "monochrome"),
    Row("duotone", readers.Reader(
        _two_colours, "two colours separated by a comma: dark,light"
    ), "A ramp between two colours, by lightness."),
    Row("duotone-alpha", _PART, "How much of that, in percent; 100.", "duotone"),
    Row("tint", readers.COLOUR, "Keep lightness, take this colour."),
    Row("tint-alpha", _PART, "How much of that, in percent; 100.", "tint"),
)  # fmt: skip
DETAIL = (
    Row("noise", readers.number(0, 100), "Noise, in percent of the range."),
    Row("noise-seed", readers.whole(0, 2_147_483_647), "The same seed gives the same noise; 0.",
        "noise"),
    Row("convolve", readers.Reader(
        _matrix, "1, 9, 25, 49 … 225 numbers separated by commas"
    ), "Convolve with a square matrix, row by row, scaled to a sum of 1."),
    Row("blur", _SIGMA, "Gaussian blur: its sigma in pixels."),
    Row("blur-dir", _DIRECTION, "The blur grows towards there.", "blur"),
    Row("blur-from", _PART, "Where it begins, in percent of the way; 0.", "blur-dir"),
    Row("blur-to", _PART, "Where it is full; 100.", "blur-dir"),
    Row("sharp", readers.number(0, 10), "Sharpen lightness: sigma in pixels."),
    Row("sharp-amount", readers.number(0, 100), "How much, at edges; 3.", "sharp"),
    Row("usm", readers.number(0, 500), "Unsharp mask, in percent."),
    Row("usmrad", readers.number(0, 50), "Its sigma in pixels; 2.5.", "usm"),
    Row("usm-threshold", readers.number(0, 255), "What differs less stays; 0.", "usm"),
    Row("px", readers.whole(1, 4096), "Squares of one colour, so many pixels each side."),
    Row("redact", readers.REDACTED, "Hide every face that is found, or rectangles of the sized"
        " picture."),
    Row("redact-how", readers.words("blur", "pixelate", "color", "frame"),
        "With what; `pixelate`. `frame` is for faces only.", "redact"),
    Row("redact-strength", readers.number(0, 1000), "Sigma of the blur or side of the squares;"
        " 10.", "redact"),
    Row("redact-color", readers.COLOUR, "The colour of `color` and `frame`; black.", "redact"),
    Row("redact-oval", readers.FLAG, "Ovals in the rectangles.", "redact"),
    Row("colorize", readers.COLOUR, "Lay one colour over it."),
    Row("colorize-alpha", _PART, "How much of that, in percent; 50.", "colorize"),
    Row("gradient", readers.COLOUR, "Lay a colour over it that grows from nothing."),
    Row("gradient-alpha", _PART, "What it grows to, in percent; 50.", "gradient"),
    Row("gradient-dir", _DIRECTION, "Where it is full; `down`.", "gradient"),
    Row("gradient-from", _PART, "Where it begins, in percent of the way; 0.", "gradient"),
    Row("gradient-to", _PART, "Where it is full; 100.", "gradient"),
    Row("gradient-angle", readers.number(0, 360), "Turns that way clockwise.", "gradient"),
    Row("vignette", _PART, "Darken towards the corners, in percent."),
    Row("vignette-color", readers.COLOUR, "Or with this colour.", "vignette"),
)  # fmt: skip
EDGES = (
    Row("border", readers.Reader(
        _border, "a width in pixels or percents, and a colour: 10,ff0000"
    ), "Paint the outermost pixels."),
    Row("radius", readers.lengths(1, 2), "Round the corners; a second length is the height of the"
        " ellipse."),
    Row("mask", _MASK, "Keep what is in a shape, or where that picture is light."),
    Row("mask-bg", readers.COLOUR, "What is behind corners and masks; nothing."),
    Row("shadow", readers.numbers(3, 3, low=-1000, high=1000), "Its shadow behind it: x,y,sigma."
        " The canvas grows."),
    Row("shadow-color", readers.COLOUR, "Its colour; half black.", "shadow"),
)  # fmt: skip


_Made = Callable[[Given, Any, Decimal], Op | None]


def _switch(kind: Callable[[], Op]) -> _Made:
    return lambda _, on, __: kind() if on else None


def _redacted(given: Given, dpr: Decimal) -> list[Op]:
    how: Any = given.get("redact-how", "pixelate").replace("color", "colour")
    strength = values.rounded(given.get("redact-strength", Decimal(10)) * dpr)
    colour = given.get("redact-color", effects.BLACK)
    if given["redact"] == "faces":
        return [effects.Detections(how, strength, colour)]
    oval = given.get("redact-oval", False)
    scaled_boxes = [[scaled(one, dpr) for one in box] for box in given["redact"]]
    return [effects.Region(how, x, y, w, h, strength, colour, oval) for x, y, w, h in scaled_boxes]


def _blur(given: Given, sigma: Decimal, dpr: Decimal) -> Op:
    sigma = values.rounded(sigma * dpr)
    if "blur-dir" not in given:
        return effects.Blur(sigma)
    return effects.ProgressiveBlur(
        sigma, given["blur-dir"], given.get("blur-from", _NOTHING), given.get("blur-to", _ONE)
    )


def _convolve(_: Given, matrix: tuple[Decimal, ...], __: Decimal) -> Op:
    columns = int(len(matrix) ** 0.5)
    return effects.Convolve(Text(" ".join(map(values.spell_number, matrix))), columns)


def _gradient(given: Given, colour: colours.Colour, _: Decimal) -> Op:
    return effects.Gradient(
        given.get("gradient-alpha", _HALF), colour, given.get("gradient-dir", "down"),
        given.get("gradient-from", _NOTHING), given.get("gradient-to", _ONE),
        given.get("gradient-angle", _NOTHING),
    )  # fmt: skip


_TONE: Mapping[str, _Made] = {
    "bri": lambda _, v, __: effects.Brightness(v),
    "con": lambda _, v, __: effects.Contrast(v),
    "sat": lambda _, v, __: effects.Saturation(values.rounded(1 + v / 100)),
    "hue": lambda _, v, __: effects.Hue(v),
    "gam": lambda _, v, __: effects.Gamma(v),
    "levels": lambda _, v, __: effects.Levels(*v),
    "equalize": _switch(effects.Equalise),
    "invert": _switch(effects.Invert),
    "gray": _switch(effects.Grey),
    "bitonal": _switch(effects.Bitonal),
    "monochrome": lambda g, v, _: effects.Monochrome(g.get("monochrome-alpha", _ONE), v),
    "duotone": lambda g, v, _: effects.Duotone(g.get("duotone-alpha", _ONE), *v),
    "tint": lambda g, v, _: effects.Tint(v, g.get("tint-alpha", _ONE)),
}
_DETAIL: Mapping[str, _Made] = {
    "noise": lambda g, v, _: effects.Noise(v, g.get("noise-seed", 0)),
    "convolve": _convolve,
    "blur": _blur,
    "sharp": lambda g, v, dpr: effects.Sharpen(
        values.rounded(v * dpr), g.get("sharp-amount", Decimal(3))
    ),
    "usm": lambda g, v, dpr: effects.Unsharp(
        values.rounded(g.get("usmrad", Decimal("2.5")) * dpr), values.rounded(v / 100),
        g.get("usm-threshold", _NOTHING),
    ),
    "px": lambda _, v, dpr: effects.Pixelate(max(1, int(v * dpr + _HALF))),
    "redact": lambda _, __, ___: None,
    "colorize": lambda g, v, _: effects.Colourise(g.get("colorize-alpha", _HALF), v),
    "gradient": _gradient,
    "vignette": lambda g, v, _: effects.Vignette(v, g.get("vignette-color", effects.BLACK)),
}  # fmt: skip


def applied(given: Given) -> tuple[Op, ...]:
    """Give the effects on the sized picture, in the order of the table."""
    dpr = given.get("dpr", _ONE)
    made: list[Op | None] = [
        make(given, given[name], dpr) for name, make in _TONE.items() if name in given
    ]
    if any(name in given for name in ("curve", "curve-red", "curve-green", "curve-blue")):
        red, green, blue = (given.get(f"curve-{one}", EMPTY) for one in ("red", "green", "blue"))
        made.append(effects.Curve(red, green, blue, given.get("curve", EMPTY)))
    for name, make in _DETAIL.items():
        if name == "redact" and name in given:
            made += _redacted(given, dpr)
        elif name in given:
            made.append(make(given, given[name], dpr))
    return tuple(op for op in made if op is not None)


def edges(given: Given) -> tuple[Op, ...]:
    """Give what is done to the edges: border, corners, mask, shadow."""
    dpr = given.get("dpr", _ONE)
    behind = given.get("mask-bg", (255, 255, 255, 0))
    made: list[Op] = []
    if "border" in given:
        width, colour = given["border"]
        made.append(effects.Border(scaled(width, dpr), colour))
    if "radius" in given:
        rx, *more = (scaled(one, dpr) for one in given["radius"])
        made.append(effects.Round(rx, more[0] if more else values.ZERO, behind))
    if "mask" in given:
        shape = given["mask"]
        file = EMPTY if shape in SHAPES else Text(shape)
        made.append(effects.Mask("file" if file else shape, file, behind))
    if "shadow" in given:
        x, y, sigma = (values.rounded(one * dpr) for one in given["shadow"])
        colour = given.get("shadow-color", (0, 0, 0, 128))
        made.append(effects.Shadow(int(x), int(y), sigma, colour))
    return tuple(made)
