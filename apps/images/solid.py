"""A picture of one colour that needs no file: the source whose files are colours. Pure.

One pixel of PNG, so that everything behind sees a picture like any other.
"""

from __future__ import annotations

import struct
import zlib

import colours
import original
import refusals

NAME = "~color"
"""No configured source can have this name, as those of addresses."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGBA = 6


def path(colour: colours.Colour) -> str:
    """Give the path of a colour."""
    return colours.spell(colour)


def open_file(text: str) -> Solid:
    """Open the file of a path.

    Raises:
        Refusal: 404; it is no colour in its one spelling.
    """
    colour = colours.parse(text)
    if colour is None or colours.spell(colour) != text:
        raise refusals.not_found()
    header = struct.pack(">IIBBBBB", 1, 1, 8, _RGBA, 0, 0, 0)
    pixel = zlib.compress(b"\0" + bytes(colour))
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", pixel) + _chunk(b"IEND", b"")
    return Solid(text, _SIGNATURE + chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Solid:
    """A found file of one colour."""

    def __init__(self, text: str, data: bytes) -> None:
        """Hold a colour's file; nothing is open."""
        self.revision: str | None = text
        self.modified: float | None = None
        self._data = data

    def read(self) -> original.Original:
        """Give all of it."""
        return original.Original(data=self._data, revision=str(self.revision), modified=None)

    def beginning(self, size: int) -> bytes:
        """Give the first ``size`` bytes."""
        return self._data[:size]

    def close(self) -> None:
        """Hold nothing."""
