"""thumbor's path, part by part, with the parts that imagor adds. Pure: no keys, no sources, no ops.

    trim:bottom-right:10/10x20:300x400/adaptive-fit-in/-300x200/5x5/left/top/smart/filters:…/image

Every part is optional and stands in this order; what matches no further part is the image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import refusals

FILTERS_MAX = 64
"""Filters in one path, nested ones apart: each may cost a pass over the picture."""
ARGUMENTS_MAX = 32
TRIM_MAX = 442
"""The largest distance between two colours."""

_TRIM = re.compile(r"trim(?::(top-left|bottom-right))?(?::([0-9]{1,6}))?")
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,12})?|\.[0-9]{1,12})"
_CROP = re.compile(f"{_NUMBER}x{_NUMBER}:{_NUMBER}x{_NUMBER}")
_FIT_IN = re.compile(r"(adaptive-)?(full-)?fit-in")
_SIDE = r"([0-9]{1,9}|orig)?"
_SIZE = re.compile(f"(-?){_SIDE}x(-?){_SIDE}")
_LAYER_SIDE = r"([0-9]{1,9}|orig|(?:full|f)(?:-[0-9]{1,5})?)?"
_LAYER_SIZE = re.compile(f"(-?){_LAYER_SIDE}x(-?){_LAYER_SIDE}")
_PADDING = re.compile(r"([0-9]{1,5})x([0-9]{1,5})(?::([0-9]{1,5})x([0-9]{1,5}))?")
_COLON = re.compile("%3A", re.IGNORECASE)
_COLON_BEHIND = re.compile(r"\)%3A", re.IGNORECASE)
_FILTERS = re.compile(r"filters(?::|%3[Aa])(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trimming:
    """Cut off what has the colour of a corner."""

    corner: str
    tolerance: int


@dataclass(frozen=True, slots=True)
class Corners:
    """A rectangle by two of its corners, right and bottom outside it; or shares of the sides."""

    left: Decimal
    top: Decimal
    right: Decimal
    bottom: Decimal
    relative: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; ``arguments`` are still percent-encoded."""

    name: str
    arguments: str


@dataclass(slots=True, kw_only=True)
class Path:
    """What a path says. A side is ``""``, digits, ``orig``, or in layers ``full`` and the like."""

    meta: bool = False
    trim: Trimming | None = None
    crop: Corners | None = None
    fit_in: bool = False
    adaptive: bool = False
    full: bool = False
    stretch: bool = False
    w: str = ""
    h: str = ""
    flip_x: bool = False
    flip_y: bool = False
    padding: tuple[int, int, int, int] | None = None
    halign: str = "center"
    valign: str = "middle"
    smart: bool = False
    filters: tuple[Filter, ...] = ()
    image: str = ""


def parse(text: str, *, layer: bool = False) -> Path:
    """Read a path behind its hash; that of a ``layer`` may name its parent's sides.

    Raises:
        Refusal: 400; there is no image, or there are too many filters.
    """
    found = Path()
    rest = _before_size(found, text.lstrip("/"))
    rest = _size(found, rest, _LAYER_SIZE if layer else _SIZE)
    rest = _after_size(found, rest)
    matched = _FILTERS.match(rest)
    if matched:
        found.filters, rest = filters(matched[1])
    found.image = rest.lstrip("/")
    if not found.image:
        raise refusals.malformed_path("the path names no picture")
    return found


def _take(text: str, *words: str) -> tuple[str, str]:
    """Split off a first segment that is one of ``words``."""
    segment, slash, rest = text.partition("/")
    return (segment, rest) if slash and segment in words else ("", text)


def _match(text: str, pattern: re.Pattern[str]) -> tuple[re.Match[str] | None, str]:
    segment, slash, rest = text.partition("/")
    matched = pattern.fullmatch(_COLON.sub(":", segment)) if slash else None
    return (matched, rest) if matched else (None, text)


def _before_size(found: Path, text: str) -> str:
    _, text = _take(text, "debug")
    meta, text = _take(text, "meta")
    found.meta = bool(meta)
    matched, text = _match(text, _TRIM)
    if matched:
        tolerance = min(int(matched[2] or 0), TRIM_MAX)
        found.trim = Trimming(matched[1] or "top-left", tolerance)
    matched, text = _match(text, _CROP)
    if matched:
        found.crop = _corners(matched)
    matched, text = _match(text, _FIT_IN)
    if matched:
        found.fit_in, found.adaptive, found.full = True, bool(matched[1]), bool(matched[2])
    stretch, text = _take(text, "stretch")
    found.stretch = bool(stretch)
    return text


def _corners(matched: re.Match[str]) -> Corners | None:
    left, top, right, bottom = (Decimal(part) for part in matched.groups())
    relative = "." in matched[0] and max(left, top, right, bottom) <= 1
    if left >= right or top >= bottom:
        return None  # as thumbor: a crop of nothing is no crop
    if not relative:
        left, top, right, bottom = (Decimal(int(part)) for part in (left, top, right, bottom))
    return Corners(left, top, right, bottom, relative)


def _size(found: Path, text: str, pattern: re.Pattern[str]) -> str:
    matched, text = _match(text, pattern)
    if matched:
        found.flip_x, found.flip_y = bool(matched[1]), bool(matched[3])
        found.w, found.h = matched[2] or "", matched[4] or ""
    return text


def _after_size(found: Path, text: str) -> str:
    matched, text = _match(text, _PADDING)
    if matched:
        left, top = int(matched[1]), int(matched[2])
        right, bottom = int(matched[3] or left), int(matched[4] or top)
        found.padding = left, top, right, bottom
    halign, text = _take(text, "left", "right", "center")
    valign, text = _take(text, "top", "bottom", "middle")
    smart, text = _take(text, "smart")
    found.halign, found.valign = halign or "center", valign or "middle"
    found.smart = bool(smart)
    return text


def filters(text: str) -> tuple[tuple[Filter, ...], str]:
    """Split ``name(args):name(args)/image`` into filters and what follows.

    Parentheses are matched, so that a path within arguments may have filters of its own; where
    they do not match, ``):`` ends a filter and ``)/`` the last, as in thumbor.

    Raises:
        Refusal: 400; they are too many.
    """
    if "(" not in text:  # some clients encode everything
        text = _COLON.sub(":", text.replace("%28", "(").replace("%29", ")"))
    text = _COLON_BEHIND.sub("):", text)
    found = _matched(text)
    if found is None:
        head, closed, rest = text.rpartition(")/")
        pieces = f"{head})".split("):") if closed else []
        found = [_filter(piece if piece.endswith(")") else f"{piece})") for piece in pieces], rest
    if len(found[0]) > FILTERS_MAX:
        raise refusals.malformed_path(f"the path has more than {FILTERS_MAX} filters")
    return tuple(found[0]), found[1]


def _matched(text: str) -> tuple[list[Filter], str] | None:
    made: list[Filter] = []
    depth = start = 0
    for at, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and character in ":/":
            if at > start:
                made.append(_filter(text[start:at]))
            start = at + 1
            if character == "/":
                return made, text[start:]
    return None


def _filter(text: str) -> Filter:
    name, _, arguments = text.partition("(")
    return Filter(name, arguments.removesuffix(")"))
