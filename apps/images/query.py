"""URL parameters → checked values. Pure; the one place that knows how parameters are spelled.

What a value means together with rules and a source is decided in `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

import colours
import limits as limit_names
import refusals

QUERY_MAX = 2_048
"""Characters of a query, still encoded."""
FITS = ("inside", "cover", "contain", "fill")
FORMATS = ("auto", "jpg", "webp", "avif", "png")
DPR_MAX = 5
_WHOLE = re.compile(r"[0-9]{1,6}")
_DPR = re.compile(r"[1-5](?:\.[0-9]{1,2})?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a URL asks for; None where it says nothing. ``w`` and ``h`` are before ``dpr``."""

    w: int | None = None
    h: int | None = None
    fit: str | None = None
    dpr: Decimal | None = None
    fm: str | None = None
    q: int | None = None
    bg: colours.Colour | None = None


def parse(query: str, limits: limit_names.Limits) -> Wanted:
    """Read a raw query (no ``?``).

    Raises:
        Refusal: 400 naming the parameter that is unknown, repeated or malformed.
    """
    values: dict[str, Any] = {}
    checks = _checks(limits)
    for name, text in _pairs(query):
        if name not in checks:
            raise refusals.parameter(name, text, f"one of the parameters {', '.join(checks)}")
        if name in values:
            raise refusals.parameter(name, text, "given only once")
        check, allowed = checks[name]
        value = check(text)
        if value is None:
            raise refusals.parameter(name, text, allowed)
        values[name] = value
    return Wanted(**values)


def check(name: str, text: str, limits: limit_names.Limits) -> Any:
    """Check one value in its URL spelling; used for the defaults in rules too.

    Raises:
        Refusal: the value is not allowed, or there is no such parameter.
    """
    return getattr(parse(f"{name}={text.replace('%', '%25')}", limits), name)


def _pairs(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    if len(query) > QUERY_MAX:
        raise refusals.parameter("", "", f"at most {QUERY_MAX} characters long")
    pairs = []
    for piece in query.split("&"):
        name, _, text = piece.partition("=")
        pairs.append((_decoded(name), _decoded(text)))
    return pairs


def _decoded(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise refusals.parameter("", text, "percent-encoded as % and two hexadecimal digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise refusals.parameter("", text, "UTF-8 when decoded") from None


_Check = tuple[Callable[[str], Any], str]


def _checks(limits: limit_names.Limits) -> Mapping[str, _Check]:
    side = (
        lambda text: _whole(text, limits.output_side),
        f"a whole number from 1 to {limits.output_side}",
    )
    return {
        "w": side,
        "h": side,
        "fit": (lambda text: text if text in FITS else None, f"one of {', '.join(FITS)}"),
        "dpr": (_dpr, f"a number from 1 to {DPR_MAX} with at most two decimals"),
        "fm": (lambda text: text if text in FORMATS else None, f"one of {', '.join(FORMATS)}"),
        "q": (lambda text: _whole(text, 100), "a whole number from 1 to 100"),
        "bg": (colours.parse, colours.ALLOWED),
    }


def _whole(text: str, most: int) -> int | None:
    if not _WHOLE.fullmatch(text):
        return None
    return int(text) if 1 <= int(text) <= most else None


def _dpr(text: str) -> Decimal | None:
    if not _DPR.fullmatch(text) or Decimal(text) > DPR_MAX:
        return None
    return Decimal(text)
