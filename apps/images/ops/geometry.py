"""Operations on the shape: what part, how big, which way up, on what canvas. Declarations only.

Everything is said of the picture as it is when the operation's turn comes, upright from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import colours
from ops.base import Between, Op
from ops.values import CENTRE, ZERO, Gravity, Length

SIDE_MAX = 65_500
AREA_MAX = 999_999_999
CLEAR: colours.Colour = (255, 255, 255, 0)
"""What is padded with where nothing else is said: nothing; white where there is no alpha."""

Side = Annotated[Length, Between(0, SIDE_MAX)]
Place = Annotated[Length, Between(-SIDE_MAX, SIDE_MAX)]
Pixels = Annotated[int, Between(0, SIDE_MAX)]


@dataclass(frozen=True, slots=True)
class Trim(Op, name="trim"):
    """Cut off borders of one colour: ``threshold`` in sRGB steps, 0 to 442 (Euclidean).

    Without ``colour``, that of the corner ``corner``. ``equal_x``/``equal_y``: cut as much on
    both sides.
    """

    threshold: Annotated[Decimal, Between(0, 442)] = Decimal(10)
    given: bool = False
    colour: colours.Colour = colours.WHITE
    corner: Literal["top-left", "bottom-right"] = "top-left"
    equal_x: bool = False
    equal_y: bool = False


@dataclass(frozen=True, slots=True)
class Crop(Op, name="crop"):
    """Take a rectangle; what of it lies outside is left out, and nothing left over is a 400."""

    x: Place
    y: Place
    w: Side
    h: Side


@dataclass(frozen=True, slots=True)
class Cut(Op, name="cut"):
    """Take ``w`` x ``h`` around what matters; a side of 0 or larger than there is stays whole.

    ``ratio``: where the picture is smaller than that, take the largest part of its shape; but not
    where it is smaller than a ``dpr``-th of it, then the box is that.
    """

    w: Side
    h: Side
    gravity: Gravity = CENTRE
    ratio: bool = False
    dpr: Annotated[Decimal, Between(Decimal("0.001"), 1000)] = Decimal(1)


@dataclass(frozen=True, slots=True)
class Shape(Op, name="shape"):
    """Take the largest part that is ``ratio`` times as wide as high, around what matters."""

    ratio: Annotated[Decimal, Between(Decimal("0.001"), 1000)]
    gravity: Gravity = CENTRE


@dataclass(frozen=True, slots=True)
class Resize(Op, name="resize"):
    """Scale.

    ``inside``: within the box, shape kept. ``outside``: covering it. ``fill``: to exactly the box.
    ``auto``: ``outside`` where box and picture lie or stand alike, else ``inside``. A side of 0
    follows the other. Without ``enlarge`` a picture never grows. ``swap``: turn the box where that
    suits the picture better. ``least_w``, ``least_h``: grow until it is at least that.
    ``strict``: enlarging, or a side of less than half a pixel, is refused (400) instead of put
    right. ``even``: where ``fill`` may not enlarge, both sides become smaller alike, so that the
    box's shape is kept. ``area``: shrink, shape kept, until it has at most that many pixels.
    """

    mode: Literal["inside", "outside", "fill", "auto"]
    w: Side = ZERO
    h: Side = ZERO
    enlarge: bool = False
    swap: bool = False
    least_w: Pixels = 0
    least_h: Pixels = 0
    strict: bool = False
    even: bool = False
    area: Annotated[int, Between(0, AREA_MAX)] = 0


@dataclass(frozen=True, slots=True)
class Rotate(Op, name="rotate"):
    """Turn clockwise; at other than right angles the canvas grows, filled with ``bg``."""

    degrees: Annotated[Decimal, Between(0, 360)]
    bg: colours.Colour = CLEAR


@dataclass(frozen=True, slots=True)
class Flip(Op, name="flip"):
    """Mirror: ``x`` left and right, ``y`` top and bottom."""

    x: bool = False
    y: bool = False


@dataclass(frozen=True, slots=True)
class Extend(Op, name="extend"):
    """Put it on a canvas of at least ``w`` x ``h``; ``fill`` says with what the rest is filled.

    ``colour`` is ``bg``; ``auto`` the picture's average colour; ``blur`` itself, blurred.
    ``ratio``: only the shape of ``w`` and ``h`` counts. ``swap``: turn the canvas where that suits
    the picture better.
    """

    w: Side
    h: Side
    gravity: Gravity = CENTRE
    bg: colours.Colour = CLEAR
    ratio: bool = False
    fill: Literal["colour", "auto", "blur"] = "colour"
    swap: bool = False


@dataclass(frozen=True, slots=True)
class Pad(Op, name="pad"):
    """Add a border of ``bg`` outside."""

    top: Side
    right: Side
    bottom: Side
    left: Side
    bg: colours.Colour = CLEAR


@dataclass(frozen=True, slots=True)
class Background(Op, name="background"):
    """Put it on an opaque colour (or one with alpha, behind everything)."""

    colour: colours.Colour
