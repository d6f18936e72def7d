"""Formats that libvips' wheel cannot write, through Pillow and plugins: JPEG XL, HEIC, BMP, ICO.

All of them are extras: Pillow itself is one.
"""

from __future__ import annotations

import io
from typing import Any

import pyvips

import extras
import refusals
from ops.output import Output

ICO_SIDE_MAX = 256
"""An icon's side, as its directory can say it."""
JXL_EFFORT = 3
JXL_EFFORT_MAX = 7
"""Above, a picture takes seconds."""
_PLUGINS = {"jxl": "pillow_jxl", "heic": "pillow_heif"}
_KEPT = {"jxl": ("exif",), "heic": ("exif", "icc_profile")}
_NAMES = {"jxl": "JPEG XL", "heic": "HEIC", "bmp": "BMP", "ico": "ICO"}


def save(image: pyvips.Image, out: Output, quality: int) -> bytes:
    """Encode with Pillow.

    Raises:
        Refusal: 422; a package is missing, or the picture does not fit the format.
    """
    if out.fm not in _NAMES:
        raise refusals.unusable("unsupported_output", f"pictures are not written as {out.fm}")
    pillow = extras.load("PIL.Image", _NAMES[out.fm])
    if out.fm in _PLUGINS:
        plugin = extras.load(_PLUGINS[out.fm], _NAMES[out.fm])
        if out.fm == "heic":
            plugin.register_heif_opener()
    if out.fm == "ico" and max(image.width, image.height) > ICO_SIDE_MAX:
        raise refusals.unusable(
            "cannot_encode", f"an icon has at most {ICO_SIDE_MAX} x {ICO_SIDE_MAX} pixels"
        )
    if out.fm == "bmp" and image.hasalpha():
        image = image.flatten(background=list(out.bg[:3]))
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[image.bands]
    picture = pillow.frombytes(mode, (image.width, image.height), image.write_to_memory())
    buffer = io.BytesIO()
    try:
        picture.save(buffer, **_options(image, out, quality))
    except (OSError, ValueError, RuntimeError) as error:
        raise refusals.unusable(
            "cannot_encode", f"cannot write this picture as {out.fm}"
        ) from error
    return buffer.getvalue()


def _options(image: pyvips.Image, out: Output, quality: int) -> dict[str, Any]:
    fields = set(image.get_fields())
    kept = {
        option: image.get(name)
        for option, name in (("exif", "exif-data"), ("icc_profile", "icc-profile-data"))
        if name in fields and option in _KEPT.get(out.fm, ())
    }
    match out.fm:
        case "jxl":
            effort = min(out.effort, JXL_EFFORT_MAX) or JXL_EFFORT
            way = {"lossless": True} if out.lossless else {"quality": quality}
            return {"format": "JXL", "effort": effort, "num_threads": 1, **way, **kept}
        case "heic":
            return {"format": "HEIF", "quality": -1 if out.lossless else quality, **kept}
        case "ico":
            return {"format": "ICO", "sizes": [(image.width, image.height)]}
    return {"format": "BMP"}
