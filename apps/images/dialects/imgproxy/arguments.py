"""The arguments of options: each kind's one reader. Pure; what an argument means is not known here.

Numbers are plain decimals: no exponents, no NaN, no infinity, whatever Go would take.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from decimal import Decimal

import colours
from dialects.imgproxy import wrong
from ops import values

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
BIG = 1_000_000_000
FORMATS = {
    "jpg": "jpg", "jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif", "jxl": "jxl",
    "gif": "gif", "ico": "ico", "heic": "heic", "bmp": "bmp", "tiff": "tiff", "tif": "tiff",
    "svg": "svg", "mp4": "mp4", "best": "best",
}  # fmt: skip
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")
_HEX = re.compile(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}")
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")

Arguments = Sequence[str]


def at_most(name: str, args: Arguments, count: int) -> None:
    """Refuse further arguments."""
    if len(args) > count:
        raise wrong.option(name, ":".join(args), f"followed by at most {count} arguments")


def flag(text: str) -> bool:
    """Read a bool as Go does; what is none is false."""
    return text in TRUE


def whole(name: str, text: str, least: int = 0, most: int = BIG) -> int:
    """Read a whole number."""
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise wrong.option(name, text, f"a whole number from {least} to {most}")
    return int(text)


def number(name: str, text: str, least: Decimal | int = -BIG, most: Decimal | int = BIG) -> Decimal:
    """Read a number."""
    if _NUMBER.fullmatch(text):
        found = values.rounded(Decimal(text))
        if least <= found <= most:
            return found
    raise wrong.option(name, text, f"a number from {least} to {most}")


def positive(name: str, text: str, most: int = BIG) -> Decimal:
    """Read a number above 0."""
    found = number(name, text, 0, most)
    if not found:
        raise wrong.option(name, text, "a number above 0")
    return found


def part(name: str, text: str) -> Decimal:
    """Read a number from 0 to 1."""
    return number(name, text, 0, 1)


def colour(name: str, text: str) -> colours.Colour:
    """Read a colour in hexadecimal."""
    found = colours.parse(text) if _HEX.fullmatch(text) else None
    if found is None:
        raise wrong.option(name, text, "a colour as rgb or rrggbb in hexadecimal")
    return found


def fm(name: str, text: str) -> str:
    """Read a format."""
    found = FORMATS.get(text)
    if found is None:
        raise wrong.option(name, text, f"one of the formats {', '.join(FORMATS)}")
    return found


def length(text: Decimal) -> values.Length:
    """Give a length: below 1 it is a share."""
    return values.pixels(text) if abs(text) >= 1 or not text else values.share(text)


def gravity(name: str, args: Arguments, *, smart: bool = True) -> values.Gravity:
    """Read ``type[:x:y]``; offsets in pixels are still without the dpr."""
    place, *offsets = args
    if smart and place == "sm" and not offsets:
        return values.Gravity("attention")
    if smart and place in ("obj", "objw"):
        return values.Gravity(_detected(place, offsets))
    if place == "fp" and len(offsets) == 2:
        return values.focal(part(name, offsets[0]), part(name, offsets[1]))
    if place not in values.SIDES or len(offsets) > 2:
        kinds = ", ".join((*values.SIDES, *(("sm", "obj", "objw") if smart else ()), "fp:x:y"))
        raise wrong.option(name, ":".join(args), f"one of {kinds}, with offsets x:y")
    x, y = (length(number(name, text, -65_500, 65_500)) for text in (*offsets, "0", "0")[:2])
    return values.Gravity(place, x, y)


def _detected(place: str, args: Arguments) -> str:
    """Faces where only they are asked for, else whatever is found."""
    classes = args[::2] if place == "objw" else args
    return "face" if classes and set(classes) == {"face"} else "object"


def scaled(found: values.Gravity, dpr: Decimal) -> values.Gravity:
    """Give a gravity whose offsets in pixels are for a denser screen."""
    if dpr == 1 or found.place == "fp" or found.place in values.SMART:
        return found
    x, y = (
        one if one.share else values.Length(values.rounded(one.value * dpr))
        for one in (found.x, found.y)
    )
    return values.Gravity(found.place, x, y)


def base64(name: str, text: str) -> str:
    """Read text in URL-safe base64, padded or not."""
    bare = text.rstrip("=")
    if _BASE64.fullmatch(bare) and len(bare) % 4 != 1:
        try:
            return urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8")
        except UnicodeDecodeError:
            pass
    raise wrong.option(name, text, "UTF-8 in URL-safe base64")
