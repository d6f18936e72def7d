"""The concrete recipe of one picture, and its one canonical spelling as an internal path.

Pure. Everything is settled here except what only the source knows (its size, and its kind when
``fm`` is ``source``). Equal pictures have equal recipes, so they share one stored object; the
format version and the engine are part of the path, so new code or a new encoder gives new keys.

    /_images/1/ENGINE/w400.h300.cover.q75.jpg/NAME/path/to/photo.jpg
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import colours
import paths
import refusals

PREFIX = "/_images/"
VERSION = "1"
"""Raise when the same recipe would give other pixels: new defaults, new order of steps."""
TTL_SECONDS_DEFAULT = 3_600
FITS = ("inside", "cover", "contain", "fill")
FORMATS = ("source", "jpg", "webp", "avif", "png")
_ENGINE = re.compile(r"[0-9a-z.-]{1,40}")
_OPTIONS = re.compile(
    r"(?:w(?P<w>[1-9]\d{0,5})\.)?(?:h(?P<h>[1-9]\d{0,5})\.)?"
    r"(?:(?P<fit>cover|contain|fill)\.)?(?:q(?P<q>[1-9]\d{0,2})\.)?"
    r"(?P<fm>source|jpg|webp|avif|png)"
    r"(?:\.bg(?P<bg>[0-9a-f]{6}(?:[0-9a-f]{2})?))?(?P<flat>\.flat)?(?:\.ttl(?P<ttl>\d{1,9}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One picture to make of one file. Construct with `canonical`, which removes the irrelevant.

    ``w`` and ``h`` are output pixels (None: as the source gives). ``q`` is the encoder's quality
    (None for PNG). ``bg`` is what shows through or pads. ``flat`` puts a picture with alpha on
    ``bg`` even where the format could keep it. ``ttl_seconds`` is how long caches may keep it.
    """

    source: str
    path: str
    w: int | None
    h: int | None
    fit: str
    fm: str
    q: int | None
    bg: colours.Colour
    flat: bool
    ttl_seconds: int
    engine: str


def canonical(
    *,
    source: str,
    path: str,
    engine: str,
    fm: str,
    w: int | None = None,
    h: int | None = None,
    fit: str = "inside",
    q: int | None = None,
    bg: colours.Colour = colours.WHITE,
    flat: bool = False,
    ttl_seconds: int = TTL_SECONDS_DEFAULT,
) -> Recipe:
    """Make the recipe in which nothing irrelevant is left.

    ``fit`` other than ``inside`` needs both sides; ``q`` means nothing to PNG; ``bg`` only shows
    where something is padded or flattened, and JPEG always flattens, on an opaque colour.
    """
    assert fit in FITS
    assert fm in FORMATS
    fit = fit if w and h else "inside"
    if fm == "jpg":
        bg, flat = colours.on_white(bg), False
    elif flat:
        bg = colours.on_white(bg)
    elif fm != "source" and fit != "contain":
        bg = colours.WHITE
    return Recipe(
        source=source,
        path=path,
        w=w,
        h=h,
        fit=fit,
        fm=fm,
        q=None if fm == "png" else q,
        bg=bg,
        flat=flat,
        ttl_seconds=ttl_seconds,
        engine=engine,
    )


def spell(recipe: Recipe) -> str:
    """Print the recipe as its internal path."""
    options = [
        f"w{recipe.w}" if recipe.w else "",
        f"h{recipe.h}" if recipe.h else "",
        recipe.fit if recipe.fit != "inside" else "",
        f"q{recipe.q}" if recipe.q else "",
        recipe.fm,
        f"bg{colours.spell(recipe.bg)}" if recipe.bg != colours.WHITE else "",
        "flat" if recipe.flat else "",
        f"ttl{recipe.ttl_seconds}" if recipe.ttl_seconds != TTL_SECONDS_DEFAULT else "",
    ]
    printed = ".".join(filter(None, options))
    file = paths.encode(f"{recipe.source}/{recipe.path}")
    return f"{PREFIX}{VERSION}/{recipe.engine}/{printed}/{file}"


def parse(text: str) -> Recipe:
    """Read an internal path back.

    Raises:
        Refusal: 404; the path is no recipe in canonical spelling of this version.
    """
    version, _, rest = text.removeprefix(PREFIX).partition("/")
    engine, _, rest = rest.partition("/")
    options, _, file = rest.partition("/")
    matched = _OPTIONS.fullmatch(options)
    if not text.startswith(PREFIX) or version != VERSION or not matched:
        raise refusals.not_found()
    if not _ENGINE.fullmatch(engine):
        raise refusals.not_found()
    source, path = paths.split(file)
    found = canonical(
        source=source,
        path=path,
        engine=engine,
        w=_number(matched["w"]),
        h=_number(matched["h"]),
        fit=matched["fit"] or "inside",
        fm=matched["fm"],
        q=_number(matched["q"]),
        bg=colours.parse(matched["bg"] or "") or colours.WHITE,
        flat=bool(matched["flat"]),
        ttl_seconds=TTL_SECONDS_DEFAULT if matched["ttl"] is None else int(matched["ttl"]),
    )
    if spell(found) != text:
        raise refusals.not_found()
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text else None
