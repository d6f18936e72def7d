"""From a source's bytes to a canvas: how large it is decoded, which way up, and in which colours.

What comes first in a recipe decides how much is decoded: a picture is read no larger than its first
resize needs. Operations themselves are done in `pixels`; errors are translated in `render`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyvips

import decode
import kept
import limits as limit_names
import profiles
import shapes
import turbo
from ops import geometry
from ops.base import Op
from ops.output import Output
from pixels.canvas import Canvas, coloured, resize
from shapes import Size

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
WHOLE = ("avif", "gif", "png", "tiff")
"""Kinds that are decoded whole before they are scaled: so they may be scaled exactly."""
_TAGGED = ("source", "jpg", "png", "webp", "avif", "heic", "tiff")
"""Formats that are written with a colour profile."""
_ICC_FAULT = "VipsIcc"
"""How libvips begins what it says of colour profiles."""
_TAKES = (geometry.Crop, geometry.Cut, geometry.Shape, geometry.Flip)
"""Operations that may be done on a picture decoded smaller than it is."""


def needed(size: Size, ops: Sequence[Op]) -> Size:
    """Give the least size of the whole picture from which the operations lose nothing."""
    current, turned = size, False
    for op in ops:
        if isinstance(op, geometry.Resize):
            target = shapes.resized(current, op)
            across, down = (
                -(-whole * to // of)
                for whole, to, of in zip(_turn(size, turned=turned), target, current, strict=True)
            )
            return _turn((across, down), turned=turned)
        if isinstance(op, geometry.Rotate) and op.degrees % 90 == 0:
            turned ^= op.degrees % 180 == 90
        elif not isinstance(op, _TAKES):
            break
        current = shapes.after(current, op)
    return size


def _turn(size: Size, *, turned: bool) -> Size:
    return (size[1], size[0]) if turned else size


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A canvas, the operations that are ``left``, and whether decoding was ``apart`` from them."""

    canvas: Canvas
    left: Sequence[Op]
    apart: bool


def open_canvas(
    data: bytes,
    header: decode.Header,
    ops: Sequence[Op],
    limits: limit_names.Limits,
    shared: kept.Picture | None,
    *,
    out: Output = decode.USUAL,
) -> Opened:
    """Decode as much as the operations need; ``shared`` is what is kept of this source.

    Raises:
        pyvips.Error: the source cannot be decoded.
        Refusal: 422; it would be too big on the way.
    """
    size = (header.width, header.height)
    least = needed(size, ops)
    image = _shared(data, header, least, out, shared) if shared else None
    if image is not None:
        canvas = Canvas(image=image, size=size, eighths=_eighths(image, header))
        return Opened(canvas=canvas, left=ops, apart=True)
    first = isinstance(ops[0], geometry.Resize) if ops else False
    if first or header.vector:
        shapes.check_step(least, limits)
    if first:
        size, ops = least, ops[1:]
    if not header.vector:
        # Nothing is decoded larger than it is: growing is the canvas' to do.
        least = min(least[0], header.width), min(least[1], header.height)
    if header.plain_jpeg is not None:
        try:
            image = _fast(data, header, least, out, exact=first)
            canvas = Canvas(image=image, size=size, eighths=0 if first else _eighths(image, header))
            return Opened(canvas=canvas, left=ops, apart=True)
        except turbo.NotPlain:
            pass  # libvips decides whether the doubt is a reason to refuse
    if decode.BYTES_PER_PIXEL.get(header.kind) == 0 and ops and isinstance(ops[0], geometry.Crop):
        return _part(_lines(data, header, out), header, out, ops)
    image = _general(data, header, least, out)
    if ops or least != size:
        image = image.copy_memory()
    return Opened(canvas=Canvas(image=image, size=size), left=ops, apart=False)


def _part(image: pyvips.Image, header: decode.Header, out: Output, ops: Sequence[Op]) -> Opened:
    """Take a part, and scale it, while the lines come: exactly, and no more of it is held."""
    size = (header.width, header.height)
    crop, *left = ops
    assert isinstance(crop, geometry.Crop)
    canvas = Canvas(image=image, size=size).taking(shapes.cropped(size, crop))
    if left and isinstance(left[0], geometry.Resize):
        canvas = canvas.resized(shapes.resized(canvas.size, left[0]))
        left = left[1:]
    image = _usual(canvas.image, header, out)
    return Opened(
        canvas=canvas.over(image.copy_memory() if left else image), left=left, apart=False
    )


def _lines(data: bytes, header: decode.Header, out: Output) -> pyvips.Image:
    """Open a picture whose lines come one after another, in its own size.

    Still in its own colours, which are cheaper to convert once it is smaller; but usual samples.
    """
    options = _options(header, out)
    image = pyvips.Image.new_from_buffer(data, options, access="sequential")
    turned = "orientation" in image.get_fields() and image.get("orientation") > 1
    plain = image.format == "uchar" and image.interpretation in ("srgb", "b-w")
    if plain and not (turned and out.upright):
        return image
    return _general(data, header, (header.width, header.height), out)


def _usual(image: pyvips.Image, header: decode.Header, out: Output) -> pyvips.Image:
    """Bring plain samples to sRGB, by the profile if there is one."""
    if "icc-profile-data" in image.get_fields() and not keeps(header, out):
        with contextlib.suppress(pyvips.Error):  # as in _to_srgb
            image = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    return _samples(image)


def _halved(image: pyvips.Image, factor: int) -> pyvips.Image:
    """Scale by exactly 1 / ``factor``: the last pixels stand for less, as in JPEG."""
    w, h = (-(-side // factor) * factor for side in (image.width, image.height))
    whole = image if factor == 1 else image.embed(0, 0, w, h, extend="copy")
    return resize(whole, (w // factor, h // factor))


def _eighths(image: pyvips.Image, header: decode.Header) -> int:
    """Give at how many eighths it was decoded, if that can be said and begins at the top left."""
    found = header.plain_jpeg
    if header.kind not in WHOLE and (found is None or found.orientation != 1):
        return 0
    size = (image.width, image.height)
    for eighths in range(8, 0, -1):
        if size == (-(-header.width * eighths // 8), -(-header.height * eighths // 8)):
            return eighths
    return 0


def _shared(
    data: bytes, header: decode.Header, least: Size, out: Output, shared: kept.Picture
) -> pyvips.Image | None:
    """Give what is decoded for many sizes, or decode it if this is not the first; else None."""
    size = (header.width, header.height)
    least = min(least[0], size[0]), min(least[1], size[1])
    found = shared.find(least)
    if found is not None:
        return found
    useful = shared.useful(size, least)
    if useful is None:
        return None
    image = None
    if header.plain_jpeg is not None:
        with contextlib.suppress(turbo.NotPlain):  # as in open_canvas
            image = _fast(data, header, useful, out, exact=False, alike=True)
    if image is None and header.kind in WHOLE:
        factor = round(max(size) / max(useful))
        image = _usual(_halved(_lines(data, header, out), factor), header, out)
    elif image is None:
        image = _general(data, header, useful, out)
    levels = [image.copy_memory()]
    while max(levels[-1].width, levels[-1].height) >= 2 * kept.LEVEL_SIDE_MIN:
        levels.append(_halved(levels[-1], 2).copy_memory())
    shared.keep(*levels)
    return next(one for one in reversed(levels) if one.width >= least[0] and one.height >= least[1])


def _fast(
    data: bytes, header: decode.Header, least: Size, out: Output, *, exact: bool,
    alike: bool = False,
) -> pyvips.Image:  # fmt: skip
    """Decode a plain JPEG; to that size if ``exact``, else to no smaller one.

    ``alike``: as in `turbo.decode`.
    """
    found = header.plain_jpeg
    assert found is not None
    stored = _turn(least, turned=out.upright and found.orientation >= 5)
    rows = turbo.decode(data, found, stored, alike=alike)
    image = turbo.wrap(rows)
    if exact and (image.width, image.height) != stored:
        image = image.resize(stored[0] / image.width, vscale=stored[1] / image.height)
    if found.icc and not profiles.is_srgb(found.icc) and not keeps(header, out):
        image = _to_srgb(image, found.icc)
    return upright(image, found.orientation) if out.upright else image


def keeps(header: decode.Header, out: Output) -> bool:
    """Tell whether the pixels stay in the source's own colour space, which the format can say."""
    return out.icc == "keep" and out.fm in _TAGGED and profiles.is_rgb(header.icc)


def is_usual(header: decode.Header, out: Output) -> bool:
    """Tell whether the source is read as for nearly every picture, so that decoding is shared."""
    return header.draw is None and out.icc == "srgb" and out.upright and not out.page


def ops_for(header: decode.Header, ops: Sequence[Op]) -> Sequence[Op]:
    """Let a drawing grow to any size: it has no pixels that would be too few."""
    if not header.vector:
        return ops
    return [replace(op, enlarge=True) if isinstance(op, geometry.Resize) else op for op in ops]


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


def _general(data: bytes, header: decode.Header, size: Size, out: Output) -> pyvips.Image:
    # Converting sRGB to sRGB gives the same bytes and is most of the time of a PNG.
    stays = header.in_srgb or keeps(header, out)
    try:
        image = _scaled(data, header, size, out, to_srgb=not stays)
    except pyvips.Error as error:
        if stays or _ICC_FAULT not in error.detail:
            raise
        image = _scaled(data, header, size, out, to_srgb=False)  # as in _to_srgb
    return _samples(image)


def _scaled(
    data: bytes, header: decode.Header, size: Size, out: Output, *, to_srgb: bool
) -> pyvips.Image:
    """Decode in about the size that is wanted, and bring it to that."""
    colour = {"export_profile": "srgb", "intent": "relative"} if to_srgb else {}
    if header.draw is not None:
        return header.draw(*size).thumbnail_image(size[0], height=size[1], size="force", **colour)
    return pyvips.Image.thumbnail_buffer(
        data,
        size[0],
        height=size[1],
        size="force",
        no_rotate=not out.upright,
        # Its own parameter fail_on has no effect on buffers (libvips 8.18).
        option_string=_options(header, out),
        **colour,
    )


def _samples(image: pyvips.Image) -> pyvips.Image:
    """Give the samples that operations work on."""
    if image.interpretation not in ("srgb", "b-w") or image.format != "uchar":
        image = image.colourspace("srgb").cast("uchar")
    if image.bands == 2:
        image = coloured(image)
    if image.bands > 4:
        image = image.extract_band(0, n=4 if image.hasalpha() else 3)
    return image


def _options(header: decode.Header, out: Output) -> str:
    page = f",page={out.page}" if out.page and header.pages > 1 else ""
    return f"[fail_on={decode.fail_on(header.kind)}{page}]"
