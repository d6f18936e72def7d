"""Business rules: what was asked for + the rule for that file → one concrete recipe. Pure.

The values and the decision; `rules_file` reads them from TOML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import accept
import colours
import hints
import limits as limit_names
import query
import recipe
import refusals
from ops import geometry
from ops.base import Op
from parameters import output, sizing, table

QUALITY: Mapping[str, int] = {"jpg": 80, "webp": 78, "avif": 55}
"""Quality by format where neither URL nor rule says one; they look about the same."""
OUTPUTS = tuple(name for name in query.FORMATS if name != "auto")
"""What a rule may allow."""
USUAL = ("avif", "webp", "jpg", "png")
"""What `auto` chooses among where no rule says; JPEG XL only where one names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A size that a rule allows, before ``dpr``; both None means the source's own size."""

    w: int | None
    h: int | None

    def __str__(self) -> str:
        """Print as rules spell it: ``400x300``, ``400x``, ``x300`` or ``original``."""
        return f"{self.w or ''}x{self.h or ''}" if self.w or self.h else "original"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the files that match. Empty ``sizes`` or ``formats`` allow everything."""

    source: str = "*"
    path: str = "**"
    defaults: query.Wanted = field(default_factory=query.Wanted)
    sizes: tuple[Size, ...] = ()
    quality: Mapping[str, int] = field(default_factory=dict)
    background: colours.Colour | None = None
    ttl_seconds: int = recipe.TTL_SECONDS_DEFAULT
    formats: tuple[str, ...] = ()


class Finder(Protocol):
    """Whoever knows the rules."""

    def find(self, source: str, path: str) -> Rule:
        """Give what a URL for a file may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules in order; the first that matches a file holds, and none of the others."""

    rules: tuple[Rule, ...] = ()

    def find(self, source: str, path: str) -> Rule:
        """Give the rule for a file; one that allows everything when none matches."""
        for rule in self.rules:
            if _glob(rule.source).fullmatch(source) and _glob(rule.path).fullmatch(path):
                return rule
        return Rule()


@lru_cache(maxsize=1_024)
def _glob(pattern: str) -> re.Pattern[str]:
    """Compile a glob: ``*`` and ``?`` stay within a segment, ``**`` crosses them."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(pieces.get(part, re.escape(part)) for part in parts), re.DOTALL)


def decide(
    wanted: query.Wanted,
    rule: Rule,
    *,
    source: str,
    path: str,
    accepts: str,
    engine: str,
    limits: limit_names.Limits,
    told: hints.Hints | None = None,
) -> tuple[recipe.Recipe, bool]:
    """Give the recipe, and whether it depended on ``accepts`` (the Accept header).

    ``told`` is what the client's hints say.

    Raises:
        Refusal: 400; the rule does not allow what is asked for, or the output would be too big.
    """
    _check_size(wanted, rule)
    told = told or hints.Hints({}, ())
    full = hinted(over_defaults(wanted, rule.defaults), rule, told)
    query.check_company(wanted, full, limits)
    w, h = sizing.sides(full.given, limits)
    fm, negotiated = format_for(full.fm or "auto", rule, accepts)
    bg = rule.background or full.bg or colours.WHITE
    out = output.output(
        full.given,
        fm=fm,
        quality=full.q or told.quality(quality_for(fm, rule)),
        bg=bg,
        flat=rule.background is not None,
        ttl_seconds=rule.ttl_seconds,
    )
    ops = table.ops(full.given, w, h, bg)
    if fm == "avif" and negotiated:
        out = replace(out, among=stands_in(ops, rule, accepts, limits))
    made = recipe.canonical(source=source, path=path, engine=engine, ops=ops, out=out)
    return made, negotiated


def stands_in(ops: Sequence[Op], rule: Rule, accepts: str, limits: limit_names.Limits) -> str:
    """Name what is given first where a negotiated AVIF may be too slow to wait for; else nothing.

    By the box of the first resize; a side that follows the picture is taken for twice the other.
    """
    w, h = next((_box(op) for op in ops if isinstance(op, geometry.Resize)), (0, 0))
    across, down = w or 2 * h, h or 2 * w
    if across and across * down <= limits.avif_wait_pixels:
        return ""
    allowed = [name for name in rule.formats or USUAL if name == "webp"]
    return accept.best(accepts, allowed) or "source"


def _box(op: geometry.Resize) -> tuple[int, int]:
    """Give the sides in pixels; 0 for one that is not said so."""
    w, h = (0 if side.share else int(side.value) for side in (op.w, op.h))
    return w, h


def hinted(full: query.Wanted, rule: Rule, told: hints.Hints) -> query.Wanted:
    """Fill in what the client's hints say, where neither URL nor rule does."""
    widths = [size.w for size in rule.sizes if size.w and not size.h]
    w, h, dpr = told.size(full.w, full.h, full.dpr, widths)
    return query.Wanted(**{**full.given, "w": w, "h": h, "dpr": dpr})


def over_defaults(wanted: query.Wanted, defaults: query.Wanted) -> query.Wanted:
    """Fill what is not said. A default size holds only where no side is given."""
    if wanted.w or wanted.h:
        kept = {name: value for name, value in defaults.given.items() if name not in ("w", "h")}
        defaults = query.Wanted(**kept)
    return wanted.over(defaults)


def quality_for(fm: str, rule: Rule) -> int:
    """Give the quality of a format where the URL says none; 0 where that means nothing."""
    name = "jpg" if fm == "source" else fm
    return rule.quality.get(name) or QUALITY.get(name, 0)


def _check_size(wanted: query.Wanted, rule: Rule) -> None:
    w, h = sizing.box(wanted.given)
    asked = Size(w=w, h=h)
    by_default = rule.defaults.w or rule.defaults.h
    if not rule.sizes or asked in rule.sizes or (by_default and not (asked.w or asked.h)):
        return
    allowed = f"one of the sizes {', '.join(map(str, rule.sizes))} (as w x h)"
    name = "h" if wanted.h and not wanted.w else "w"
    raise refusals.parameter(name, str(asked), allowed)


def format_for(asked: str, rule: Rule, accepts: str) -> tuple[str, bool]:
    """Give the format, and whether it depended on ``accepts`` (the Accept header).

    Raises:
        Refusal: 400; the rule does not allow it.
    """
    if asked != "auto":
        if asked not in (rule.formats or OUTPUTS):
            named = ", ".join(rule.formats or OUTPUTS)
            raise refusals.parameter("fm", asked, f"one of auto, {named}")
        return asked, False
    allowed = rule.formats or USUAL
    negotiated = any(name in allowed for name in accept.OFFERED.values())
    chosen = accept.best(accepts, allowed)
    if chosen:
        return chosen, negotiated
    own = [name for name in ("jpg", "png") if name in allowed]
    return ("source" if len(own) == 2 else (own or allowed)[0]), negotiated
