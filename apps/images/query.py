"""The native URL's query → checked values, by the table in `parameters`. Pure.

What a value means together with rules and a source is decided in `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

import colours
import limits as limit_names
import meant
import refusals
from parameters import output, readers, sizing, table
from parameters.row import Row

QUERY_MAX = 2_048
"""Characters of a query, still encoded."""
FITS = sizing.FITS
FORMATS = output.FORMATS
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED = "64"
OTHER_WORDS: Mapping[str, str] = {
    "width": "w", "height": "h", "quality": "q", "format": "fm", "f": "fm", "output": "fm",
    "mode": "fit", "background": "bg", "bg-color": "bg", "rotate": "rot", "gravity": "align",
    "sharpen": "sharp", "brightness": "bri", "contrast": "con", "saturation": "sat", "text": "txt",
    "watermark": "mark", "ratio": "ar", "aspect": "ar", "download": "dl", "sig": "s",
    "signature": "s",
}  # fmt: skip
"""What other servers call a parameter → its name here; for messages."""
"""Behind a parameter's name: its value is in base64url."""


class Wanted:
    """What a URL asks for: checked values by name. ``w`` and ``h`` are before ``dpr``.

    A value: never changed. Attributes give the most used ones, None where nothing is said.
    """

    __slots__ = ("given",)
    given: Mapping[str, Any]

    def __init__(self, **given: Any) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wanted) and self.given == other.given

    def __hash__(self) -> int:
        return hash(frozenset(self.given))

    def __repr__(self) -> str:
        return f"Wanted({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    def over(self, other: Wanted) -> Wanted:
        """Give what this says, and what ``other`` says where this says nothing."""
        return Wanted(**{**other.given, **self.given})

    @property
    def w(self) -> int | None:
        """Width."""
        return self.given.get("w")

    @property
    def h(self) -> int | None:
        """Height."""
        return self.given.get("h")

    @property
    def fit(self) -> str | None:
        """How it comes into the box."""
        return self.given.get("fit")

    @property
    def dpr(self) -> Decimal | None:
        """Density of the screen."""
        return self.given.get("dpr")

    @property
    def fm(self) -> str | None:
        """Format."""
        return self.given.get("fm")

    @property
    def q(self) -> int | None:
        """Quality."""
        return self.given.get("q")

    @property
    def bg(self) -> colours.Colour | None:
        """What pads, and what shows through."""
        return self.given.get("bg")


def parse(query: str, limits: limit_names.Limits) -> Wanted:
    """Read a raw query (no ``?``).

    Raises:
        Refusal: 400 naming the parameter that is unknown, repeated, malformed, or alone.
    """
    return read(pairs(query), limits)


def read(given: Iterable[tuple[str, str]], limits: limit_names.Limits) -> Wanted:
    """Read decoded names and values.

    Raises:
        Refusal: as `parse`.
    """
    values: dict[str, Any] = {}
    rows = table.rows(limits)
    for name, text in given:
        row, said = _row(name, text, rows)
        if row.name in values:
            raise refusals.parameter(name, text, "given only once")
        value = row.reader.take(said)
        if value is None:
            raise refusals.parameter(name, text, row.reader.allowed)
        values[row.name] = value
    return Wanted(**values)


def _row(name: str, text: str, rows: Mapping[str, Row]) -> tuple[Row, str]:
    row = rows.get(name)
    if row is not None:
        return row, text
    row = rows.get(name.removesuffix(_ENCODED))
    if row is None:
        raise refusals.unknown_parameter(name, text, meant.closest(name, rows, OTHER_WORDS))
    said = readers.decoded(text)
    if said is None:
        raise refusals.parameter(name, text, "base64url of UTF-8")
    return row, said


def check_company(wanted: Wanted, full: Wanted, limits: limit_names.Limits) -> None:
    """Check that nothing in ``wanted`` is without what it needs in ``full``.

    Raises:
        Refusal: 400; it would mean nothing.
    """
    rows = table.rows(limits)
    for name in wanted.given:
        needs = rows[name].needs
        if needs and needs not in full.given:
            raise refusals.parameter(name, "", f"given together with {needs}")


def check(name: str, text: str, limits: limit_names.Limits) -> Any:
    """Check one value in its URL spelling; used for the defaults in rules too.

    Raises:
        Refusal: the value is not allowed, or there is no such parameter.
    """
    return read([(name, text)], limits).given[name]


def pairs(query: str) -> list[tuple[str, str]]:
    """Split a raw query into names and values, decoded once.

    Raises:
        Refusal: 400; it is too long, or an escape is broken.
    """
    if not query:
        return []
    if len(query) > QUERY_MAX:
        raise refusals.parameter("", "", f"at most {QUERY_MAX} characters long")
    found = []
    for piece in query.split("&"):
        name, _, text = piece.partition("=")
        found.append((_decoded(name), _decoded(text)))
    return found


def _decoded(text: str) -> str:
    if "%" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise refusals.parameter("", text, "percent-encoded as % and two hexadecimal digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:  # or halves of surrogate pairs, where the query came as JSON
        raise refusals.parameter("", ascii(text), "UTF-8 when decoded") from None
