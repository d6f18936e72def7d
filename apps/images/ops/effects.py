"""Operations on the colours of pixels. Declarations only; the shape stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import colours
from ops.base import EMPTY, Between, Op, Text
from ops.values import ZERO, Length

Percent = Annotated[Decimal, Between(-100, 100)]
Part = Annotated[Decimal, Between(0, 1)]
Sigma = Annotated[Decimal, Between(0, 250)]
Factor = Annotated[Decimal, Between(0, 100)]
Direction = Literal["down", "up", "right", "left"]
BLACK: colours.Colour = (0, 0, 0, 255)
GREY: colours.Colour = (179, 179, 179, 255)


@dataclass(frozen=True, slots=True)
class Blur(Op, name="blur"):
    """Gaussian; ``sigma`` in pixels."""

    sigma: Sigma


@dataclass(frozen=True, slots=True)
class Sharpen(Op, name="sharpen"):
    """Sharpen lightness (libvips sharpen): ``sigma`` pixels, ``amount`` for edges (its m2)."""

    sigma: Annotated[Decimal, Between(0, 10)]
    amount: Annotated[Decimal, Between(0, 100)] = Decimal(3)


@dataclass(frozen=True, slots=True)
class Unsharp(Op, name="unsharp"):
    """Add ``amount`` times what a blur of ``sigma`` takes away, where it is over ``threshold``.

    ``lightness``: only of that, so that no colour changes.
    """

    sigma: Annotated[Decimal, Between(0, 50)]
    amount: Annotated[Decimal, Between(0, 20)] = Decimal(1)
    threshold: Annotated[Decimal, Between(0, 255)] = Decimal(0)
    lightness: bool = False


@dataclass(frozen=True, slots=True)
class Pixelate(Op, name="pixelate"):
    """Squares of one colour, ``size`` pixels each side."""

    size: Annotated[int, Between(1, 4096)]


@dataclass(frozen=True, slots=True)
class Brightness(Op, name="brightness"):
    """Add to every sample: 100 is all of its range."""

    percent: Percent


@dataclass(frozen=True, slots=True)
class Contrast(Op, name="contrast"):
    """Stretch around the middle: -100 is flat grey, 100 doubles."""

    percent: Annotated[Decimal, Between(-100, 300)]


@dataclass(frozen=True, slots=True)
class Saturation(Op, name="saturation"):
    """Multiply colourfulness: 0 is grey, 1 as it is."""

    factor: Factor


@dataclass(frozen=True, slots=True)
class Hue(Op, name="hue"):
    """Turn the colour wheel."""

    degrees: Annotated[Decimal, Between(-360, 360)]


@dataclass(frozen=True, slots=True)
class Gamma(Op, name="gamma"):
    """Over 1 brightens the middle."""

    exponent: Annotated[Decimal, Between(Decimal("0.1"), 10)]


@dataclass(frozen=True, slots=True)
class Levels(Op, name="levels"):
    """Add to red, green and blue, each in percent of its range."""

    red: Percent
    green: Percent
    blue: Percent


@dataclass(frozen=True, slots=True)
class Curve(Op, name="curve"):
    """Map samples by a curve through points ``x y x y …`` (0 to 255), one text a channel.

    Empty leaves the channel; ``all`` comes after the channels.
    """

    red: Text = EMPTY
    green: Text = EMPTY
    blue: Text = EMPTY
    all: Text = EMPTY


@dataclass(frozen=True, slots=True)
class Grey(Op, name="grey"):
    """Lightness only."""


@dataclass(frozen=True, slots=True)
class Bitonal(Op, name="bitonal"):
    """Black or white, by the middle."""


@dataclass(frozen=True, slots=True)
class Invert(Op, name="invert"):
    """The negative."""


@dataclass(frozen=True, slots=True)
class Equalise(Op, name="equalise"):
    """Spread each channel's histogram evenly."""


@dataclass(frozen=True, slots=True)
class Noise(Op, name="noise"):
    """Add noise as strong as thumbor's of ``percent``; the same ``seed`` gives the same."""

    percent: Annotated[Decimal, Between(0, 100)]
    seed: Annotated[int, Between(0, 2_147_483_647)] = 0


@dataclass(frozen=True, slots=True)
class Convolve(Op, name="convolve"):
    """Convolve with a matrix of ``columns``: numbers separated by blanks, row by row."""

    matrix: Text
    columns: Annotated[int, Between(1, 15)]
    normalise: bool = True


@dataclass(frozen=True, slots=True)
class Monochrome(Op, name="monochrome"):
    """Mix with shades of one colour."""

    amount: Part = Decimal(1)
    colour: colours.Colour = GREY


@dataclass(frozen=True, slots=True)
class Duotone(Op, name="duotone"):
    """Mix with a ramp from ``dark`` to ``light`` by lightness."""

    amount: Part = Decimal(1)
    dark: colours.Colour = BLACK
    light: colours.Colour = colours.WHITE


@dataclass(frozen=True, slots=True)
class Colourise(Op, name="colourise"):
    """Lay one colour over it, with ``amount`` of opacity; ``keep_alpha``: not where it is clear."""

    amount: Part
    colour: colours.Colour = BLACK
    keep_alpha: bool = True


@dataclass(frozen=True, slots=True)
class Tint(Op, name="tint"):
    """Keep lightness, take the colour of ``colour``, with ``amount`` of strength."""

    colour: colours.Colour
    amount: Part = Decimal(1)


@dataclass(frozen=True, slots=True)
class Gradient(Op, name="gradient"):
    """Lay a colour over it that grows from nothing at ``start`` to ``amount`` at ``stop``.

    ``down``: the darkest is at the bottom. ``degrees`` turns that direction clockwise.
    """

    amount: Part
    colour: colours.Colour = BLACK
    direction: Direction = "down"
    start: Part = Decimal(0)
    stop: Part = Decimal(1)
    degrees: Annotated[Decimal, Between(0, 360)] = Decimal(0)


@dataclass(frozen=True, slots=True)
class Vignette(Op, name="vignette"):
    """Darken (or ``colour``) towards the corners."""

    amount: Part = Decimal("0.5")
    colour: colours.Colour = BLACK


@dataclass(frozen=True, slots=True)
class ProgressiveBlur(Op, name="blurred"):
    """A blur that grows from nothing at ``start`` to ``sigma`` at ``stop``."""

    sigma: Sigma
    direction: Direction = "down"
    start: Part = Decimal(0)
    stop: Part = Decimal(1)


@dataclass(frozen=True, slots=True)
class Region(Op, name="region"):
    """Blur, pixelate or paint over a part; ``strength`` is a sigma or a size of squares."""

    how: Literal["blur", "pixelate", "colour"]
    x: Annotated[Length, Between(-65_500, 65_500)]
    y: Annotated[Length, Between(-65_500, 65_500)]
    w: Annotated[Length, Between(0, 65_500)]
    h: Annotated[Length, Between(0, 65_500)]
    strength: Annotated[Decimal, Between(0, 1000)] = Decimal(10)
    colour: colours.Colour = BLACK
    oval: bool = False


@dataclass(frozen=True, slots=True)
class Detections(Op, name="detections"):
    """Blur, pixelate, paint over or frame every face that is found."""

    how: Literal["blur", "pixelate", "colour", "frame"]
    strength: Annotated[Decimal, Between(0, 1000)] = Decimal(10)
    colour: colours.Colour = BLACK


@dataclass(frozen=True, slots=True)
class Round(Op, name="round"):
    """Round the corners by ellipses of ``rx`` and ``ry`` (0: as ``rx``), on ``bg``."""

    rx: Annotated[Length, Between(0, 65_500)]
    ry: Annotated[Length, Between(0, 65_500)] = ZERO
    bg: colours.Colour = (255, 255, 255, 0)


@dataclass(frozen=True, slots=True)
class Mask(Op, name="mask"):
    """Keep what is in a shape, or where another picture (``NAME/path``) is light."""

    shape: Literal["ellipse", "circle", "triangle", "pentagon", "hexagon", "star", "heart", "file"]
    file: Text = EMPTY
    bg: colours.Colour = (255, 255, 255, 0)


@dataclass(frozen=True, slots=True)
class Border(Op, name="border"):
    """Paint the outermost ``width`` pixels, inside the picture."""

    width: Annotated[Length, Between(0, 65_500)]
    colour: colours.Colour = BLACK


@dataclass(frozen=True, slots=True)
class Shadow(Op, name="shadow"):
    """Put the picture's own shadow behind it; the canvas grows so that it is all there."""

    x: Annotated[int, Between(-1000, 1000)] = 0
    y: Annotated[int, Between(-1000, 1000)] = 4
    sigma: Sigma = Decimal(4)
    colour: colours.Colour = (0, 0, 0, 128)
