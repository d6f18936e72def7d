"""``/info``: what a source is, what it shows, and what can stand in for it until it is there.

Decodes a small copy once; everything is told of the upright picture, in sRGB.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyvips

import decode
import refusals
import render
from looking import colouring, faces, fingerprint, placeholders
from ops import geometry, values
from pixels import canvas as canvases
from pixels import gravity
from pixels.canvas import Canvas, Scene
from reports.report import Seen, Told

LOOKED_SIDE = 640
"""Pixels of the longer side of the copy that is looked at."""
LQIP_SIDE = 24
LQIP_QUALITY = 40
_EXIF_WANTED = {
    "exif-ifd0-Make": "make", "exif-ifd0-Model": "model", "exif-ifd0-Artist": "artist",
    "exif-ifd0-Copyright": "copyright", "exif-ifd0-ImageDescription": "description",
    "exif-ifd2-DateTimeOriginal": "taken", "exif-ifd2-ExposureTime": "exposure",
    "exif-ifd2-FNumber": "aperture", "exif-ifd2-ISOSpeedRatings": "iso",
    "exif-ifd2-FocalLength": "focal_length", "exif-ifd2-LensModel": "lens",
}  # fmt: skip
"""What of EXIF is told: how it was taken and whose it is, never where or by which serial number."""
EXIF_TEXT_MAX = 200


def tell(seen: Seen) -> Told:
    """Tell it.

    Raises:
        Refusal: 422; the source cannot be decoded.
        pyvips.Error: the same.
    """
    header = seen.header
    value = {
        "source": f"{seen.recipe.source}/{seen.recipe.path}",
        "format": header.format,
        "width": header.width,
        "height": header.height,
        "bytes": len(seen.data),
        **_stored(seen.data, header),
        **_shown(*looked_at(seen)),
    }
    return Told(value=value)


def inside(side: int) -> geometry.Resize:
    """Give the resize to a copy of at most that side."""
    return geometry.Resize("inside", values.pixels(side), values.pixels(side))


def looked_at(seen: Seen) -> tuple[Canvas, Scene]:
    """Make the small copy on which everything is looked at.

    It is in memory: it is read several times, and most decoders read a file once.

    Raises:
        Refusal, pyvips.Error: as `tell`.
    """
    scene = Scene(limits=seen.limits, fetch=render.nowhere)
    small = render.draw(seen.data, (inside(LOOKED_SIDE),), scene).settled()
    return small.over(small.image.copy_memory()), scene


def _stored(data: bytes, header: decode.Header) -> dict[str, Any]:
    """Tell what only the file's header knows; of kinds that libvips does not read, what we do."""
    if header.draw is not None:
        return {
            "frames": header.pages, "orientation": 1, "alpha": header.has_alpha,
            "profile": bool(header.icc), "interlaced": False, "exif": {},
        }  # fmt: skip
    data = header.inner or data
    image = pyvips.Image.new_from_buffer(data, "", fail_on=decode.fail_on(header.kind))
    names = set(image.get_fields())
    return {
        "frames": image.get("n-pages") if "n-pages" in names else 1,
        "orientation": image.get("orientation") if "orientation" in names else 1,
        "alpha": bool(image.hasalpha()),
        "profile": "icc-profile-data" in names,
        "interlaced": bool(image.get("interlaced")) if "interlaced" in names else False,
        "exif": exif(data, header),
    }


def exif(data: bytes, header: decode.Header) -> dict[str, str]:
    """Tell what of the EXIF block anybody may know."""
    if header.draw is not None:
        return {}
    data = header.inner or data
    image = pyvips.Image.new_from_buffer(data, "", fail_on=decode.fail_on(header.kind))
    names = set(image.get_fields())
    return {
        said: _readable(image.get(name)) for name, said in _EXIF_WANTED.items() if name in names
    }


def _readable(text: object) -> str:
    """Give the value out of libvips' ``value (value, type, …)``, without control characters."""
    value = str(text).rpartition(" (")[0] or str(text)
    return "".join(one for one in value if one.isprintable()).strip()[:EXIF_TEXT_MAX]


def _shown(small: Canvas, scene: Scene) -> Mapping[str, Any]:
    """Tell what the pixels show."""
    tiny = samples(small.image, placeholders.THUMB_SIDE_MAX)
    palette = colouring.palette(tiny)
    grey = canvases.resize(small.image, (fingerprint.SIDE, fingerprint.SIDE))
    found, missing = faces_of(small)
    return {
        "dominant": palette[0].rgb if palette else None,
        "palette": [{"colour": one.rgb, "share": round(one.share, 3)} for one in palette],
        "blurhash": placeholders.blurhash(on_white(tiny)),
        "thumbhash": b64encode(placeholders.thumbhash(tiny)).decode(),
        "lqip": _lqip(small.image),
        "phash": fingerprint.perceptual(gravity.lightness(grey)),
        "focal": _focal(small, found, scene),
        "faces": None if missing else [_box(one) for one in found],
        **({"missing": missing} if missing else {}),
    }


def _box(one: faces.Find) -> dict[str, float]:
    """Say a find in shares of the sides."""
    return {name: round(getattr(one, name), 4) for name in ("x", "y", "w", "h")}


def samples(image: pyvips.Image, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Give a copy of at most that side as rows of red, green, blue and alpha."""
    part = min(1.0, side / max(image.width, image.height))
    size = max(1, round(image.width * part)), max(1, round(image.height * part))
    small = canvases.with_alpha(canvases.resize(image, size))
    return np.frombuffer(small.write_to_memory(), np.uint8).reshape(small.height, small.width, 4)


def on_white(rgba: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Give red, green and blue as one sees them on white."""
    alpha = rgba[..., 3:].astype(np.float64) / 255
    laid: np.ndarray[Any, np.dtype[Any]] = rgba[..., :3] * alpha + 255 * (1 - alpha)
    return laid


def _lqip(image: pyvips.Image) -> str:
    part = min(1.0, LQIP_SIDE / max(image.width, image.height))
    size = max(1, round(image.width * part)), max(1, round(image.height * part))
    body = canvases.coloured(canvases.resize(image, size)).webpsave_buffer(
        Q=LQIP_QUALITY, keep="none"
    )
    return f"data:image/webp;base64,{b64encode(body).decode()}"


def faces_of(small: Canvas) -> tuple[tuple[faces.Find, ...], list[str]]:
    """Give the faces, and the packages that are missing for it."""
    try:
        return faces.find(gravity.lightness(small.image)), []
    except refusals.Refusal as refusal:
        if refusal.code != "needs_package":
            raise
        return (), ["opencv-python-headless"]


def _focal(small: Canvas, found: tuple[faces.Find, ...], scene: Scene) -> dict[str, float]:
    """Give the point around which one would cut: the largest face, or what draws attention."""
    if found:
        return {
            "x": round(found[0].x + found[0].w / 2, 4), "y": round(found[0].y + found[0].h / 2, 4)
        }  # fmt: skip
    width, height = small.size
    part = max(1, width // 2), max(1, height // 2)
    x, y = gravity.find(small, part, values.Gravity("attention"), scene)
    return {"x": round((x + part[0] / 2) / width, 4), "y": round((y + part[1] / 2) / height, 4)}
