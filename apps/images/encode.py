"""Pixels → bytes of a format: one try, or as many as a recipe's wishes need.

Which settings a format knows is in `encoding.savers`, how to search in `encoding.search`. The one
seam to encoder errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyvips

import refusals
from encoding import savers, search
from ops.output import Output

CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "png": "image/png",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "jxl": "image/jxl",
    "heic": "image/heic",
    "bmp": "image/bmp",
    "ico": "image/x-icon",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Rows of samples; ``bands`` is 1, 3 or (with alpha) 4, of ``depth`` 8 or 16 bits.

    ``fields`` is what is written beside them, in libvips' names. Of an animation ``page_height``
    is the height of one frame, which lie one below the other; else 0.
    """

    data: Any
    width: int
    height: int
    bands: int
    depth: int = 8
    fields: Mapping[str, Any] = field(default_factory=dict)
    page_height: int = 0

    @property
    def has_alpha(self) -> bool:
        """Tell whether the last band is alpha."""
        return self.bands == 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A finished file, and the format that it is in."""

    fm: str
    body: bytes


def as_it_is(out: Output) -> Output:
    """Leave an output as it is: no target is learnt."""
    return out


def encode(pixels: Pixels, out: Output, learn: Callable[[Output], Output] = as_it_is) -> Encoded:
    """Encode as ``out`` says; its format must be settled, or ``best``.

    ``learn`` gives the quality that a target means.

    Raises:
        Refusal: 422; the encoder cannot.
    """
    image = _image(pixels)
    if out.fm != "best":
        return _fitting(image, learn(out))
    found = [_fitting(image, learn(one)) for one in search.candidates(out, clear=image.hasalpha())]
    return min(found, key=lambda one: len(one.body))


def _fitting(image: pyvips.Image, out: Output) -> Encoded:
    """Encode in one format, within ``bytes_max`` if that is possible."""
    body = _tried(image, out)
    if out.bytes_max and len(body) > out.bytes_max:
        body = search.fit(out, body, lambda smaller: _tried(image, smaller))
    return Encoded(fm=out.fm, body=body)


def _tried(image: pyvips.Image, out: Output) -> bytes:
    try:
        return savers.save(image, out)
    except pyvips.Error as error:
        raise refusals.unusable(
            "cannot_encode", f"cannot write this picture as {out.fm}"
        ) from error


def _image(pixels: Pixels) -> pyvips.Image:
    deep = pixels.depth == 16
    grey = pixels.bands <= 2
    spaces = ("b-w", "srgb") if not deep else ("grey16", "rgb16")
    image = pyvips.Image.new_from_memory(
        pixels.data, pixels.width, pixels.height, pixels.bands, "ushort" if deep else "uchar"
    ).copy(interpretation=spaces[0 if grey else 1])
    for name, value in pixels.fields.items():
        image.set_type(savers.field_type(value), name, value)
    if pixels.page_height:
        image.set_type(pyvips.GValue.gint_type, "page-height", pixels.page_height)
    return image
