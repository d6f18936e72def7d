"""Reads a JPEG's markers, to show that two encoders were asked for the same work.

Source: ITU-T T.81 (JPEG), annexes B and K. Only the headers are read; no pixel is decoded.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

_SOI, _EOI, _SOS, _DQT, _DHT = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4
_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_STANDARD_DC_LUMA = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
"""Code counts by length of the typical luminance DC table, T.81 table K.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a JPEG's markers say.

    ``sampling`` is the luma factor by the usual name; ``tables`` a short hash of all DQT values;
    ``optimised`` says that the Huffman tables were made for this picture; ``metadata_bytes`` counts
    APP and COM segments.
    """

    width: int
    height: int
    frame: str
    components: int
    sampling: str
    tables: str
    optimised: bool
    scans: int
    metadata_bytes: int

    @property
    def effort(self) -> tuple[str, int, str, str, bool, int]:
        """What must be equal for a fair comparison."""
        return (
            self.frame,
            self.components,
            self.sampling,
            self.tables,
            self.optimised,
            self.scans,
        )


@dataclass(slots=True)
class _Seen:
    frame: str = ""
    size: tuple[int, int] = (0, 0)
    factors: tuple[int, ...] = ()
    tables: bytes = b""
    standard_huffman: bool = False
    scans: int = 0
    metadata_bytes: int = 0


def read(data: bytes) -> Facts:
    """Read the facts of a JPEG.

    Raises:
        ValueError: it is none, or is cut off before its first scan.
    """
    if data[:2] != bytes([0xFF, _SOI]):
        raise ValueError("not a JPEG")
    seen = _Seen()
    position = 2
    while (found := _next_marker(data, position)) is not None:
        marker, position = found
        if marker == _EOI:
            break
        if marker in _STANDALONE:
            continue
        (length,) = struct.unpack_from("!H", data, position)
        _note(seen, marker, data[position + 2 : position + length])
        position += length
    if not seen.frame or not seen.scans:
        raise ValueError("no frame or no scan in this JPEG")
    return Facts(
        width=seen.size[0],
        height=seen.size[1],
        frame=seen.frame,
        components=len(seen.factors),
        sampling=_sampling(seen.factors),
        tables=hashlib.sha256(seen.tables).hexdigest()[:8],
        optimised=not seen.standard_huffman,
        scans=seen.scans,
        metadata_bytes=seen.metadata_bytes,
    )


def _next_marker(data: bytes, position: int) -> tuple[int, int] | None:
    """Find the next marker at or after ``position``, skipping entropy-coded data and stuffing."""
    while (position := data.find(b"\xff", position)) != -1 and position + 1 < len(data):
        code = data[position + 1]
        if code not in (0x00, 0xFF) and not 0xD0 <= code <= 0xD7:
            return code, position + 2
        position += 1
    return None


def _note(seen: _Seen, marker: int, segment: bytes) -> None:
    if marker in _FRAMES:
        seen.frame = _FRAMES[marker]
        _, height, width, count = struct.unpack_from("!BHHB", segment)
        seen.size = (width, height)
        seen.factors = tuple(segment[7 + 3 * index] for index in range(count))
    elif marker == _DQT:
        seen.tables += segment
    elif marker == _DHT and segment[0] == 0 and segment[1:17] == _STANDARD_DC_LUMA:
        seen.standard_huffman = True
    elif marker == _SOS:
        seen.scans += 1
    elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
        seen.metadata_bytes += len(segment) + 4


def _sampling(factors: tuple[int, ...]) -> str:
    names = {0x11: "4:4:4", 0x21: "4:2:2", 0x22: "4:2:0", 0x12: "4:4:0"}
    if len(factors) == 1:
        return "grey"
    return names.get(factors[0], f"{factors[0]:#x}")
