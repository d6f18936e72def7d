"""The pipeline: open → the recipe's operations → flatten. Bytes to `Pixels`.

Opening (decode, orient, colour) is `opening`'s. The one seam where libvips' errors are translated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyvips

import animation
import colours
import decode
import deep
import encode
import kept
import limits as limit_names
import metadata
import opening
import recipe as recipes
import refusals
import shapes
from ops import geometry
from ops.base import Op
from ops.output import Output
from pixels import table
from pixels.canvas import Canvas, Scene, coloured
from shapes import Size

JPEG_BEGINS = b"\xff\xd8\xff"
_SLOW = ("avif", "jxl", "heic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Pixels ready to encode as ``fm``, and the seconds spent on them.

    ``work_seconds`` is None when libvips decoded and resized in one go, line by line: then
    ``decode_seconds`` is for both. ``source`` is the size of the whole, upright.
    """

    pixels: encode.Pixels
    fm: str
    decode_seconds: float
    work_seconds: float | None
    source: Size


def nowhere(reference: str) -> bytes:
    """Fetch nothing: for recipes without layers."""
    del reference
    raise refusals.not_found()


def render(
    data: bytes,
    recipe: recipes.Recipe,
    limits: limit_names.Limits,
    fetch: Callable[[str], bytes] = nowhere,
    shared: kept.Picture | None = None,
) -> Rendered:
    """Make the recipe's pixels; ``fetch`` gives the bytes of the other files that it needs.

    ``shared`` is where a decoded picture of this source is kept for other sizes.

    Raises:
        Refusal: 422; the source is unusable or over a limit.
    """
    started = time.perf_counter()
    out = recipe.out
    header = _header(data, limits, out, shared)
    data, ops = header.inner or data, opening.ops_for(header, recipe.ops)
    source = (header.width, header.height)
    expect(source, ops, limits)
    scene = Scene(limits=limits, fetch=fetch, draw=draw)
    try:
        apart = _apart(data, header, recipe, scene)
        if apart is not None:
            return Rendered(
                pixels=apart[0], fm=apart[1], decode_seconds=time.perf_counter() - started,
                work_seconds=None, source=source,
            )  # fmt: skip
        gain = deep.gain_fields(data, header, recipe, scene)
        beside = {**beside_pixels(data, header, out), **gain}
        place = shared if opening.is_usual(header, out) else None
        opened = opening.open_canvas(data, header, ops, limits, place, out=out)
        decoded = time.perf_counter()
        canvas = table.apply(opened.canvas, opened.left, scene)
        fm = "jpg" if gain else _format(out.fm, header, canvas, limits)
        pixels = finish(canvas.image, recipe, fm, beside)
    except pyvips.Error as error:
        raise decode.refused(error) from error
    ended = time.perf_counter()
    decode_seconds = (decoded if opened.apart else ended) - started
    work_seconds = ended - decoded if opened.apart else None
    return Rendered(
        pixels=pixels, fm=fm, decode_seconds=decode_seconds, work_seconds=work_seconds,
        source=source,
    )  # fmt: skip


def _header(
    data: bytes, limits: limit_names.Limits, out: Output, shared: kept.Picture | None
) -> decode.Header:
    """Read the header; that of a JPEG, whose scans must be counted, only once for many sizes."""
    if shared is None or not out.upright or data[:3] != JPEG_BEGINS:
        return decode.open_header(data, limits, out)
    found: decode.Header = shared.header(lambda: decode.open_header(data, limits, out))
    return found


def _apart(
    data: bytes, header: decode.Header, recipe: recipes.Recipe, scene: Scene
) -> tuple[encode.Pixels, str] | None:
    """Make what is no single picture of 8 bits, and say in which format; None for all else."""
    if animation.is_meant(header, recipe):
        pixels = animation.render(data, header, recipe, scene)
        return pixels, animation.format_for(header, recipe.out.fm)
    if deep.is_meant(recipe):
        return deep.render(data, header, recipe, scene), recipe.out.fm
    return None


def draw(data: bytes, ops: Sequence[Op], scene: Scene) -> Canvas:
    """Make a picture that lies on another one, as `render` makes its own.

    Raises:
        Refusal: 400 or 422.
    """
    header = decode.open_header(data, scene.limits)
    data, ops = header.inner or data, opening.ops_for(header, ops)
    expect((header.width, header.height), ops, scene.limits)
    opened = opening.open_canvas(data, header, ops, scene.limits, None)
    return table.apply(opened.canvas, opened.left, scene)


def beside_pixels(data: bytes, header: decode.Header, out: Output) -> Mapping[str, Any]:
    """Give what is written beside the pixels: metadata, and the colour space where it is kept."""
    fields = dict(metadata.fields(data, header.kind, out))
    if opening.keeps(header, out):
        fields["icc-profile-data"] = header.icc
    return fields


def expect(size: Size, ops: Sequence[Op], limits: limit_names.Limits) -> None:
    """Check sizes as far as they can be known before a pixel is decoded.

    Raises:
        Refusal: 400 or 422; the picture, or a step on the way to it, would be too big.
    """
    for op in ops:
        if isinstance(op, geometry.Trim):
            return
        size = shapes.after(size, op)
        shapes.check_step(size, limits)
    shapes.check(size, limits)


def _format(fm: str, header: decode.Header, canvas: Canvas, limits: limit_names.Limits) -> str:
    """Settle ``source``: every client shows JPEG and PNG, and PNG keeps what JPEG cannot.

    The same when a picture is too large for an encoder that takes long.
    """
    too_large = fm in _SLOW and canvas.size[0] * canvas.size[1] > limits.avif_pixels
    if fm != "source" and not too_large:
        return fm
    clear = canvas.image.hasalpha() or header.kind in ("png", "gif", "bmp", "ico", "svg")
    return "png" if clear else "jpg"


def finish(
    image: pyvips.Image, recipe: recipes.Recipe, fm: str, beside: Mapping[str, Any] | None = None
) -> encode.Pixels:
    """Flatten, and compute: from here on there are only bytes, and what stands ``beside`` them."""
    if image.hasalpha() and (fm == "jpg" or recipe.out.flat):
        image = image.flatten(background=list(colours.on_white(recipe.out.bg)[:3]))
    if image.bands == 1 and (fm in ("webp", "avif") or "icc-profile-data" in (beside or {})):
        image = coloured(image)
    return encode.Pixels(
        data=image.write_to_memory(), width=image.width, height=image.height, bands=image.bands,
        fields=beside or {},
    )  # fmt: skip
