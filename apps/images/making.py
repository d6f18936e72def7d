"""One recipe and its source's bytes become a finished file, whichever way its format asks for.

Decides the way; the work is in `render` and `encode`, what is passed on untouched in `untouched`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import encode
import kept
import learning
import limits as limit_names
import recipe as recipes
import refusals
import render
import untouched
from ops.output import Output
from reports import iiif_links

_LEARNT = learning.Learnt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished file. ``size`` is in pixels, None where it was not looked at or is a part's.

    ``provisional``: it stands in for an AVIF that takes longer, and should be asked for again.
    ``work_seconds`` is None where decoding and resizing were one, as in `render.Rendered`.
    """

    fm: str
    content_type: str
    body: bytes
    size: tuple[int, int] | None = None
    decode_seconds: float = 0.0
    work_seconds: float | None = None
    encode_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = field(default=())
    provisional: bool = False


def make(
    data: bytes,
    recipe: recipes.Recipe,
    limits: limit_names.Limits,
    *,
    fetch: Callable[[str], bytes] = render.nowhere,
    shared: kept.Picture | None = None,
    waiting: bool = False,
) -> Made:
    """Make the file; ``fetch`` and ``shared`` are as in `render.render`.

    ``waiting``: somebody waits who has nothing yet.

    Raises:
        Refusal: 422; it cannot be made.
    """
    if recipe.out.fm in ("original", "svg"):
        given = untouched.give(data, recipe.out.fm, limits)
        return Made(
            fm=given.kind, content_type=given.content_type, body=given.body, headers=given.headers
        )
    try:
        rendered = render.render(data, recipe, limits, fetch, shared)
    except refusals.Refusal as refusal:
        raise iiif_links.refused(recipe, refusal) from None
    size = (rendered.pixels.width, rendered.pixels.page_height or rendered.pixels.height)
    ready = time.perf_counter()
    quick = quicker(recipe.out, rendered, limits) if waiting else ""
    asset = learning.Asset(shared.key if shared else _digest(data, recipe), data, limits)
    encoded = encode.encode(
        rendered.pixels, settled(recipe.out, quick or rendered.fm),
        lambda out: _LEARNT.settle(out, asset),
    )  # fmt: skip
    return Made(
        fm=encoded.fm,
        content_type=encode.CONTENT_TYPES[encoded.fm],
        body=encoded.body,
        size=None if recipe.out.report else size,
        decode_seconds=rendered.decode_seconds,
        work_seconds=rendered.work_seconds,
        encode_seconds=time.perf_counter() - ready,
        headers=iiif_links.headers(recipe, rendered.source),
        provisional=bool(quick),
    )


def _digest(data: bytes, recipe: recipes.Recipe) -> str:
    """Name an asset by its bytes, where that is needed."""
    return hashlib.blake2b(data).hexdigest() if recipe.out.target else ""


def quicker(out: Output, rendered: render.Rendered, limits: limit_names.Limits) -> str:
    """Name the format that is given first, where AVIF would take too long; empty where not."""
    pixels = rendered.pixels
    if rendered.fm != "avif" or not out.among or pixels.page_height or pixels.depth > 8:
        return ""
    if pixels.width * pixels.height <= limits.avif_wait_pixels:
        return ""
    return "webp" if out.among == "webp" else "png" if pixels.has_alpha else "jpg"


def settled(out: Output, fm: str) -> Output:
    """Say how to encode in the format that it came to; in its own quality, if it is another."""
    asked = fm == out.fm or out.fm == "source"
    return replace(out, fm=fm, quality=out.quality if asked else 0)  # type: ignore[arg-type]
