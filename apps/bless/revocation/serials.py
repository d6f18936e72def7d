"""Sets of serial numbers as sorted ranges, and the cheapest way to write them in a KRL. Pure.

A serial costs 8 bytes in the list, a range 21 as a section of its own, and a bitmap one bit for
each number that it spans and 18 bytes around. Which is chosen depends on the numbers alone, so the
same set always has the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Range = tuple[int, int]
"""From, to; both are in it."""

SERIAL_MAX = 0xFFFF_FFFF_FFFF_FFFF
BITMAP_BITS_MAX = 1 << 20
"""Of what is written here; others may write longer ones."""

_LISTED_BITS = 8 * 8
_RANGE_BITS = 21 * 8
_BITMAP_BITS = 18 * 8
_ONES = re.compile("1+")


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Sorted, without overlap, neighbours joined.

    Raises:
        ValueError: a range is no range of serials, or has 0 in it, which OpenSSH cannot revoke.
    """
    found: list[Range] = []
    last = -1
    for low, high in sorted(ranges):
        if not 0 < low <= high <= SERIAL_MAX:
            raise ValueError(f"{low} to {high} are no serials: they are 1 to {SERIAL_MAX}")
        if low > last + 1 or not found:
            found.append((low, high))
            last = high
        elif high > last:
            found[-1] = (found[-1][0], high)
            last = high
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Written:
    """How a set is written: serials one by one, ranges, and bitmaps (offset, bits)."""

    listed: tuple[int, ...]
    ranges: tuple[Range, ...]
    bitmaps: tuple[tuple[int, int], ...]


def written(ranges: tuple[Range, ...]) -> Written:
    """The cheapest way to write merged ranges."""
    listed: list[int] = []
    alone: list[Range] = []
    bitmaps: list[tuple[int, int]] = []
    begin = 0
    for end in range(1, len(ranges) + 1):
        # A bitmap across such a gap would be cheaper as two, so each side is looked at alone.
        if end < len(ranges) and ranges[end][0] - ranges[end - 1][1] <= _BITMAP_BITS:
            continue
        if end - begin == 1 and ranges[begin][0] == ranges[begin][1]:
            listed.append(ranges[begin][0])  # as nearly all are where serials are by chance
        else:
            for group, dense in _grouped(ranges[begin:end]):
                _put(group, listed, alone, None if not dense else bitmaps)
        begin = end
    return Written(tuple(listed), tuple(alone), tuple(bitmaps))


def _put(
    group: tuple[Range, ...],
    listed: list[int],
    alone: list[Range],
    bitmaps: list[tuple[int, int]] | None,
) -> None:
    if bitmaps is not None:
        bitmaps.append((group[0][0], _bits(group)))
        return
    for low, high in group:
        if _one_by_one(low, high):
            listed += range(low, high + 1)
        else:
            alone.append((low, high))


def _one_by_one(low: int, high: int) -> bool:
    return (high - low + 1) * _LISTED_BITS < _RANGE_BITS


def _grouped(ranges: tuple[Range, ...]) -> list[tuple[tuple[Range, ...], bool]]:
    """Consecutive ranges, and whether they share a bitmap: the shortest path through both.

    For each range the costs of two endings are kept: it is outside of a bitmap, or it is the last
    in one. A bitmap that is full (`BITMAP_BITS_MAX`) ends.
    """
    outside = inside = 0
    begin = 0  # of the bitmap in which `inside` ends
    opened: list[tuple[bool, bool, int]] = []  # best before was inside; joined; begin
    for at, (low, high) in enumerate(ranges):
        before_inside = at > 0 and inside < outside
        before = min(inside, outside) if at else 0
        single = min((high - low + 1) * _LISTED_BITS, _RANGE_BITS)
        length = high - low + 1
        fresh = before + _BITMAP_BITS + length if length <= BITMAP_BITS_MAX else None
        joined = None
        if at and high - ranges[begin][0] < BITMAP_BITS_MAX:
            joined = inside + high - ranges[at - 1][1]
        joins = joined is not None and (fresh is None or joined <= fresh)
        if not joins:
            begin = at
        opened.append((before_inside, joins, begin))
        outside = before + single
        told = joined if joins else fresh
        inside = outside + 1 if told is None else told
    return _walked(ranges, opened, ended_inside=inside < outside)


def _walked(
    ranges: tuple[Range, ...], opened: list[tuple[bool, bool, int]], *, ended_inside: bool
) -> list[tuple[tuple[Range, ...], bool]]:
    """Follow the choices back from the end."""
    found: list[tuple[tuple[Range, ...], bool]] = []
    end, inside = len(ranges), ended_inside
    while end:
        begin = opened[end - 1][2] if inside else end - 1
        found.append((ranges[begin:end], inside))
        inside = opened[begin][0]
        end = begin
    return found[::-1]


def _bits(group: tuple[Range, ...]) -> int:
    offset = group[0][0]
    bits = bytearray(b"0") * (group[-1][1] - offset + 1)
    for low, high in group:
        bits[low - offset : high - offset + 1] = b"1" * (high - low + 1)
    return int(bits[::-1], 2)


def runs(bits: int) -> int:
    """How many ranges a bitmap says, without making them."""
    return (bits & ~(bits << 1)).bit_count()


def unpacked(offset: int, bits: int) -> list[Range]:
    """The ranges that a bitmap says."""
    told = f"{bits:b}"[::-1]
    return [(offset + one.start(), offset + one.end() - 1) for one in _ONES.finditer(told)]
