"""Leaves out of a progressive JPEG what a decoder at scale 1/8 never looks at. Pure.

At 1/8 a block becomes one sample, its DC coefficient alone; yet libjpeg reads every scan, and most
bytes of a large progressive file are AC scans. `slim` copies the file without the AC scans of
components of full resolution. In their place comes one scan that says "all zero": without it
libjpeg would take the file for one still arriving and smooth it. What is decoded at 1/8 is the same
to the bit; tests hold that. (ITU-T T.81, annex G; a subsampled component is decoded at 2/8, so its
scans stay.)
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

SCANS_MAX = 1_000
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # inside a scan only these stand unescaped
_TEM, _SOI, _EOI, _SOS, _DNL, _PROGRESSIVE = 0x01, 0xD8, 0xD9, 0xDA, 0xDC, 0xC2
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RUN_BITS_MAX = 14
_NO_RESTARTS = b"\xff\xdd\x00\x04\x00\x00"
# A Huffman table (class AC, number 0) of the fifteen end-of-band runs, each in four bits.
_RUN_TABLE = (
    b"\xff\xc4\x00\x22\x10" + bytes((0, 0, 0, 15, *[0] * 12)) + bytes(r << 4 for r in range(15))
)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Size in samples, and (identifier, horizontal, vertical sampling) of each component."""

    width: int
    height: int
    components: tuple[tuple[int, int, int], ...]

    def full(self) -> list[int]:
        """Identifiers of the components of full resolution."""
        across = max(each[1] for each in self.components)
        down = max(each[2] for each in self.components)
        return [name for name, *sampling in self.components if sampling == [across, down]]

    def blocks(self) -> int:
        """Blocks of 8x8 in a component of full resolution, as a scan of it alone counts them."""
        return -(-self.width // 8) * -(-self.height // 8)


def slim(data: bytes) -> bytes | None:
    """Return a shorter file that decodes alike at scale 1/8; None when this one is not for it."""
    frame: _Frame | None = None
    kept = [b"\xff\xd8"]
    position, scans = 2, 0
    while (found := _MARKER.search(data, position)) is not None:
        marker, body = data[found.end() - 1], found.end()
        if marker == _EOI:
            return _finished(kept, frame) if frame is not None and scans else None
        end = body + int.from_bytes(data[body : body + 2], "big")
        if end <= body + 2 or end > len(data) or marker in (_TEM, _SOI, _DNL):
            return None  # a marker without a length, or a height told late
        if marker in _FRAMES:
            if frame is not None or marker != _PROGRESSIVE:
                return None  # two frames are for a decoder to judge
            frame = _frame(data[body + 2 : end])
            if frame is None:
                return None
        if marker == _SOS:
            scans += 1
            following = _MARKER.search(data, end)
            if frame is None or following is None or scans > SCANS_MAX:
                return None
            if _is_needed(data[body + 2 : end], frame):
                kept.append(data[found.start() : following.start()])
            position = following.start()
        else:
            kept.append(data[found.start() : end])
            position = end
    return None  # it ends too early: that is for a decoder to say


def _frame(segment: bytes) -> _Frame | None:
    precision, height, width, count = struct.unpack_from(">BHHB", segment.ljust(6, b"\0"))
    if precision != 8 or not width or not height or len(segment) != 6 + 3 * count or not count:
        return None
    triples = [segment[at : at + 3] for at in range(6, len(segment), 3)]
    components = tuple((each[0], each[1] >> 4, each[1] & 15) for each in triples)
    return _Frame(width, height, components)


def _is_needed(header: bytes, frame: _Frame) -> bool:
    """Whether a scan, by its header, holds DC coefficients or a subsampled component."""
    count = header[0] if header else 0
    if count != 1 or len(header) != 6:
        return True
    return header[3] == 0 or header[1] not in frame.full()


def _finished(kept: list[bytes], frame: _Frame) -> bytes:
    kept += [_NO_RESTARTS, _RUN_TABLE]
    zeros = _all_zero(frame.blocks())
    for name in frame.full():
        kept.append(b"\xff\xda\x00\x08\x01" + bytes((name, 0, 1, 63, 0)) + zeros)
    return b"".join((*kept, b"\xff\xd9"))


def _all_zero(blocks: int) -> bytes:
    """Entropy-coded data that says: the band is over for this many blocks (T.81, G.1.2.2)."""
    bits: list[str] = []
    while blocks:
        power = min(_RUN_BITS_MAX, blocks.bit_length() - 1)
        run = min(blocks, (2 << power) - 1)
        bits.append(f"{power:04b}" + (f"{run - (1 << power):0{power}b}" if power else ""))
        blocks -= run
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
