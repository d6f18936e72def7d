"""Recipes for tests, in the short form that the native dialect compiles from."""

from __future__ import annotations

from typing import Any

import colours
import recipe
from ops import geometry, values
from ops.base import Op
from ops.output import Output
from parameters import sizing

FITS = ("inside", "cover", "contain", "fill")
FORMATS = ("source", "jpg", "webp", "avif", "png")


def canonical(
    *,
    source: str = "s",
    path: str = "p",
    engine: str = "1",
    fm: Any = "jpg",
    w: int | None = None,
    h: int | None = None,
    fit: str = "inside",
    q: int | None = None,
    bg: colours.Colour = colours.WHITE,
    flat: bool = False,
    ttl_seconds: int = recipe.TTL_SECONDS_DEFAULT,
) -> recipe.Recipe:
    """Make the recipe of one picture."""
    out = Output(fm=fm, quality=q or 0, bg=bg, flat=flat, ttl_seconds=ttl_seconds)
    ops: tuple[Op, ...] = sizing.shaping(w, h, fit)
    if fit == "contain" and w and h:
        ops = (*ops, geometry.Extend(values.pixels(w), values.pixels(h), bg=bg))
    return recipe.canonical(source=source, path=path, engine=engine, ops=ops, out=out)
