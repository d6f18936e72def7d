"""What may stand in for a picture that cannot be made: said with each decision, before it is so.

Pure: recipes and their spellings. The edge follows these links by itself (see the platform's "Never
without an image"); `spare` answers them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

import paths
import recipe as recipes
from ops import effects, geometry, values
from ops.base import EMPTY, Op
from ops.output import Output

CHEAPER = "/_spare/cheaper/"
PREVIEW = "/_spare/preview/"
SIDE_MAX = 640
"""Pixels of the longer side: a tenth of the work of a large picture, and still a picture."""
QUALITY = 60
TTL_SECONDS = 60
_SHAPING = (
    geometry.Background, geometry.Crop, geometry.Cut, geometry.Extend, geometry.Flip, geometry.Pad,
    geometry.Resize, geometry.Rotate, geometry.Shape,
)  # fmt: skip


def group(recipe: recipes.Recipe) -> str:
    """Name the artwork: all pictures that are made of one file, and hide the same of it."""
    name = f"{recipe.source}/{recipe.path}"
    hidden = recipes.spell_ops(op for op in recipe.ops if _hides(op))
    if hidden:
        name += "/hidden-" + hashlib.sha256(hidden.encode()).hexdigest()[:16]
    return paths.encode(name)


def _hides(op: Op) -> bool:
    """Tell whether a picture without it would show what nobody is to see."""
    return isinstance(op, effects.Region) or (
        isinstance(op, effects.Detections) and op.how != "frame"
    )


def rank(recipe: recipes.Recipe) -> str:
    """Say which size is wanted, as far as that is known before the source is read."""
    w, h = recipe.box
    return f"{w or '*'}x{h or '*'}"


def cheaper(recipe: recipes.Recipe) -> recipes.Recipe:
    """Give the recipe of the same picture with little work: a JPEG, not large, not for long.

    Shape and size come from the geometry alone; effects and layers are left out.
    """
    ops, out = _cheap(recipe.ops, recipe.out)
    return recipes.Recipe(
        source=recipe.source, path=recipe.path, engine=recipe.engine, ops=ops, out=out
    )


@lru_cache(maxsize=1_024)  # a site asks for few forms of many files
def _cheap(ops: tuple[Op, ...], asked: Output) -> tuple[tuple[Op, ...], Output]:
    most = values.pixels(SIDE_MAX)
    small = geometry.Resize(mode="inside", w=most, h=most)
    kept: tuple[Op, ...] = tuple(op for op in ops if isinstance(op, _SHAPING))
    w, h = recipes.box(ops)
    if not (w or h):
        kept = (small, *kept)
    elif max(w, h) > SIDE_MAX:
        kept = _shrunk(kept, Decimal(SIDE_MAX) / max(w, h))
    out = Output(
        fm="jpg", quality=min(asked.quality or QUALITY, QUALITY), bg=asked.bg,
        ttl_seconds=TTL_SECONDS, page=asked.page, second=asked.second, density=asked.density,
        upright=asked.upright,
    )  # fmt: skip
    made = recipes.canonical(source="", path="", engine="", ops=kept, out=out, known=ops)
    return made.ops, made.out


def _shrunk(ops: tuple[Op, ...], part: Decimal) -> tuple[Op, ...]:
    """Give the same for a smaller picture: from the first resize on, all count its pixels."""
    made: list[Op] = []
    sized = False
    for op in ops:
        sized = sized or isinstance(op, geometry.Resize)
        made.append(_smaller(op, part) if sized else op)
    return tuple(made)


def _smaller(op: Op, part: Decimal) -> Op:
    changed: dict[str, Any] = {}
    for name in op.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(op, name)
        if isinstance(value, values.Length):
            changed[name] = _shorter(value, part)
        elif isinstance(value, values.Gravity):
            changed[name] = replace(value, x=_shorter(value.x, part), y=_shorter(value.y, part))
        elif name.startswith("least_") and value:
            changed[name] = max(1, round(value * part))
    return replace(op, **changed)  # type: ignore[type-var]


def _shorter(length: values.Length, part: Decimal) -> values.Length:
    if length.share or not length.value:
        return length
    away = max(1, round(abs(length.value) * part))
    return values.pixels(away if length.value > 0 else -away)


def links(recipe: recipes.Recipe) -> Mapping[str, str]:
    """Give the paths to ask for instead, best first; none where that would show what is hidden."""
    if any(map(_hides, recipe.ops)):
        return {}
    spelled = recipes.spell(cheaper(recipe)).removeprefix(recipes.PREFIX)
    return {"cheaper": CHEAPER + spelled, "preview": PREVIEW + spelled}


def instead(recipe: recipes.Recipe) -> recipes.Recipe | None:
    """Give the recipe of the same picture made of the file that its URL names for the case.

    Raises:
        Refusal: 404; there can be no such file.
    """
    if not recipe.out.instead:
        return None
    source, path = paths.split(paths.encode(recipe.out.instead))
    seconds = min(recipe.out.ttl_seconds, TTL_SECONDS)
    out = replace(recipe.out, instead=EMPTY, ttl_seconds=seconds)
    return recipes.canonical(
        source=source, path=path, engine=recipe.engine, ops=recipe.ops, out=out
    )


def parse(path: str) -> tuple[str, recipes.Recipe]:
    """Read such a path: which step, and the recipe.

    Raises:
        Refusal: 404; it is none.
    """
    step = PREVIEW if path.startswith(PREVIEW) else CHEAPER
    return step, recipes.parse(recipes.PREFIX + path.removeprefix(step))
