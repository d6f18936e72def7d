"""Business rules: what was asked for + the rule for that file → one concrete recipe. Pure.

The values and the decision; `rules_file` reads them from TOML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import accept
import colours
import limits as limit_names
import query
import recipe
import refusals
from ops import geometry, values
from ops.base import Op
from ops.output import Output

QUALITY: Mapping[str, int] = {"jpg": 80, "webp": 78, "avif": 55}
"""Quality by format where neither URL nor rule says one; they look about the same."""
OUTPUTS = ("avif", "webp", "jpg", "png")


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
) -> tuple[recipe.Recipe, bool]:
    """Give the recipe, and whether it depended on ``accepts`` (the Accept header).

    Raises:
        Refusal: 400; the rule does not allow what is asked for, or the output would be too big.
    """
    _check_size(wanted, rule)
    w, h = _pixels(wanted, rule, limits)
    fm, negotiated = format_for(wanted.fm or rule.defaults.fm or "auto", rule, accepts)
    bg = rule.background or wanted.bg or rule.defaults.bg or colours.WHITE
    out = Output(
        fm=fm,  # type: ignore[arg-type]
        quality=wanted.q or rule.defaults.q or quality_for(fm, rule),
        bg=bg,
        flat=rule.background is not None,
        ttl_seconds=rule.ttl_seconds,
    )
    fit = wanted.fit or rule.defaults.fit or "inside"
    made = recipe.canonical(
        source=source, path=path, engine=engine, ops=shaping(w, h, fit, bg), out=out
    )
    return made, negotiated


def shaping(w: int | None, h: int | None, fit: str, bg: colours.Colour) -> tuple[Op, ...]:
    """Give the operations that bring a picture into a box, in the four ways of the native URL."""
    across, down = values.pixels(w or 0), values.pixels(h or 0)
    if not (w and h) or fit == "inside":
        return (geometry.Resize("inside", across, down),)
    if fit == "fill":
        return (geometry.Resize("fill", across, down, enlarge=True),)
    if fit == "cover":
        return geometry.Resize("outside", across, down, enlarge=True), geometry.Cut(across, down)
    return (
        geometry.Resize("inside", across, down, enlarge=True),
        geometry.Extend(across, down, bg=bg),
    )


def quality_for(fm: str, rule: Rule) -> int:
    """Give the quality of a format where the URL says none; 0 where that means nothing."""
    name = "jpg" if fm == "source" else fm
    return rule.quality.get(name) or QUALITY.get(name, 0)


def _check_size(wanted: query.Wanted, rule: Rule) -> None:
    asked = Size(w=wanted.w, h=wanted.h)
    by_default = rule.defaults.w or rule.defaults.h
    if not rule.sizes or asked in rule.sizes or (by_default and not (asked.w or asked.h)):
        return
    allowed = f"one of the sizes {', '.join(map(str, rule.sizes))} (as w x h)"
    name = "h" if wanted.h and not wanted.w else "w"
    raise refusals.parameter(name, str(asked), allowed)


def _pixels(
    wanted: query.Wanted, rule: Rule, limits: limit_names.Limits
) -> tuple[int | None, int | None]:
    """Fold ``dpr`` into the sides. A rule's default size holds only when the URL gives no side."""
    w, h = wanted.w, wanted.h
    if not (w or h):
        w, h = rule.defaults.w, rule.defaults.h
    dpr = wanted.dpr or rule.defaults.dpr or Decimal(1)
    w, h = _times(w, dpr), _times(h, dpr)
    if max(w or 0, h or 0) > limits.output_side:
        allowed = f"small enough that w and h times dpr stay within {limits.output_side}"
        raise refusals.parameter("dpr", str(dpr), allowed)
    if w and h and w * h > limits.output_pixels:
        allowed = f"such that w x h (with dpr) stays within {limits.output_pixels} pixels"
        raise refusals.parameter("w", str(w), allowed)
    return w, h


def _times(side: int | None, dpr: Decimal) -> int | None:
    return side and int((side * dpr).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def format_for(asked: str, rule: Rule, accepts: str) -> tuple[str, bool]:
    """Give the format, and whether it depended on ``accepts`` (the Accept header).

    Raises:
        Refusal: 400; the rule does not allow it.
    """
    allowed = rule.formats or OUTPUTS
    if asked != "auto":
        if asked not in allowed:
            raise refusals.parameter("fm", asked, f"one of auto, {', '.join(allowed)}")
        return asked, False
    negotiated = any(name in allowed for name in accept.OFFERED.values())
    chosen = accept.best(accepts, allowed)
    if chosen:
        return chosen, negotiated
    own = [name for name in ("jpg", "png") if name in allowed]
    return ("source" if len(own) == 2 else (own or allowed)[0]), negotiated
