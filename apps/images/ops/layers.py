"""Operations that lay something over the picture: another picture, or words. Declarations.

And what can be said of recipes that hold them: which files they name, how many, how deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import colours
import paths
import refusals
from ops import base
from ops.base import EMPTY, Between, Op, Text
from ops.effects import Mask
from ops.output import Output
from ops.values import CENTRE, ZERO, Gravity, Length

LAYERS_MAX = 16
"""Layers of one recipe, nested ones included."""
FONT = Text("Noto Sans")
NESTED_MAX = 3
"""How deep layers may lie in layers."""

Side = Annotated[Length, Between(0, 65_500)]
Part = Annotated[Decimal, Between(0, 1)]
Along = Literal["both", "across", "down"]
Blend = Literal[
    "over", "multiply", "screen", "overlay", "darken", "lighten", "colour-dodge", "colour-burn",
    "hard-light", "soft-light", "difference", "exclusion", "add", "saturate", "xor", "in", "out",
    "atop", "dest-over", "dest-in", "dest-out", "dest-atop", "clear", "source", "dest",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer(Op, name="layer"):
    """Another picture, by its source reference ``NAME/path``, after its own operations ``made``.

    ``made`` is spelled as a recipe spells them. ``w`` and ``h`` bring it into a box (shares are of
    the picture below; 0 is as it comes); ``outside`` shares of both covers. ``tile`` repeats it,
    ``along`` says in which directions; ``spread``: as often as it fits whole, evenly from the top
    left. ``patch``: a frame around the picture, by the marks of a
    nine-patch; the picture grows by what it marks as outside of its content.
    """

    file: Text
    gravity: Gravity = CENTRE
    w: Side = ZERO
    h: Side = ZERO
    opacity: Part = Decimal(1)
    blend: Blend = "over"
    tile: bool = False
    degrees: Annotated[Decimal, Between(0, 360)] = Decimal(0)
    fit: Literal["inside", "outside", "fill", "patch"] = "inside"
    made: Text = EMPTY
    along: Along = "both"
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Words(Op, name="words"):
    """Text, set by Pango.

    ``font`` as Pango describes one (``Noto Sans Bold``), ``size`` in pixels (0: as large as fits
    the box ``w`` x ``h``; else the most in a box that has a height). ``stroke`` pixels of
    ``stroke_colour`` around it, ``shadow`` pixels of soft shadow behind it. ``contrast``: black or
    white instead of ``colour``, whichever can be read on what lies below.
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


def inner(op: Layer) -> tuple[Op, ...]:
    """Give what is done to a layer before it lies on the picture.

    Raises:
        Refusal: 404; ``made`` is no operations in their spelling.
    """
    made = tuple(map(base.parse, op.made.split(";"))) if op.made else ()
    if any(isinstance(one, Output) for one in made):
        raise refusals.not_found()
    return made


def files(ops: Iterable[Op]) -> tuple[str, ...]:
    """Name every further file that the operations need, as ``NAME/path``, each once.

    Raises:
        Refusal: as `inner`.
    """
    named = (op.file for op, _ in _within(ops) if isinstance(op, (Layer, Mask)))
    return tuple(dict.fromkeys(filter(None, named)))


def say(ops: Iterable[Op]) -> bool:
    """Tell whether there are words among the operations, or in their layers.

    Raises:
        Refusal: as `inner`.
    """
    return any(isinstance(op, Words) for op, _ in _within(ops))


def check(ops: Iterable[Op]) -> None:
    """Check what layers hold before anything is fetched.

    Raises:
        Refusal: 400; too many, too deep, or what they name or do cannot be read.
    """
    count = 0
    for op, depth in _within(ops, checked=True):
        count += isinstance(op, (Layer, Words))
        if count > LAYERS_MAX:
            raise refusals.parameter("layers", str(count), f"at most {LAYERS_MAX}")
        if isinstance(op, Layer) and depth > NESTED_MAX:
            raise refusals.parameter("layers", str(depth), f"nested at most {NESTED_MAX} deep")
        if isinstance(op, Layer) or (isinstance(op, Mask) and op.shape == "file"):
            _check_file(op.file)


def _within(
    ops: Iterable[Op], *, checked: bool = False, depth: int = 1
) -> Iterator[tuple[Op, int]]:
    for op in ops:
        yield op, depth
        if isinstance(op, Layer) and op.made:
            try:
                made = inner(op)
                base.check_all(made if checked else ())
            except refusals.Refusal:
                raise refusals.parameter("layer.made", op.made, "operations") from None
            yield from _within(made, checked=checked, depth=depth + 1)


def _check_file(file: str) -> None:
    try:
        paths.split(paths.encode(file))
    except refusals.Refusal:
        raise refusals.parameter("layer.file", file, "NAME/path of a file in a source") from None
