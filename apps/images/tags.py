"""The tags that answers bear, so that a purge by tag takes all that hangs on one thing. Pure.

A picture bears those of its files, which the Generator knows; a decision also those of what the
rules made of it. The edge purges what a purged decision leads to, so that one tag reaches both.
Characters that separate tags are percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import paths
import recipe as recipes
from ops import layers

HEADER = "surrogate-key"
EVERYTHING = "images"
ASSET, LAYER, TITLE, TAG = "asset:", "layer:", "title:", "tag:"
PRESET, RULESET, RULE = "preset:", "ruleset:", "rule:"
TAGS_MAX = 32
"""Tags of one answer; further ones are left out."""


@lru_cache(maxsize=4_096)
def named(kind: str, name: str) -> str:
    """Give the tag of one thing: ``layer:brand/logo.png``."""
    return kind + paths.encode(name).replace(",", "%2C")


def of_recipe(recipe: recipes.Recipe) -> tuple[str, ...]:
    """Give the tags of a picture: everything's, its source file's, and those of its layers."""
    asset = named(ASSET, f"{recipe.source}/{recipe.path}")
    files = (named(LAYER, each) for each in layers.files(recipe.ops))
    return tuple(dict.fromkeys((EVERYTHING, asset, *files)))[:TAGS_MAX]


def header(tags: Iterable[str]) -> tuple[str, str]:
    """Give the header in which an answer names its tags."""
    return HEADER, " ".join(dict.fromkeys(tags))
