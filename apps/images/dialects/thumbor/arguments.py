"""Arguments of filters: texts become numbers, colours and places, or a filter is skipped. Pure."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from decimal import Decimal
from urllib.parse import unquote

import colours
from ops import geometry, values
from ops.values import Gravity, Length

_BRACKET = re.compile(r"%5[BD]", re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_DECIMAL = re.compile(r"-?(?:[0-9]{1,9}\.?[0-9]{0,12}|\.[0-9]{1,12})")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_NOTHING = ("none", "transparent")
_EDGES = {
    "": ("low", ""), "left": ("low", ""), "l": ("low", ""), "top": ("low", ""), "t": ("low", ""),
    "right": ("high", ""), "r": ("high", ""), "bottom": ("high", ""), "b": ("high", ""),
    "center": ("mid", ""), "middle": ("mid", ""), "repeat": ("low", "repeat"),
}  # fmt: skip
_PUSHED = re.compile(r"(left|l|top|t|right|r|bottom|b)-([0-9]{1,5})")
_CENTRE = "mid"


class Skip(Exception):
    """A filter is unknown or badly argued."""


def split(text: str) -> list[str]:
    """Split arguments at their commas, those within parentheses or brackets apart, and decode.

    Quotes around an argument are taken off, as thumbor does.
    """
    text = _BRACKET.sub(lambda found: unquote(found[0]), text)  # many clients encode these
    pieces, depth, start = [], 0, 0
    for at, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth <= 0:
            pieces.append(text[start:at])
            start = at + 1
    pieces.append(text[start:])
    return [_plain(piece) for piece in pieces] if text else []


def _plain(piece: str) -> str:
    plain = unquote(piece).strip()
    return plain[1:-1] if len(plain) > 2 and plain[0] == plain[-1] == "'" else plain


def whole(text: str) -> int:
    """Read a whole number."""
    if not _WHOLE.fullmatch(text):
        raise Skip
    return int(text)


def decimal(text: str) -> Decimal:
    """Read a number."""
    if not _DECIMAL.fullmatch(text):
        raise Skip
    return values.rounded(Decimal(text))


def flag(text: str) -> bool:
    """Read yes or no."""
    found = _FLAGS.get(text.lower())
    if found is None:
        raise Skip
    return found


def colour(text: str) -> colours.Colour:
    """Read a colour: a name or hexadecimal digits without ``#``."""
    if text.lower() in _NOTHING:
        return geometry.CLEAR
    found = colours.parse(text)
    if found is None:
        raise Skip
    return found


def encoded(text: str) -> str:
    """Give a text that may be written ``b64:…``."""
    if not text.startswith("b64:"):
        return text
    digits = text.removeprefix("b64:").rstrip("=")
    try:
        return urlsafe_b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8")
    except ValueError:
        return text


def opacity(text: str) -> Decimal:
    """Read transparency, 0 to 100, as its opposite, 1 to 0."""
    found = decimal(text or "0")
    if not 0 <= found <= 100:
        raise Skip
    return values.rounded(1 - found / 100)


def length(text: str) -> Length:
    """Read pixels, ``20p`` percent, or a share ``0.2``."""
    if text.endswith("p"):
        return values.share(decimal(text[:-1]) / 100)
    found = decimal(text)
    return values.share(found) if "." in text and abs(found) < 1 else values.pixels(found)


def place(x: str, y: str) -> tuple[Gravity, str]:
    """Read where a layer lies, and in which directions it is repeated (``""``: none)."""
    (across, dx, tiled_x), (down, dy, tiled_y) = _along(x), _along(y)
    name = {"low": "no", "high": "so", _CENTRE: ""}[down]
    name += {"low": "we", "high": "ea", _CENTRE: ""}[across]
    along = {(True, True): "both", (True, False): "across", (False, True): "down"}
    return Gravity(name or "ce", dx, dy), along.get((tiled_x, tiled_y), "")


def _along(text: str) -> tuple[str, Length, bool]:
    """Give the edge, how far inwards from it, and whether it is repeated."""
    if text in _EDGES:
        edge, repeated = _EDGES[text]
        return edge, values.ZERO, bool(repeated)
    pushed = _PUSHED.fullmatch(text)
    if pushed:  # outwards
        return _EDGES[pushed[1]][0], values.pixels(-int(pushed[2])), False
    found = length(text.removeprefix("-"))
    if found.value < 0:
        raise Skip
    return ("high" if text.startswith("-") else "low"), found, False
