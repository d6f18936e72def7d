"""What a parameter's text may be: one reader a kind, which says in words what it takes. Pure.

A reader gives None for what it does not take; nobody here raises.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import colours
import paths
from ops import values
from ops.base import TEXT_MAX

SIDE_MAX = 65_500
"""Pixels that a length may count."""
RECTANGLES_MAX = 8
POINTS_MAX = 16
_WHOLE = re.compile(r"[0-9]{1,9}")
_LENGTH = re.compile(r"(-?[0-9]{1,5}(?:\.[0-9]{1,4})?)([p%]?)")
_RATIO = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,4})?)(?::([0-9]{1,5}(?:\.[0-9]{1,4})?))?")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_ENCODED = re.compile(r"[0-9A-Za-z_-]*")
_FLAGS = {"1": True, "true": True, "0": False, "false": False}
_ACROSS = {"left": "we", "center": "", "right": "ea"}
_DOWN = {"top": "no", "middle": "", "bottom": "so"}
_SMART = {
    "focalpoint": "fp", "attention": "attention", "entropy": "entropy",
    "faces": "face", "objects": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reader:
    """``take`` gives a value or None; ``allowed`` completes "it must be …".

    ``kind`` is what a TOML file writes instead of the text.
    """

    take: Callable[[str], Any]
    allowed: str
    kind: Literal["text", "number", "flag"] = "text"


def whole(least: int, most: int) -> Reader:
    """Take a whole number."""

    def take(text: str) -> int | None:
        if not _WHOLE.fullmatch(text):
            return None
        return int(text) if least <= int(text) <= most else None

    return Reader(take, f"a whole number from {least} to {most}", "number")


def number(least: Decimal | int, most: Decimal | int, *, decimals: int | None = None) -> Reader:
    """Take a number with digits behind the point."""

    def take(text: str) -> Decimal | None:
        found = values.number(text)
        if found is None or not least <= found <= most:
            return None
        return found if decimals is None or len(text.partition(".")[2]) <= decimals else None

    some = "" if decimals is None else " with at most two decimals"
    return Reader(take, f"a number from {least} to {most}{some}", "number")


def part() -> Reader:
    """Take percents, as a part of one."""
    inner = number(0, 100)

    def take(text: str) -> Decimal | None:
        found = inner.take(text)
        return None if found is None else values.rounded(found / 100)

    return Reader(take, inner.allowed, "number")


def words(*names: str) -> Reader:
    """Take one of some words."""
    known = {name: name for name in names}
    return Reader(known.get, f"one of {', '.join(names)}")


def some_of(*names: str) -> Reader:
    """Take several of some words, as they come."""

    def take(text: str) -> str | None:
        pieces = text.split(",")
        right = set(pieces) <= set(names) and len(set(pieces)) == len(pieces)
        return ".".join(pieces) if right else None

    return Reader(take, f"one or more of {', '.join(names)}, separated by commas")


FLAG = Reader(_FLAGS.get, "1 or 0 (or true, false)", "flag")
COLOUR = Reader(colours.parse, colours.ALLOWED)


def _length(text: str) -> values.Length | None:
    matched = _LENGTH.fullmatch(text)
    if not matched:
        return None
    found = values.rounded(Decimal(matched[1]))
    return values.share(found / 100) if matched[2] else values.Length(found)


def length(least: int = 0, most: int = SIDE_MAX) -> Reader:
    """Take pixels, or percents (``10p`` or ``10%``), which are above 0 where ``least`` is."""

    def take(text: str) -> values.Length | None:
        found = _length(text)
        if found is None:
            return None
        enough = found.value > 0 if found.share and least > 0 else found.value >= least
        return found if enough and found.value <= most else None

    return Reader(take, f"pixels from {least} to {most}, or percents as 10p")


def lengths(least: int, most: int) -> Reader:
    """Take as many lengths as that, separated by commas."""
    inner = length()

    def take(text: str) -> tuple[values.Length, ...] | None:
        found = tuple(map(inner.take, text.split(",", most)))
        return found if least <= len(found) <= most and None not in found else None

    count = f"{least}" if least == most else f"{least} to {most}"
    return Reader(take, f"{count} lengths separated by commas, each {inner.allowed}")


def _rectangle(text: str) -> tuple[values.Length, ...] | None:
    found = [one for one in map(_length, text.split(",", 4)) if one is not None]
    if len(found) != 4 or text.count(",") != 3:
        return None
    x, y, w, h = found
    inside = abs(x.value) <= SIDE_MAX and abs(y.value) <= SIDE_MAX
    sized = 0 < w.value <= SIDE_MAX and 0 < h.value <= SIDE_MAX
    return (x, y, w, h) if inside and sized else None


RECTANGLE = Reader(_rectangle, "x,y,w,h in pixels, or percents as 10p; w and h above 0")


def _redacted(text: str) -> Any:
    if text == "faces":
        return text
    found = tuple(map(_rectangle, text.split(";", RECTANGLES_MAX)))
    return found if len(found) <= RECTANGLES_MAX and None not in found else None


REDACTED = Reader(
    _redacted, f"faces, or up to {RECTANGLES_MAX} rectangles x,y,w,h separated by semicolons"
)


def _ratio(text: str) -> Decimal | None:
    matched = _RATIO.fullmatch(text)
    across, down = (Decimal(matched[1]), Decimal(matched[2] or 1)) if matched else (0, 0)
    if not across or not down:
        return None
    found = values.rounded(Decimal(across) / down)
    return found if Decimal("0.001") <= found <= 1_000 else None


RATIO = Reader(_ratio, "a width and a height as 16:9, or their ratio as 1.778")


def _canvas(text: str) -> tuple[values.Length, values.Length, bool] | None:
    """Give two sides, and whether they are only a shape."""
    across, by, down = text.partition("x")
    if not by:
        ratio = _ratio(text)
        return None if ratio is None else (*_in_whole(text, ratio), True)
    if not _WHOLE.fullmatch(across) or not _WHOLE.fullmatch(down):
        return None
    w, h = int(across), int(down)
    return (
        (values.pixels(w), values.pixels(h), False) if max(w, h) <= SIDE_MAX and w and h else None
    )


def _in_whole(text: str, ratio: Decimal) -> tuple[values.Length, values.Length]:
    """Say a shape in two whole numbers, as small as they can be."""
    across, _, down = text.partition(":")
    exact = Fraction(Decimal(across)) / Fraction(Decimal(down or 1))
    if max(exact.numerator, exact.denominator) > SIDE_MAX:
        most = SIDE_MAX if ratio <= 1 else int(SIDE_MAX / (ratio + 1))
        exact = exact.limit_denominator(most)
    return values.pixels(exact.numerator), values.pixels(exact.denominator)


CANVAS = Reader(_canvas, "a size as 400x300, or a shape as 16:9")


def _place(text: str) -> str | None:
    pieces = text.split(",")
    across = [_ACROSS[piece] for piece in pieces if piece in _ACROSS]
    down = [_DOWN[piece] for piece in pieces if piece in _DOWN]
    if len(across) > 1 or len(down) > 1 or len(across) + len(down) != len(pieces):
        return None
    return "".join(down + across) or "ce"


PLACE = Reader(
    _place, f"one of {', '.join(_DOWN)} and one of {', '.join(_ACROSS)}, or both with a comma"
)
_CALM = {"calm": "entropy", "beside-faces": "face"}
OVER = Reader(
    lambda text: _CALM.get(text) or _place(text), f"{', '.join(_CALM)}, or {PLACE.allowed}"
)
CROP = Reader(
    lambda text: _SMART.get(text) or _place(text), f"{', '.join(_SMART)}, or {PLACE.allowed}"
)


def _flip(text: str) -> str | None:
    return {"h": "h", "v": "v", "hv": "hv", "vh": "hv"}.get(text)


FLIP = Reader(_flip, "one of h, v, hv")


def text(most: int = TEXT_MAX) -> Reader:
    """Take any characters that can be printed, and line ends."""

    def take(given: str) -> str | None:
        right = 0 < len(given) <= most and not _UNPRINTABLE.search(given)
        return given if right else None

    return Reader(take, f"a text of 1 to {most} characters, line ends being the only controls")


def matching(pattern: str, allowed: str) -> Reader:
    """Take what a pattern matches as a whole."""
    compiled = re.compile(pattern)
    return Reader(lambda text: text if compiled.fullmatch(text) else None, allowed)


def _reference(text: str) -> str | None:
    right = "/" in text and len(text) <= TEXT_MAX and paths.is_plain(text)
    return text if right and not _UNPRINTABLE.search(text) and "\n" not in text else None


REFERENCE = Reader(_reference, "a picture as NAME/path, NAME being a source")


def _curve(text: str) -> str | None:
    found = [values.number(piece) for piece in text.split(",", 2 * POINTS_MAX)]
    right = 4 <= len(found) <= 2 * POINTS_MAX and len(found) % 2 == 0
    if not right or not all(one is not None and 0 <= one <= 255 for one in found):
        return None
    points = [one for one in found if one is not None]
    rising = all(a < b for a, b in zip(points[::2], points[2::2], strict=False))
    return " ".join(map(values.spell_number, points)) if rising else None


CURVE = Reader(
    _curve, f"2 to {POINTS_MAX} points x,y,x,y,… from 0 to 255, x growing from point to point"
)


def numbers(least: int, most: int, *, low: int, high: int) -> Reader:
    """Take numbers separated by commas."""

    def take(text: str) -> tuple[Decimal, ...] | None:
        found = [values.number(piece) for piece in text.split(",", most)]
        right = least <= len(found) <= most
        if not right or not all(one is not None and low <= one <= high for one in found):
            return None
        return tuple(one for one in found if one is not None)

    count = f"{least}" if least == most else f"{least} to {most}"
    return Reader(take, f"{count} numbers from {low} to {high}, separated by commas")


def decoded(text: str) -> str | None:
    """Read base64url with or without padding as UTF-8; None when it is none."""
    bare = text.rstrip("=")
    if not _ENCODED.fullmatch(bare) or len(bare) % 4 == 1:
        return None
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8")
    except ValueError:
        return None
