"""The values that operations take beside numbers: a length, a place, and their spellings. Pure.

10      pixels             0.25r    a share of the side it is measured on
noea~10~0.1r               north-east, 10 pixels and a tenth of the side inwards
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

DECIMALS_MAX = 6
"""Digits behind the point that make a difference; further ones are rounded away."""
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,12})?")
_STEP = Decimal(1).scaleb(-DECIMALS_MAX)

SIDES = ("ce", "no", "so", "ea", "we", "noea", "nowe", "soea", "sowe")
SMART = ("attention", "entropy", "face", "object")
"""Places that only the pixels tell."""
PLACES = (*SIDES, "fp", *SMART)


def number(text: str) -> Decimal | None:
    """Read a plain decimal number; None for anything else (exponents, NaN, infinity)."""
    return rounded(Decimal(text)) if _NUMBER.fullmatch(text) else None


def rounded(value: Decimal) -> Decimal:
    """Round to ``DECIMALS_MAX``, without trailing zeros or a negative zero."""
    return value.quantize(_STEP).normalize() + 0


@lru_cache(maxsize=4_096)
def spell_number(value: Decimal | int) -> str:
    """Print a number in its one spelling: never with an exponent."""
    text = str(value)
    if isinstance(value, int) or text.isdigit():
        return text
    return format(rounded(value), "f")


@dataclass(frozen=True, slots=True)
class Length:
    """``value`` pixels, or where ``share`` that part of the side it is measured on."""

    value: Decimal
    share: bool = False

    def __str__(self) -> str:
        return spell_number(self.value) + ("r" if self.share else "")

    def of(self, side: int) -> int:
        """Give whole pixels, halves away from zero."""
        exact = self.value * side if self.share else self.value
        whole = int(abs(exact) + Decimal("0.5"))
        return whole if exact >= 0 else -whole


ZERO = Length(Decimal(0))


def pixels(count: int | Decimal) -> Length:
    """Give a length in pixels."""
    return Length(Decimal(count))


def share(part: Decimal) -> Length:
    """Give a length that is a part of a side: 1 is all of it."""
    return Length(rounded(part), share=True)


def length(text: str) -> Length | None:
    """Read a length in its spelling; None when it is none."""
    found = number(text.removesuffix("r"))
    return None if found is None else Length(found, text.endswith("r"))


@dataclass(frozen=True, slots=True)
class Gravity:
    """Which part matters: one of ``PLACES``.

    ``x`` and ``y`` push away from the named edge (from the centre: to the right and down); for
    ``fp`` they are the point itself, in pixels or as shares of the picture. Smart places have
    neither.
    """

    place: str = "ce"
    x: Length = ZERO
    y: Length = ZERO

    def __str__(self) -> str:
        if self.x == ZERO and self.y == ZERO and self.place != "fp":
            return self.place
        return f"{self.place}~{self.x}~{self.y}"


CENTRE = Gravity()


def focal(x: Decimal, y: Decimal) -> Gravity:
    """Give the gravity of one point, 0 to 1 in each direction."""
    return Gravity("fp", share(x), share(y))


def gravity(text: str) -> Gravity | None:
    """Read a gravity in its spelling; None when it is none."""
    place, *rest = text.split("~")
    if place not in PLACES or len(rest) not in (0, 2) or (rest and place in SMART):
        return None
    if not rest:
        return None if place == "fp" else Gravity(place)
    x, y = length(rest[0]), length(rest[1])
    if x is None or y is None:
        return None
    if place == "fp" and not is_point(x, y):
        return None
    return Gravity(place, x, y)


def is_point(x: Length, y: Length) -> bool:
    """Tell whether they can be a focal point: shares up to 1, or pixels."""
    if x.share != y.share or x.value < 0 or y.value < 0:
        return False
    return not x.share or max(x.value, y.value) <= 1
