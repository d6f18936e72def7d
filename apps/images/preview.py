"""The small picture that cameras put into a JPEG, brought to a recipe's size: blurred, but at once.

Exif 2.32, 4.6.2 (directories) and 4.8.1 (the thumbnail is in the second one). Only the beginning of
a file is needed, however large it is.
"""

from __future__ import annotations

import struct

import pyvips

import decode
import encode
import jpeg
import limits as limit_names
import opening
import recipe as recipes
import refusals
import render as rendering
from ops.output import Output
from pixels import table
from pixels.canvas import Canvas, Scene

BEGINNING_BYTES = 128 * 1024
"""Metadata come first, and Exif fits in 64 KB."""
_EXIF = b"Exif\0\0"
_OFFSET_TAG, _LENGTH_TAG = 0x0201, 0x0202


def render(beginning: bytes, recipe: recipes.Recipe, limits: limit_names.Limits) -> bytes:
    """Make a JPEG of exactly the size that the real picture would have.

    Raises:
        Refusal: 422; the file has no such picture in it, or one that cannot be used.
    """
    small = embedded(beginning)
    if not small:
        raise refusals.unusable("no_preview", "the source has no small picture in it")
    found = jpeg.read(beginning)
    decode.open_header(small, limits)
    turned = found.orientation >= 5
    size = (found.height, found.width) if turned else (found.width, found.height)
    rendering.expect(size, recipe.ops, limits)
    try:
        image = pyvips.Image.new_from_buffer(small, "").colourspace("srgb")
        image = _without_bars(opening.upright(image, found.orientation), *size).copy_memory()
        scene = Scene(limits=limits, fetch=rendering.nowhere)
        canvas = table.apply(Canvas(image=image, size=size), recipe.ops, scene)
        pixels = rendering.finish(canvas.image, recipe, "jpg")
    except pyvips.Error as error:
        raise decode.refused(error) from error
    out = Output(fm="jpg", quality=recipe.out.quality)
    return encode.encode(pixels, out).body


def embedded(beginning: bytes) -> bytes:
    """Find the JPEG inside a JPEG's Exif block; nothing if there is none."""
    at = beginning.find(b"\xff\xe1")
    if at < 0 or not beginning.startswith(_EXIF, at + 4):
        return b""
    length = int.from_bytes(beginning[at + 2 : at + 4], "big")
    tiff = beginning[at + 10 : at + 2 + length]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return b""
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        (second,) = struct.unpack_from(order + "I", tiff, first + 2 + 12 * entries)
        told = _numbers(tiff, second, order) if second else {}
    except struct.error:
        return b""
    start, size = told.get(_OFFSET_TAG, 0), told.get(_LENGTH_TAG, 0)
    small = tiff[start : start + size]
    return small if start and len(small) == size and small.startswith(b"\xff\xd8") else b""


def _numbers(tiff: bytes, at: int, order: str) -> dict[int, int]:
    """Read a directory's single whole numbers, by tag."""
    (entries,) = struct.unpack_from(order + "H", tiff, at)
    found = {}
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(order + "HHII", tiff, entry)
        if kind == 4 and count == 1:
            found[tag] = value
    return found


def _without_bars(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Cut to the shape of the whole picture: many cameras fill up to 4:3 with black."""
    w = min(image.width, max(1, round(image.height * width / height)))
    h = min(image.height, max(1, round(image.width * height / width)))
    return image.crop((image.width - w) // 2, (image.height - h) // 2, w, h)
