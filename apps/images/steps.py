"""What may stand in for a picture that cannot be made: said with each decision, before it is so.

Pure: recipes and their spellings. The edge follows these links by itself (see the platform's "Never
without an image"); `spare` answers them.
"""

from __future__ import annotations

from collections.abc import Mapping

import paths
import recipe as recipes

CHEAPER = "/_spare/cheaper/"
PREVIEW = "/_spare/preview/"
SIDE_MAX = 640
"""Pixels of the longer side: a tenth of the work of a large picture, and still a picture."""
QUALITY = 60
TTL_SECONDS = 60


def group(recipe: recipes.Recipe) -> str:
    """Name the artwork: all pictures that are made of one file."""
    return paths.encode(f"{recipe.source}/{recipe.path}")


def rank(recipe: recipes.Recipe) -> str:
    """Say which size is wanted, as far as that is known before the source is read."""
    return f"{recipe.w or '*'}x{recipe.h or '*'}"


def cheaper(recipe: recipes.Recipe) -> recipes.Recipe:
    """Give the recipe of the same picture with little work: a JPEG, not large, not for long."""
    w, h = recipe.w, recipe.h
    if not (w or h):
        w = h = SIDE_MAX
    share = min(1.0, SIDE_MAX / max(w or 0, h or 0))
    return recipes.canonical(
        source=recipe.source, path=recipe.path, engine=recipe.engine, fit=recipe.fit, fm="jpg",
        w=w and max(1, round(w * share)), h=h and max(1, round(h * share)),
        q=min(recipe.q or QUALITY, QUALITY), bg=recipe.bg, ttl_seconds=TTL_SECONDS,
    )  # fmt: skip


def links(recipe: recipes.Recipe) -> Mapping[str, str]:
    """Give the paths to ask for instead, best first."""
    spelled = recipes.spell(cheaper(recipe)).removeprefix(recipes.PREFIX)
    return {"cheaper": CHEAPER + spelled, "preview": PREVIEW + spelled}


def parse(path: str) -> tuple[str, recipes.Recipe]:
    """Read such a path: which step, and the recipe.

    Raises:
        Refusal: 404; it is none.
    """
    step = PREVIEW if path.startswith(PREVIEW) else CHEAPER
    return step, recipes.parse(recipes.PREFIX + path.removeprefix(step))
