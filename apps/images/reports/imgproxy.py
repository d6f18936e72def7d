"""What imgproxy's ``/info`` tells, of the facts that its URL asks for (`dialects.imgproxy.facts`).

Only what is asked for is looked at: pixels are decoded for palettes, averages, hashes and objects.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import refusals
from looking import colouring, placeholders
from pixels.canvas import Canvas
from reports import info
from reports.report import Seen, Told

LOOKED = frozenset({"palette", "average", "blurhash", "objects"})
KINDS = {"jpg": "jpeg"}
"""Formats that imgproxy calls otherwise."""


def tell(seen: Seen) -> Told:
    """Tell it.

    Raises:
        Refusal: 404, the question is none; 422, the source cannot be decoded.
    """
    asked = dict(each.partition("=")[::2] for each in seen.recipe.out.base.split())
    value: dict[str, Any] = {}
    if "size" in asked:
        value["size"] = len(seen.data)
    if "format" in asked:
        value["format"] = KINDS.get(seen.header.format, seen.header.format)
    if "dimensions" in asked:
        value |= {"width": seen.header.width, "height": seen.header.height}
    try:
        if "exif" in asked:
            value["exif"] = info.exif(seen.data, seen.header)
        if LOOKED & asked.keys():
            value |= _looked(info.looked_at(seen)[0], asked)
    except ValueError:
        raise refusals.not_found() from None
    return Told(value=value)


def _looked(small: Canvas, asked: dict[str, str]) -> dict[str, Any]:
    """Tell what the pixels show."""
    tiny = info.samples(small.image, placeholders.THUMB_SIDE_MAX)
    value: dict[str, Any] = {}
    if "palette" in asked:
        found = colouring.palette(tiny, int(asked["palette"]))
        value["palette"] = [_colour(*bytes.fromhex(one.rgb)) for one in found]
    if "average" in asked:
        value["average"] = _average(tiny)
    if "blurhash" in asked:
        across, down = map(int, asked["blurhash"].split("x"))
        value["blurhash"] = placeholders.blurhash(info.on_white(tiny), across, down)
    if "objects" in asked:
        faces, missing = info.faces_of(small)
        if missing:
            raise refusals.unusable("needs_package", f"finding faces needs {', '.join(missing)}")
        value["objects"] = [
            {"class_id": 0, "class_name": "face", "left": one.x, "top": one.y,
             "width": one.w, "height": one.h}
            for one in faces
        ]  # fmt: skip
    return value


def _average(rgba: np.ndarray[Any, np.dtype[Any]]) -> dict[str, int]:
    """Give the average of what is not wholly clear."""
    flat = rgba.reshape(-1, 4)
    seen = flat[flat[:, 3] > 0]
    if not len(seen):
        return _colour(0, 0, 0, 0)
    return _colour(*(int(one + 0.5) for one in seen.mean(axis=0)))


def _colour(red: int, green: int, blue: int, alpha: int = 255) -> dict[str, int]:
    return {"R": red, "G": green, "B": blue, "A": alpha}
