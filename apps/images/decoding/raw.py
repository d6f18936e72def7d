"""The picture that a camera puts into its raw file: a JPEG as it would have made it itself. Pure.

Raw data are not developed: that is a matter of taste and of seconds. Found in TIFF directories
(TIFF 6.0, section 2; DNG 1.7: SubIFDs), in Fuji's header, in Canon's CR3 and Panasonic's RW2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import refusals

DIRECTORIES_MAX = 40
ENTRIES_MAX = 1_000
_SUB, _STRIPS, _STRIP_BYTES, _JPEG, _JPEG_BYTES, _RW2 = 0x14A, 0x111, 0x117, 0x201, 0x202, 0x2E
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4}
_START = b"\xff\xd8\xff"
_ORDERS = {b"II": "<", b"MM": ">"}
PREVIEWS_MAX = 20


def preview(data: bytes) -> bytes:
    """Give the largest JPEG in it.

    Raises:
        Refusal: 422; there is none.
    """
    found = max(_previews(data), key=len, default=b"")
    if not found:
        raise refusals.unusable(
            "no_preview", "the camera's raw file has no picture in it that could be shown"
        )
    return found


def _previews(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"FUJIFILMCCD-RAW") and len(data) >= 92:
        at, size = struct.unpack_from(">II", data, 84)
        yield from _jpeg(data, at, size)
    elif data[4:12] == b"ftypcrx ":
        yield from _in_boxes(data)
    elif data[:2] in _ORDERS:
        for tags in _directories(data):
            for start, size in ((_JPEG, _JPEG_BYTES), (_STRIPS, _STRIP_BYTES)):
                if len(tags.get(start, ())) == 1 == len(tags.get(size, ())):
                    yield from _jpeg(data, tags[start][0], tags[size][0])
            if _RW2 in tags:
                at = data.find(_START)
                yield from _jpeg(data, at, len(data) - at)


def _jpeg(data: bytes, at: int, size: int) -> Iterator[bytes]:
    if 0 <= at < len(data) and data.startswith(_START, at) and not _is_lossless(data, at):
        yield data[at : at + size]


def _is_lossless(data: bytes, at: int) -> bool:
    """Tell whether it is raw data in JPEG's lossless way: its frame comes first (SOF3)."""
    return data.find(b"\xff\xc3", at, at + 4_096) >= 0 and data.find(b"\xff\xc0", at, at + 700) < 0


def _in_boxes(data: bytes) -> Iterator[bytes]:
    """Find Canon's full-size preview: the JPEGs of a CR3 lie open in it."""
    at = -1
    for _ in range(PREVIEWS_MAX):
        at = data.find(_START, at + 1)
        if at < 0:
            return
        end = data.find(b"\xff\xd9", at)
        yield from _jpeg(data, at, (end + 2 if end > 0 else len(data)) - at)


def _directories(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Read the directories' whole numbers, those below others too."""
    order = _ORDERS[data[:2]]
    waiting = [struct.unpack_from(order + "I", data, 4)[0]] if len(data) >= 8 else []
    seen: set[int] = set()
    while waiting and len(seen) < DIRECTORIES_MAX:
        at = waiting.pop()
        if at in seen or not 0 < at <= len(data) - 2:
            continue
        seen.add(at)
        count = min(struct.unpack_from(order + "H", data, at)[0], ENTRIES_MAX)
        tags = {}
        for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
            tags[tag] = _numbers(data, order, entry + 8, kind, number)
        waiting += tags.get(_SUB, ())
        behind = at + 2 + 12 * count
        if behind + 4 <= len(data):
            waiting.append(struct.unpack_from(order + "I", data, behind)[0])
        yield tags


def _numbers(data: bytes, order: str, at: int, kind: int, number: int) -> tuple[int, ...]:
    size = _SIZES.get(kind, 0)
    if kind not in (3, 4, 13) or not 0 < number <= PREVIEWS_MAX:
        return ()
    if size * number > 4:
        (at,) = struct.unpack_from(order + "I", data, at)
    if at + size * number > len(data):
        return ()
    return struct.unpack_from(f"{order}{number}{'H' if kind == 3 else 'I'}", data, at)
