"""The pipeline: orient → colour → geometry → flatten or pad. Source bytes in, `Pixels` out.

Order of meaning, not of work: sizes are planned upright, but pixels are scaled first and turned
after, because fewer are left then. The one seam where libvips' errors are translated.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pyvips

import colours
import decode
import encode
import geometry
import limits as limit_names
import profiles
import recipe as recipes
import turbo

_TURNS = {
    2: ("fliphor",),
    3: ("rot180",),
    4: ("flipver",),
    5: ("rot90", "fliphor"),
    6: ("rot90",),
    7: ("rot270", "fliphor"),
    8: ("rot270",),
}
"""EXIF orientation → what makes it upright."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Pixels ready to encode as ``fm``, and the seconds spent on them.

    ``resize_seconds`` is None when libvips decoded and resized in one go, line by line: then
    ``decode_seconds`` is for both.
    """

    pixels: encode.Pixels
    fm: str
    decode_seconds: float
    resize_seconds: float | None


def render(data: bytes, recipe: recipes.Recipe, limits: limit_names.Limits) -> Rendered:
    """Make the recipe's pixels.

    Raises:
        Refusal: 422; the source is unusable or over a limit.
    """
    started = time.perf_counter()
    header = decode.open_header(data, limits)
    plan = geometry.plan(header.width, header.height, recipe, limits)
    fm = _format(recipe.fm, header, plan, limits)
    if header.plain_jpeg is not None:
        try:
            return _fast(data, header, plan, recipe, fm, started)
        except turbo.NotPlain:
            pass  # libvips decides whether the doubt is a reason to refuse
        except pyvips.Error as error:
            raise decode.refused(error) from error
    try:
        pixels = _general(data, header.kind, plan, recipe, fm)
    except pyvips.Error as error:
        raise decode.refused(error) from error
    spent = time.perf_counter() - started
    return Rendered(pixels=pixels, fm=fm, decode_seconds=spent, resize_seconds=None)


def _format(fm: str, header: decode.Header, plan: geometry.Plan, limits: limit_names.Limits) -> str:
    """Settle ``source``: every client shows JPEG and PNG, and PNG keeps what JPEG cannot.

    The same when a picture is too large for AVIF.
    """
    too_large = fm == "avif" and plan.size[0] * plan.size[1] > limits.avif_pixels
    if fm != "source" and not too_large:
        return fm
    return "png" if header.kind in ("png", "gif") or header.has_alpha else "jpg"


def _fast(
    data: bytes,
    header: decode.Header,
    plan: geometry.Plan,
    recipe: recipes.Recipe,
    fm: str,
    started: float,
) -> Rendered:
    found = header.plain_jpeg
    assert found is not None
    turned = found.orientation >= 5
    least = (plan.scaled[1], plan.scaled[0]) if turned else plan.scaled
    rows = turbo.decode(data, found, least)
    decoded = time.perf_counter()
    height, width, _ = rows.shape
    image = turbo.wrap(rows)
    if (width, height) != least:
        image = image.resize(least[0] / width, vscale=least[1] / height)
    if found.icc and not profiles.is_srgb(found.icc):
        image = _to_srgb(image, found.icc)
    image = upright(image, found.orientation)
    pixels = finish(image, plan, recipe, fm)
    ended = time.perf_counter()
    return Rendered(
        pixels=pixels, fm=fm, decode_seconds=decoded - started, resize_seconds=ended - decoded
    )


def _to_srgb(image: pyvips.Image, icc: bytes) -> pyvips.Image:
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    try:
        return tagged.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    except pyvips.Error:
        return image  # a profile nobody can use: the samples are most likely sRGB


def upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Turn by an EXIF orientation."""
    for turn in _TURNS.get(orientation, ()):
        image = getattr(image, turn)()
    return image


def _general(
    data: bytes,
    kind: str,
    plan: geometry.Plan,
    recipe: recipes.Recipe,
    fm: str,
) -> encode.Pixels:
    image = pyvips.Image.thumbnail_buffer(
        data,
        plan.scaled[0],
        height=plan.scaled[1],
        size="force",
        export_profile="srgb",
        intent="relative",
        # Its own parameter fail_on has no effect on buffers (libvips 8.18).
        option_string=f"[fail_on={decode.fail_on(kind)}]",
    )
    if image.interpretation not in ("srgb", "b-w") or image.format != "uchar":
        image = image.colourspace("srgb").cast("uchar")
    if image.bands == 2:
        image = image.colourspace("srgb")
    if image.bands > 4:
        image = image.extract_band(0, n=4 if image.hasalpha() else 3)
    return finish(image, plan, recipe, fm)


def finish(
    image: pyvips.Image, plan: geometry.Plan, recipe: recipes.Recipe, fm: str
) -> encode.Pixels:
    """Cut, flatten, pad, and compute: from here on there are only bytes."""
    if plan.cuts:
        x, y = plan.offset
        image = image.crop(max(0, -x), max(0, -y), *_visible(plan))
    if image.hasalpha() and (fm == "jpg" or recipe.flat):
        image = image.flatten(background=list(colours.on_white(recipe.bg)[:3]))
    if plan.pads:
        image = _padded(image, plan, recipe.bg, opaque=fm == "jpg" or recipe.flat)
    if image.bands == 1 and fm in ("webp", "avif"):
        image = image.colourspace("srgb")
    return encode.Pixels(
        data=image.write_to_memory(), width=image.width, height=image.height, bands=image.bands
    )


def _visible(plan: geometry.Plan) -> tuple[int, int]:
    return min(plan.scaled[0], plan.size[0]), min(plan.scaled[1], plan.size[1])


def _padded(
    image: pyvips.Image, plan: geometry.Plan, bg: colours.Colour, *, opaque: bool
) -> pyvips.Image:
    if image.bands == 1:
        image = image.colourspace("srgb")
    colour = colours.on_white(bg) if opaque else bg
    if colour[3] < 255 and not image.hasalpha():
        image = image.addalpha()
    x, y = plan.offset
    samples: list[Any] = list(colour[: image.bands])
    return image.embed(max(0, x), max(0, y), *plan.size, extend="background", background=samples)
