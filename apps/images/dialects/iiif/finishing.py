"""Rotation, quality and format: ``0`` or ``!90``, and ``default.jpg``. Pure."""

from __future__ import annotations

from typing import Any

import colours
import iiif_terms as terms
import refusals
import rules
from dialects.iiif.numbers import number
from ops import effects, geometry
from ops.base import Op

WHITE = colours.WHITE
TURN_MAX = 360
TURNS = f"a number from 0 to {TURN_MAX}, with ! before it to mirror first"
_LOOKS: dict[str, tuple[Op, ...]] = {
    "default": (),
    "color": (),
    "gray": (effects.Grey(),),
    "bitonal": (effects.Bitonal(),),
}


def turn(text: str) -> tuple[Op, ...]:
    """Give the operations that mirror and turn clockwise.

    Raises:
        Refusal: 400.
    """
    degrees = number(text.removeprefix("!"))
    if degrees is None or degrees > TURN_MAX:
        raise refusals.parameter("rotation", text, TURNS)
    return geometry.Flip(x=text.startswith("!")), geometry.Rotate(degrees % TURN_MAX)


def look(text: str) -> tuple[tuple[Op, ...], Any]:
    """Give the operations of ``quality.format``, and our name of the format.

    Raises:
        Refusal: 400.
    """
    quality, _, fm = text.rpartition(".")
    if quality not in _LOOKS:
        raise refusals.parameter("quality", quality or text, f"one of {', '.join(_LOOKS)}")
    if fm not in terms.FORMATS:
        raise refusals.parameter("format", fm, f"one of {', '.join(terms.FORMATS)}")
    return _LOOKS[quality], terms.FORMATS[fm]


def quality(fm: str, rule: rules.Rule) -> int:
    """Give the encoder's quality, which IIIF's addresses do not know."""
    return rules.quality_for(fm, rule)
