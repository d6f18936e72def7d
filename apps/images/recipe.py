"""The concrete recipe of one picture, and its one canonical spelling as an internal path.

Pure. Ordered operations, the last of which says what is made of the result; nothing here knows
which dialect asked. Equal pictures have equal recipes, so they share one stored object; the
format version and the engine are part of the path, so new code or a new encoder gives new keys.

    /_images/2/ENGINE/resize:outside,400,300,1;cut:400,300;as:jpg,75/NAME/path/to/photo.jpg
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import colours
import paths
import refusals
from ops import base, effects, geometry, idle, layers
from ops.base import EMPTY, Op
from ops.output import LOSSLESS, QUALITIES, Output

__all__ = [
    "PREFIX", "TTL_SECONDS_DEFAULT", "VERSION", "Recipe", "box", "canonical", "parse",
    "parse_ops", "spell", "spell_ops",
]  # fmt: skip

PREFIX = "/_images/"
VERSION = "2"
"""Raise when the same recipe would give other pixels: new defaults, new order of steps."""
TTL_SECONDS_DEFAULT = Output(fm="jpg").ttl_seconds
SPELLED_MAX = 3_000
"""Characters of all operations together."""
OUT_SPELLED_MAX = 400
"""Of these, those that are left for the output where layers take the rest."""
_ENGINE = re.compile(r"[0-9a-z.-]{1,60}")
_KINDS = (geometry, effects, layers)
"""Named so that their operations are there to be read."""
_HOLDING = (layers.Layer, layers.Words, effects.Mask, effects.Convolve, effects.Curve)
_FEW = 16
"""Operations that cannot be too long to spell, without those."""
"""Operations with names and texts in them, which may be long or lead elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One picture to make of one file. Construct with `canonical`, which removes the irrelevant."""

    source: str
    path: str
    ops: tuple[Op, ...]
    out: Output
    engine: str

    @property
    def box(self) -> tuple[int, int]:
        """The size that is wanted, as far as it is known before the source is: 0 where not."""
        return box(self.ops)


def box(ops: Iterable[Op]) -> tuple[int, int]:
    """Give the size that operations want, as far as it is known: 0 where not."""
    w = h = 0
    for op in ops:
        if isinstance(op, (geometry.Resize, geometry.Cut)):
            w = w if op.w.share or not op.w.value else int(op.w.value)
            h = h if op.h.share or not op.h.value else int(op.h.value)
        elif isinstance(op, geometry.Extend) and not op.ratio:
            w = max(w, 0 if op.w.share else int(op.w.value))
            h = max(h, 0 if op.h.share else int(op.h.value))
    return w, h


def canonical(
    *,
    source: str,
    path: str,
    engine: str,
    ops: Iterable[Op] = (),
    out: Output,
    known: Iterable[Op] = (),
) -> Recipe:
    """Make the recipe in which nothing irrelevant is left, whoever asked.

    ``known`` are operations of another recipe: none of them is looked at again.

    Raises:
        Refusal: 400; an operation has an impossible argument, or they are too many.
    """
    seen = frozenset(map(id, known))
    kept = tuple(op for op in ops if id(op) in seen or not idle.is_idle(op))
    if out.fm == "original":  # nothing is done to those bytes
        kept = ()
    base.check_all((*kept, out), seen)
    if len(kept) > _FEW or any(isinstance(op, _HOLDING) for op in kept):
        layers.check(kept)
        _check_length(kept)
    return Recipe(source=source, path=path, ops=kept, out=_settled(out), engine=engine)


def _check_length(ops: Sequence[Op]) -> None:
    if sum(map(base.length_bound, ops)) <= SPELLED_MAX - OUT_SPELLED_MAX:
        return
    length = len(spell_ops(ops))
    if length > SPELLED_MAX - OUT_SPELLED_MAX:
        allowed = f"short enough to be spelled in {SPELLED_MAX - OUT_SPELLED_MAX} characters"
        raise refusals.parameter("layers", str(length), allowed)


def _settled(out: Output) -> Output:
    """Drop what means nothing to the format: equal pictures need equal spellings."""
    if out.fm in ("json", "original"):
        kept = Output(fm=out.fm, ttl_seconds=out.ttl_seconds, report=out.report, base=out.base)
        instead = out.instead if out.fm == "original" else EMPTY
        return replace(kept, name=out.name, attach=out.attach, buster=out.buster, instead=instead)
    bg, flat = out.bg, out.flat
    if out.fm == "jpg":
        bg, flat = colours.on_white(bg), False
    elif flat:
        bg = colours.on_white(bg)
    elif out.fm != "source":  # whatever pads says with what
        bg = colours.WHITE
    lossless = out.lossless and out.fm in LOSSLESS
    lossy = out.fm in (*QUALITIES, "source", "best") and (not lossless or out.fm == "best")
    target = out.target if lossy else Decimal(0)
    q = out.quality if lossy and not target else 0
    same = (out.bg, out.flat, out.quality, out.target, out.lossless)
    if (bg, flat, q, target, lossless) == same:
        return out
    return replace(out, bg=bg, flat=flat, quality=q, target=target, lossless=lossless)


def spell(recipe: Recipe) -> str:
    """Print the recipe as its internal path."""
    file = paths.encode(f"{recipe.source}/{recipe.path}")
    return f"{PREFIX}{VERSION}/{recipe.engine}/{spell_ops((*recipe.ops, recipe.out))}/{file}"


def spell_ops(ops: Iterable[Op]) -> str:
    """Print operations in their order."""
    return ";".join(map(base.spell, ops))


def parse_ops(text: str) -> tuple[Op, ...]:
    """Read operations back, each in its one spelling.

    Raises:
        Refusal: 404; they are none.
    """
    if len(text) > SPELLED_MAX:
        raise refusals.not_found()
    pieces = text.split(";") if text else []
    if len(pieces) > base.OPS_MAX:
        raise refusals.not_found()
    return tuple(map(base.parse, pieces))


def parse(text: str) -> Recipe:
    """Read an internal path back.

    Raises:
        Refusal: 404; the path is no recipe in canonical spelling of this version.
    """
    version, _, rest = text.removeprefix(PREFIX).partition("/")
    engine, _, rest = rest.partition("/")
    spelled, _, file = rest.partition("/")
    if not text.startswith(PREFIX) or version != VERSION or not _ENGINE.fullmatch(engine):
        raise refusals.not_found()
    *ops, out = parse_ops(spelled) or (None,)
    if not isinstance(out, Output):
        raise refusals.not_found()
    source, path = paths.split(file)
    try:
        found = canonical(source=source, path=path, engine=engine, ops=ops, out=out)
    except refusals.Refusal:
        raise refusals.not_found() from None
    if spell(found) != text:
        raise refusals.not_found()
    return found
