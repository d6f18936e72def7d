"""IIIF's info.json, for 3.0 and 2.x: what there is of a picture, and in which forms it is given.

After "Image Information" (section 5) of both versions. Sizes of tiles and of whole pictures are
exactly those that the dialect accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import iiif_terms as terms
from reports.report import Seen, Told

CONTEXTS = {version: f"http://iiif.io/api/image/{version}/context.json" for version in "23"}
PROTOCOL = "http://iiif.io/api/image"
LEVELS = {
    "2": "http://iiif.io/api/image/2/level2.json",
    "3": "http://iiif.io/api/image/3/level2.json",
}
FEATURES = {
    "2": (
        "canonicalLinkHeader", "mirroring", "profileLinkHeader", "regionSquare",
        "rotationArbitrary", "sizeAboveFull",
    ),
    "3": (
        "canonicalLinkHeader", "mirroring", "profileLinkHeader", "rotationArbitrary",
        "sizeUpscaling",
    ),
}  # fmt: skip
"""What is there beyond level 2."""
SMALLEST_SIDE = 64
"""Pixels of the longer side below which no size of the whole is named any more."""


def tell3(seen: Seen) -> Told:
    """Describe in the words of 3.0."""
    value = {
        "@context": CONTEXTS["3"],
        "id": seen.recipe.out.base,
        "type": "ImageService3",
        "protocol": PROTOCOL,
        "profile": "level2",
        **_facts(seen),
        "extraQualities": _beyond(terms.QUALITIES, terms.LEVEL_QUALITIES),
        "extraFormats": _beyond(terms.FORMATS, terms.LEVEL_FORMATS),
        "extraFeatures": list(FEATURES["3"]),
    }
    return _told(seen, value, "3")


def tell2(seen: Seen) -> Told:
    """Describe in the words of 2.1."""
    facts = _facts(seen)
    more = {
        "formats": _beyond(terms.FORMATS, terms.LEVEL_FORMATS),
        "qualities": _beyond(terms.QUALITIES, terms.LEVEL_QUALITIES),
        "supports": list(FEATURES["2"]),
        **{name: facts.pop(name) for name in ("maxWidth", "maxHeight", "maxArea")},
    }
    value = {
        "@context": CONTEXTS["2"],
        "@id": seen.recipe.out.base,
        "protocol": PROTOCOL,
        **facts,
        "profile": [LEVELS["2"], more],
    }
    return _told(seen, value, "2")


REPORTS: Mapping[str, Callable[[Seen], Told]] = {
    terms.report(version, plain=plain): tell
    for version, tell in (("3", tell3), ("2", tell2))
    for plain in (False, True)
}
"""By the name that recipes spell."""


def _beyond(offered: Any, meant: tuple[str, ...]) -> list[str]:
    return [name for name in offered if name not in meant]


def _facts(seen: Seen) -> dict[str, Any]:
    width, height = seen.header.width, seen.header.height
    most = terms.most(seen.limits)
    factors = terms.scale_factors(width, height)
    sizes = [(-(-width // factor), -(-height // factor)) for factor in _halvings(width, height)]
    return {
        "width": width,
        "height": height,
        "maxWidth": most.side,
        "maxHeight": most.side,
        "maxArea": most.area,
        "sizes": [{"width": w, "height": h} for w, h in reversed(sizes) if most.of(w, h)],
        "tiles": [{"width": terms.TILE_SIDE, "height": terms.TILE_SIDE, "scaleFactors": factors}],
    }


def _halvings(width: int, height: int) -> list[int]:
    found = [1]
    while max(width, height) // (found[-1] * 2) >= SMALLEST_SIDE:
        found.append(found[-1] * 2)
    return found


def _told(seen: Seen, value: Mapping[str, Any], version: str) -> Told:
    context = CONTEXTS[version]
    links = f'<{LEVELS[version]}>;rel="profile"'
    if seen.recipe.out.report == terms.report(version, plain=True):
        links += f', <{context}>;rel="http://www.w3.org/ns/json-ld#context";type="{terms.JSON_LD}"'
        return Told(value=value, content_type=terms.JSON, headers={"link": links})
    return Told(
        value=value,
        content_type=f'{terms.JSON_LD};profile="{context}"',
        headers={"link": links},
    )
