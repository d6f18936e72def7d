"""Operations that lay something over the picture: another picture, or words. Declarations only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import colours
from ops.base import EMPTY, Between, Op, Text
from ops.values import CENTRE, ZERO, Gravity, Length

LAYERS_MAX = 16
"""Layers of one recipe, nested ones included."""
FONT = Text("Noto Sans")
NESTED_MAX = 3
"""How deep layers may lie in layers."""

Side = Annotated[Length, Between(0, 65_500)]
Part = Annotated[Decimal, Between(0, 1)]
Blend = Literal[
    "over", "multiply", "screen", "overlay", "darken", "lighten", "colour-dodge", "colour-burn",
    "hard-light", "soft-light", "difference", "exclusion", "add", "saturate", "xor", "in", "out",
    "atop", "dest-over", "dest-in", "dest-out", "dest-atop", "clear", "source", "dest",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer(Op, name="layer"):
    """Another picture, by its source reference ``NAME/path``, after its own operations ``made``.

    ``made`` is spelled as a recipe spells them. ``w`` and ``h`` bring it into a box (shares are of
    the picture below; 0 is as it comes); ``outside`` shares of both covers. ``tile`` repeats it.
    """

    file: Text
    gravity: Gravity = CENTRE
    w: Side = ZERO
    h: Side = ZERO
    opacity: Part = Decimal(1)
    blend: Blend = "over"
    tile: bool = False
    degrees: Annotated[Decimal, Between(0, 360)] = Decimal(0)
    fit: Literal["inside", "outside", "fill"] = "inside"
    made: Text = EMPTY


@dataclass(frozen=True, slots=True)
class Words(Op, name="words"):
    """Text, set by Pango.

    ``font`` as Pango describes one (``Noto Sans Bold``), ``size`` in pixels (0: as large as fits
    the box ``w`` x ``h``). ``stroke`` pixels of ``stroke_colour`` around it, ``shadow`` pixels of
    soft shadow behind it. ``contrast``: black or white instead of ``colour``, whichever can be
    read on what lies below.
    """

    text: Text
    gravity: Gravity = CENTRE
    font: Text = FONT
    size: Annotated[Length, Between(0, 4096)] = ZERO
    colour: colours.Colour = (0, 0, 0, 255)
    w: Side = ZERO
    h: Side = ZERO
    align: Literal["start", "centre", "end", "justify"] = "centre"
    wrap: Literal["word", "char", "none"] = "word"
    opacity: Part = Decimal(1)
    blend: Blend = "over"
    spacing: Annotated[int, Between(-200, 200)] = 0
    degrees: Annotated[Decimal, Between(0, 360)] = Decimal(0)
    stroke: Annotated[Decimal, Between(0, 50)] = Decimal(0)
    stroke_colour: colours.Colour = colours.WHITE
    shadow: Annotated[Decimal, Between(0, 50)] = Decimal(0)
    contrast: bool = False
    tile: bool = False
    language: str = ""
    background: colours.Colour = (0, 0, 0, 0)
