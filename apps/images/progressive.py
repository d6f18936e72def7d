"""Leaves out of a progressive JPEG what a decoder would not show. Pure.

At 1/8 a block becomes one sample, its DC coefficient alone; yet libjpeg reads every scan, and most
bytes of a large progressive file are AC scans. `slim` copies the file without the AC scans of
components of full resolution. In their place comes one scan that says "all zero": without it
libjpeg would take the file for one still arriving and smooth it. What is decoded at 1/8 is the same
to the bit; tests hold that. (ITU-T T.81, annex G; a subsampled component is decoded at 2/8, so its
scans stay.)

At larger scales every scan counts, but of a file with fine steps the last bits count little and are
many: `coarse` leaves them out, which nobody sees (tests hold that, by SSIMULACRA2) but a computer
does. So it is for pictures that need only look the same.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SCANS_MAX = 1_000
STEP_MAX = 4
"""Of samples in 255: quantisation as fine as this, or the last bits would be seen."""
_STEPS_LOOK = 16
"""So many of a table's steps matter at half size and below (in zigzag order, T.81, A.3.6)."""
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # inside a scan only these stand unescaped
_TEM, _SOI, _EOI, _SOS, _DNL, _DQT = 0x01, 0xD8, 0xD9, 0xDA, 0xDC, 0xDB
_PROGRESSIVE = 0xC2
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RUN_BITS_MAX = 14
_NO_RESTARTS = b"\xff\xdd\x00\x04\x00\x00"
# A Huffman table (class AC, number 0) of the fifteen end-of-band runs, each in four bits.
_RUN_TABLE = (
    b"\xff\xc4\x00\x22\x10" + bytes((0, 0, 0, 15, *[0] * 12)) + bytes(r << 4 for r in range(15))
)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Size in samples, and (identifier, horizontal, vertical sampling, table) of each component."""

    width: int
    height: int
    components: tuple[tuple[int, int, int, int], ...]

    def full(self) -> list[int]:
        """Identifiers of the components of full resolution."""
        across = max(each[1] for each in self.components)
        down = max(each[2] for each in self.components)
        return [name for name, *sampling, _ in self.components if sampling == [across, down]]

    def blocks(self) -> int:
        """Blocks of 8x8 in a component of full resolution, as a scan of it alone counts them."""
        return -(-self.width // 8) * -(-self.height // 8)


@dataclass(slots=True)
class _Told:
    """What a file has told so far: its frame, and each table's largest step that matters."""

    frame: _Frame | None = None
    steps: dict[int, int] = field(default_factory=dict)
    scans: int = 0
    dropped: int = 0


_Needed = Callable[[bytes, _Frame, dict[int, int]], bool]
"""Whether a scan is needed: by its header, the frame, and the tables' steps."""


def slim(data: bytes) -> bytes | None:
    """Return a shorter file that decodes alike at scale 1/8; None when this one is not for it."""
    kept, told = _copied(data, _is_needed)
    return _finished(kept, told.frame) if kept and told.frame is not None else None


def coarse(data: bytes) -> bytes | None:
    """Return a shorter file that looks alike at half size and below; None when there is none."""
    kept, told = _copied(data, _shows)
    return b"".join((*kept, b"\xff\xd9")) if kept and told.dropped else None


def _copied(data: bytes, needed: _Needed) -> tuple[list[bytes], _Told]:
    """Copy a file up to its end but for the scans that are not needed; nothing if it is odd."""
    told = _Told()
    kept = [b"\xff\xd8"]
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, body = data[found.end() - 1], found.end()
        if marker == _EOI:
            return (kept, told) if told.scans else ([], told)
        end = body + int.from_bytes(data[body : body + 2], "big")
        if end <= body + 2 or end > len(data) or marker in (_TEM, _SOI, _DNL):
            break  # a marker without a length, or a height told late
        if not _tell(told, marker, data[body + 2 : end]):
            break
        position = end
        if marker == _SOS:
            following = _MARKER.search(data, end)
            if told.frame is None or following is None or told.scans > SCANS_MAX:
                break
            position = following.start()
            if not needed(data[body + 2 : end], told.frame, told.steps):
                told.dropped += 1
                continue
        kept.append(data[found.start() : position])
    return [], told  # it is odd, or ends too early: that is for a decoder to say


def _tell(told: _Told, marker: int, segment: bytes) -> bool:
    """Note what a segment says; False if the file is for a decoder to judge."""
    if marker in _FRAMES:
        if told.frame is not None or marker != _PROGRESSIVE:
            return False  # two frames
        told.frame = _frame(segment)
        return told.frame is not None
    if marker == _DQT:
        _note_steps(told.steps, segment)
    told.scans += marker == _SOS
    return True


def _note_steps(steps: dict[int, int], segment: bytes) -> None:
    """Note the largest of each table's first steps (T.81, B.2.4.1), of two the larger."""
    at = 0
    while at < len(segment):
        wide, table = segment[at] >> 4, segment[at] & 15
        size = 128 if wide else 64
        values = segment[at + 1 : at + 1 + size]
        first = values[: _STEPS_LOOK * (2 if wide else 1)]
        if len(values) < size:
            largest = 0xFFFF
        else:
            largest = max(struct.unpack(f">{_STEPS_LOOK}H", first) if wide else first)
        steps[table] = max(steps.get(table, 0), largest)
        at += 1 + size


def _frame(segment: bytes) -> _Frame | None:
    precision, height, width, count = struct.unpack_from(">BHHB", segment.ljust(6, b"\0"))
    if precision != 8 or not width or not height or len(segment) != 6 + 3 * count or not count:
        return None
    triples = [segment[at : at + 3] for at in range(6, len(segment), 3)]
    components = tuple((each[0], each[1] >> 4, each[1] & 15, each[2]) for each in triples)
    return _Frame(width, height, components)


def _shows(header: bytes, frame: _Frame, steps: dict[int, int]) -> bool:
    """Whether a scan holds more than the last bits of AC coefficients with fine steps."""
    if len(header) != 6 or header[0] != 1 or header[3] == 0 or header[5] != 0x10:
        return True
    tables = [table for name, _, _, table in frame.components if name == header[1]]
    return not tables or any(steps.get(table, 0xFFFF) > STEP_MAX for table in tables)


def _is_needed(header: bytes, frame: _Frame, _steps: dict[int, int]) -> bool:
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
