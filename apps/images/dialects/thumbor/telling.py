"""imagor's ``params/``: what a path says, as JSON. No picture, so no signature is asked for. Pure.

    /thumbor/params/unsafe/fit-in/300x200/filters:blur(2.5)/NAME/photo.jpg

Names and shape are imagor's; what a path does not say is left out.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from dialects.thumbor import path as paths
from dialects.thumbor.signature import UNSAFE
from dynimo.sdk import http

PREFIX = "params/"
FRESH_SECONDS = 3_600
"""The answer hangs on the URL alone."""
_HASH = re.compile(r"[0-9A-Za-z_=-]{9,}")
_NO_HASH = re.compile(r"(adaptive-)?(full-)?fit-in")


def told(text: str) -> http.Reply:
    """Answer what the rest of a URL, behind ``params/``, says.

    Raises:
        Refusal: 400; the path names no picture, or has too many filters.
    """
    first, _, rest = text.lstrip("/").partition("/")
    unsafe, hashed = first == UNSAFE, ""
    if unsafe or (_HASH.fullmatch(first) and not _NO_HASH.fullmatch(first)):
        text, hashed = rest, "" if unsafe else first
    found = paths.parse(text)
    named = {"path": text, "image": unquote_plus(found.image), "unsafe": unsafe, "hash": hashed}
    said = {**named, **_before(found), **_sides(found), **_behind(found)}
    kept = {name: value for name, value in said.items() if value}
    body = json.dumps(kept, indent=2, ensure_ascii=False).encode("utf-8", "replace")
    fresh = {"cache-control": f"public, max-age={FRESH_SECONDS}"}
    return http.content(body, "application/json", headers=fresh)


def _before(found: paths.Path) -> dict[str, Any]:
    trim, crop = found.trim, found.crop
    return {
        "meta": found.meta,
        "trim": trim is not None,
        "trim_by": trim.corner if trim else "",
        "trim_tolerance": trim.tolerance if trim else 0,
        "crop_left": _number(crop.left) if crop else 0,
        "crop_top": _number(crop.top) if crop else 0,
        "crop_right": _number(crop.right) if crop else 0,
        "crop_bottom": _number(crop.bottom) if crop else 0,
        "fit_in": found.fit_in,
        "adaptive_fit_in": found.adaptive,
        "full_fit_in": found.full,
        "stretch": found.stretch,
    }


def _sides(found: paths.Path) -> dict[str, Any]:
    sides = {"width": found.w, "height": found.h}
    names = ("padding_left", "padding_top", "padding_right", "padding_bottom")
    return {
        **{name: int(side) if side.isdigit() else side for name, side in sides.items()},
        **dict(zip(names, found.padding or (), strict=False)),
        "h_flip": found.flip_x,
        "v_flip": found.flip_y,
    }


def _behind(found: paths.Path) -> dict[str, Any]:
    return {
        "h_align": "" if found.halign == "center" else found.halign,
        "v_align": "" if found.valign == "middle" else found.valign,
        "smart": found.smart,
        "filters": [
            {name: text for name, text in (("name", each.name), ("args", each.arguments)) if text}
            for each in found.filters
        ],
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
