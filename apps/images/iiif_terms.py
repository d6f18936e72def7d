"""The words of the IIIF Image API that its dialect and its reports share. Values only.

What is offered stands here once: the dialect accepts exactly this, and info.json says exactly this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import limits as limit_names

PREFIX = "/iiif/"
VERSIONS = ("3", "2")
FORMATS: Mapping[str, str] = {
    "jpg": "jpg", "png": "png", "webp": "webp", "tif": "tiff", "gif": "gif",
}  # fmt: skip
"""Our format by the name in a URL."""
QUALITIES = ("default", "color", "gray", "bitonal")
LEVEL_FORMATS = ("jpg", "png")
"""What level 2 means by itself; the rest is said."""
LEVEL_QUALITIES = ("default", "color", "gray")
TILE_SIDE = 512
"""Pixels: a few hundred requests for a screen of any size, and little work for each."""
JSON = "application/json"
JSON_LD = "application/ld+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The largest picture that is made: sides and pixels."""

    side: int
    area: int

    def of(self, width: int, height: int) -> bool:
        """Tell whether a picture of this size is made."""
        return max(width, height) <= self.side and width * height <= self.area


def most(limits: limit_names.Limits) -> Most:
    """Give what the deployment's limits allow."""
    return Most(side=limits.output_side, area=limits.output_pixels)


def report(version: str, *, plain: bool = False) -> str:
    """Name the report on a picture; ``plain`` is JSON that does not call itself JSON-LD."""
    return f"iiif{version}-plain" if plain else f"iiif{version}"


def identifier(source: str, path: str) -> str:
    """Spell a file's identifier: one segment of a URL."""
    return quote(f"{source}/{path}", safe="-._~!$'()*,;=:+")


def scale_factors(width: int, height: int) -> list[int]:
    """Give the powers of two down to which tiles make sense: until all of it is in one."""
    count = math.ceil(math.log2(max(1.0, max(width, height) / TILE_SIDE)))
    return [1 << power for power in range(count + 1)]
