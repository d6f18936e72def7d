"""What a ruleset is: rules with their conditions and what they set. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import colours
from ops.base import Op
from ops.values import Gravity
from rulesets import places

Mode = Literal["first", "layered"]
Fact = str | int | float | bool | None
Facts = Mapping[str, Fact]
NO_FACTS: Facts = {}
_HOLE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from ``least`` to ``most``, both included."""

    least: float = float("-inf")
    most: float = float("inf")

    def holds(self, value: object) -> bool:
        """Tell whether a number lies in it; what is no number does not."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return self.least <= value <= self.most

    def __str__(self) -> str:
        if self.least == float("-inf"):
            return f"at most {self.most:g}"
        if self.most == float("inf"):
            return f"at least {self.least:g}"
        return f"{self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A share of viewers (or of addresses): from ``least`` to below ``below`` per cent.

    ``by`` is ``url``, ``header:NAME`` or ``cookie:NAME``; the same ``salt`` deals the same cards.
    """

    by: str = "url"
    salt: str = ""
    least: float = 0.0
    below: float = 100.0


@dataclass(frozen=True, kw_only=True)
class When:
    """Conditions, all of which must hold; empty ones always do. ``begins``, ``ends``: epoch."""

    facts: tuple[tuple[str, Range | frozenset[Fact]], ...] = ()
    begins: float | None = None
    ends: float | None = None
    country: frozenset[str] = frozenset()
    locale: tuple[str, ...] = ()
    device: frozenset[str] = frozenset()
    format: frozenset[str] = frozenset()
    dpr: Range | None = None
    bucket: Bucket | None = None

    @cached_property
    def asks(self) -> bool:
        """Whether the client matters."""
        return bool(self.country or self.locale or self.device or self.format or self.dpr)

    @cached_property
    def timed(self) -> bool:
        """Whether time matters."""
        return self.begins is not None or self.ends is not None


ALWAYS = When()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text with ``{holes}`` for facts and parts of the path, one for each language.

    ``""`` is the language of who has none of the others.
    """

    by_language: Mapping[str, str]

    def fill(self, language: str, known: Mapping[str, Any]) -> str | None:
        """Give it for a language; None where it is not there, or a hole stays empty."""
        text = self.by_language.get(language)
        return None if text is None else filled(text, known)

    @property
    def depends(self) -> bool:
        """Whether the client's languages matter."""
        return set(self.by_language) != {""}


def filled(text: str, known: Mapping[str, Any]) -> str | None:
    """Fill the holes; None where one of them has nothing to be filled with."""
    if "{" not in text:
        return text
    if any(known.get(name) is None for name in _HOLE.findall(text)):
        return None
    return _HOLE.sub(lambda found: _printed(known[found[1]]), text)


def _printed(value: Fact) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A layer before it is known for whom: ``op`` with ``text`` (or file) still to be filled."""

    op: Op
    text: Text
    when: When = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The size and shape that the picture gets whatever the URL says; 0: the URL's.

    ``ratio`` is width to height, for the side that is not given.
    """

    w: int = 0
    h: int = 0
    ratio: float = 0.0
    fit: Literal["cover", "contain", "fill", "inside"] = "cover"
    background: colours.Colour = colours.WHITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Artworks:
    """Several files of which one is shown, by weight; ``by`` as in `Bucket`: to whom which."""

    files: tuple[tuple[str, float], ...]
    by: str = "url"
    salt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request and what must come of it; ``line`` is where it is written."""

    line: int
    url: str
    headers: Mapping[str, str]
    facts: Facts
    now: float
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One rule of a ruleset. ``policy`` are fields of `rules.Rule`; None: not set."""

    name: str
    line: int
    source: str = "*"
    path: str = "**"
    when: When = ALWAYS
    policy: Mapping[str, Any] = field(default_factory=dict)
    canvas: Canvas | None = None
    gravity: Gravity | None = None
    effects: tuple[Op, ...] = ()
    layers: tuple[Draft, ...] = ()
    artworks: Artworks | None = None
    tags: tuple[str, ...] = ()
    fallback: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Where title facts come from: ``file`` (SQLite or JSON, absolute) or ``url`` (JSON)."""

    file: str = ""
    url: str = ""
    table: str = "titles"
    key: str = "title"
    refresh_seconds: float = 60.0
    timeout_seconds: float = 5.0
    bytes_max: int = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Ruleset:
    """Rules in their order. ``mode``: the first that matches, or all of them, later ones over."""

    version: str = ""
    mode: Mode = "first"
    clauses: tuple[Clause, ...] = ()
    table: Table | None = None
    country_header: str = ""
    device_header: str = ""

    @cached_property
    def places(self) -> places.Places:
        """Which of them are for a file, found without asking each."""
        return places.Places((clause.source, clause.path) for clause in self.clauses)
