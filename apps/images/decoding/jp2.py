"""JPEG 2000, through Pillow, which is an extra: decoded at the resolution that is needed.

The format holds halves, quarters and so on of the picture, and reading one of them costs a part of
reading all. Boxes: ISO/IEC 15444-1, annex I; what is in the codestream: `jp2_codestream`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyvips

import limits as limit_names
import refusals
from decoding import by_pillow, jp2_codestream
from decoding.opened import Opened, check_memory, check_size

KIND = "jp2"
BYTES_PER_PIXEL = 26
"""What decoding holds at once, by measure: four samples as numbers of 32 bits, and the result. It
is of the pixels that are decoded; the rest costs next to nothing."""
SPARE = 2
"""How many times larger than what is needed it is decoded at least: what a codec's halving gives is
sharper than it should be, and lies half a pixel further left and up each time."""
BOXES_MAX = 64
_COLOUR_HEAD, _PROFILE = 3, 2
_CLEAR = ("RGBA", "LA")


def open_picture(data: bytes, limits: limit_names.Limits) -> Opened:
    """Open it.

    Raises:
        Refusal: 422; a package is missing, the file is damaged, or it is over a limit; also when it
            is drawn.
    """
    image = by_pillow.opened(data, KIND)
    width, height = image.size
    check_size(width, height, limits)
    stream = codestream(data)
    if stream.size != image.size:
        raise refusals.unusable("damaged", "the JPEG 2000 source says two sizes")
    check_memory(stream.bytes_held, limits)
    icc = profile(data)
    clear = image.mode in _CLEAR

    def draw(w: int, h: int) -> pyvips.Image:
        halvings = _halvings((width, height), (w, h), stream.levels)
        decoded = _halved(width, halvings) * _halved(height, halvings)
        check_memory(BYTES_PER_PIXEL * decoded + stream.bytes_held, limits)
        return by_pillow.pixels(
            _reduced(by_pillow.opened(data, KIND), halvings), KIND, icc, clear=clear
        )

    return Opened(width=width, height=height, has_alpha=clear, draw=draw, icc=icc)


def codestream(data: bytes) -> jp2_codestream.Codestream:
    """Read what the codestream says of itself, with boxes around it or without.

    Raises:
        Refusal: 422; there is none, it is damaged, or asks for too much.
    """
    if not data.startswith(jp2_codestream.BEGIN):
        data = next((inner for kind, inner in _boxes(data) if kind == b"jp2c"), b"")
    try:
        return jp2_codestream.read(data)
    except jp2_codestream.Odd as error:
        excessive = isinstance(error, jp2_codestream.Excessive)
        reason = "too_complex" if excessive else "damaged"
        raise refusals.unusable(reason, f"the JPEG 2000 source: {error}") from error


def _halvings(size: tuple[int, int], least: tuple[int, int], levels: int) -> int:
    """Say how often the picture may be halved and still has enough for that size."""
    found = 0
    while found < levels and all(
        _halved(side, found + 1) >= SPARE * wanted for side, wanted in zip(size, least, strict=True)
    ):
        found += 1
    return found


def _reduced(image: Any, halvings: int) -> Any:
    """Let Pillow decode so many halvings less: it rounds where the codec rounds up (B-14)."""
    if halvings:
        size = tuple(_halved(side, halvings) for side in image.size)
        codec, _, *more = image.tile[0].args
        image._size = size  # noqa: SLF001 - there is no other way to say it
        image.tile = [image.tile[0]._replace(extents=(0, 0, *size), args=(codec, halvings, *more))]
    return image


def _halved(side: int, times: int) -> int:
    return -(-side >> times)


def profile(data: bytes) -> bytes:
    """Give the colour profile that the file's header holds; empty where there is none."""
    for kind, header in _boxes(data):
        if kind == b"jp2h":
            for inner, colour in _boxes(header):
                if inner == b"colr" and colour[:1] == bytes([_PROFILE]):
                    return bytes(colour[_COLOUR_HEAD:])
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the boxes that lie one behind the other: their kinds and contents."""
    position = 0
    for _ in range(BOXES_MAX):
        size, begin = int.from_bytes(data[position : position + 4], "big"), 8
        kind = data[position + 4 : position + 8]
        if size == 1:
            size, begin = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        end = position + size if size else len(data)
        if len(kind) < 4 or end < position + begin or end > len(data):
            return
        yield kind, data[position + begin : end]
        position = end
