"""What a font file says of itself: its families, and which characters it has glyphs for.

Reads TrueType and OpenType files and collections, two tables of them. Nothing is drawn here.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FACES_MAX = 64
"""Faces read of one collection."""
TABLES_MAX = 64
TABLE_BYTES_MAX = 4 << 20
NAMES_MAX = 4_000
"""Names read of one face; there are up to 26 in each of its languages."""
NAME_BYTES_MAX = 400
"""Of one family's name; longer ones are nobody's."""
_OUTLINES = {b"glyf", b"CFF ", b"CFF2"}
"""Without one of them a font has only pictures, which are no outlines to fill."""
_FAMILY, _TYPOGRAPHIC_FAMILY = 1, 16
_MAPS = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))
"""Platform and encoding of Unicode maps, the largest first."""


class NotAFont(ValueError):
    """The file is no font that can be read."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Code points, as ranges in order that do not touch each other; ends are included."""

    starts: array[int]
    ends: array[int]

    def has(self, character: int) -> bool:
        """Tell whether it is one of them."""
        at = bisect_right(self.starts, character) - 1
        return at >= 0 and character <= self.ends[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Give the ranges."""
        return zip(self.starts, self.ends, strict=True)


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Join ranges in any order."""
    starts, ends = array("I"), array("I")
    for start, end in sorted(ranges):
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        elif start <= end:
            starts.append(start)
            ends.append(end)
    return Ranges(starts, ends)


@dataclass(frozen=True, slots=True)
class Face:
    """One face: its families, and the characters that it has."""

    families: frozenset[str]
    covers: Ranges


def read(path: Path) -> tuple[Face, ...]:
    """Read all faces of a file that have outlines.

    Raises:
        NotAFont: it is none.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return read_from(file, path.name)


def read_from(file: BinaryIO, name: str) -> tuple[Face, ...]:
    """Read all faces of an open file; ``name`` is for the reason.

    Raises:
        NotAFont, OSError: as `read`.
    """
    try:
        maps: dict[tuple[int, int], Ranges] = {}  # faces of a collection share theirs
        faces = [_face(file, offset, maps) for offset in _offsets(file)]
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise NotAFont(f"{name} is no font: {error}") from error
    return tuple(face for face in faces if face is not None)


def _take(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(min(size, TABLE_BYTES_MAX))


def _offsets(file: BinaryIO) -> list[int]:
    tag, _, count = struct.unpack(">4sII", _take(file, 0, 12))
    if tag == b"ttcf":
        count = min(count, FACES_MAX)
        return list(struct.unpack(f">{count}I", _take(file, 12, 4 * count)))
    if tag not in (b"\0\1\0\0", b"OTTO", b"true"):
        raise struct.error("no font begins so")
    return [0]


def _face(file: BinaryIO, offset: int, maps: dict[tuple[int, int], Ranges]) -> Face | None:
    (count,) = struct.unpack(">H", _take(file, offset + 4, 2))
    count = min(count, TABLES_MAX)
    entries = struct.iter_unpack(">4sIII", _take(file, offset + 12, 16 * count))
    tables = {tag: (at, size) for tag, _, at, size in entries}
    if not _OUTLINES & tables.keys() or not {b"name", b"cmap"} <= tables.keys():
        return None
    families = frozenset(_families(_take(file, *tables[b"name"])))
    place = tables[b"cmap"]
    if place not in maps:
        maps[place] = joined(_ranges(_take(file, *place)))
    return Face(families, maps[place])


def _families(table: bytes) -> Iterator[str]:
    _, count, storage = struct.unpack_from(">HHH", table)
    for index in range(min(count, NAMES_MAX)):
        entry = struct.unpack_from(">HHHHHH", table, 6 + 12 * index)
        platform, encoding, _, name, size, at = entry
        if name not in (_FAMILY, _TYPOGRAPHIC_FAMILY) or size > NAME_BYTES_MAX:
            continue
        text = table[storage + at : storage + at + size]
        if platform in (0, 3):
            yield text.decode("utf-16-be")
        elif (platform, encoding) == (1, 0):
            yield text.decode("mac-roman")


def _ranges(table: bytes) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">H", table, 2)
    found = {}
    for index in range(count):
        platform, encoding, at = struct.unpack_from(">HHI", table, 4 + 8 * index)
        found[platform, encoding] = at
    for kind in _MAPS:
        if kind not in found:
            continue
        at = found[kind]
        (version,) = struct.unpack_from(">H", table, at)
        if version == 12:
            yield from _groups(table, at)
            return
        if version == 4:
            yield from _segments(table, at)
            return


def _groups(table: bytes, at: int) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", table, at + 12)
    entries = table[at + 16 : at + 16 + 12 * count]
    for start, end, glyph in struct.iter_unpack(">III", entries):
        if glyph or end > start:
            yield start, end


def _segments(table: bytes, at: int) -> Iterator[tuple[int, int]]:
    (doubled,) = struct.unpack_from(">H", table, at + 6)
    count, ends_at = doubled // 2, at + 14
    ends = struct.unpack_from(f">{count}H", table, ends_at)
    starts = struct.unpack_from(f">{count}H", table, ends_at + doubled + 2)
    offsets_at = ends_at + 3 * doubled + 2
    offsets = struct.unpack_from(f">{count}H", table, offsets_at)
    last = -1
    for index, (begin, end, offset) in enumerate(zip(starts, ends, offsets, strict=True)):
        # They come in order. What lies in an earlier one is not read again: this has to end.
        start, last = max(begin, last + 1), max(end, last)
        if start == 0xFFFF or start > end:
            continue
        if not offset:
            yield start, end
            continue
        first = offsets_at + 2 * index + offset + 2 * (start - begin)
        glyphs = struct.unpack_from(f">{end - start + 1}H", table, first)
        yield from ((start + step, start + step) for step, glyph in enumerate(glyphs) if glyph)
