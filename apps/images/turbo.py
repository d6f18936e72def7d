"""The fast path for plain JPEGs: libjpeg-turbo decodes at the smallest scale that still suffices.

Its DCT scaling (n/8) leaves most of the picture undecoded, where libvips' own loader stops at
half; libvips then does the last, small resize. Errors mean "let `vips` judge", not "damaged".
"""

from __future__ import annotations

from typing import Any

import pyvips
import simplejpeg

import jpeg
import progressive


class NotPlain(ValueError):
    """libjpeg-turbo has doubts about the file."""


def decode(data: bytes, header: jpeg.Header, least: tuple[int, int], *, alike: bool = False) -> Any:
    """Decode to rows of samples, at least ``least`` (w, h) pixels if the source has them.

    ``alike``: the samples may differ by what nobody sees.

    Raises:
        NotPlain: the decoder warned or failed.
    """
    width, height = min(least[0], header.width), min(least[1], header.height)
    if header.is_progressive:
        # Reading scans is most of the work, and at 1/8 most of them are never looked at.
        if _suffices(8, header, (width, height)):
            data = progressive.slim(data) or data
        elif alike and _suffices(2, header, (width, height)):
            data = progressive.coarse(data) or data
    try:
        return simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.components == 1 else "RGB",
            min_width=width,
            min_height=height,
            strict=True,
        )
    except (ValueError, MemoryError) as error:
        raise NotPlain(str(error)) from error


def _suffices(divisor: int, header: jpeg.Header, size: tuple[int, int]) -> bool:
    """Tell whether a picture so many times smaller is still large enough."""
    return -(-header.width // divisor) >= size[0] and -(-header.height // divisor) >= size[1]


def wrap(rows: Any) -> pyvips.Image:
    """Let libvips see the rows, without copying them."""
    height, width, bands = rows.shape
    image = pyvips.Image.new_from_memory(rows.data, width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands == 1 else "srgb")
