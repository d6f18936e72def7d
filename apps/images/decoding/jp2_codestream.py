"""What a JPEG 2000 codestream says of itself, and what decoding it would hold. Pure.

A few bytes can ask for tens of millions of code-blocks, precincts or tiles, all of which a decoder
builds before it looks at any of them. Here they are counted, walking the markers as OpenJPEG does,
so that both see the same. Markers: ISO/IEC 15444-1, annex A; how a tile is divided: annex B.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

TILES_MAX = 4_096
TILE_PARTS_MAX = 16_384
MARKERS_MAX = 256
"""In the file's header, and in that of each tile-part."""
STYLES_MAX = 64
HEADER_BYTES_MAX = 4 << 20
PACKETS_MAX = 4_000_000
"""Of all tiles: each takes time, however short it is."""
COMPONENTS_MAX = 4
LEVELS_MAX = 32
PRECINCT_BYTES = 300
BLOCK_BYTES = 450
TILE_BYTES = 12_000
"""What a decoder holds for each of them, by measure and rounded up."""
BEGIN = b"\xff\x4f\xff\x51"
_COD, _COC, _SOT, _SOD = 0xFF52, 0xFF53, 0xFF90, 0xFF93
_SIZ_LEAST = 45
_KNOWN = frozenset({
    _COD, _COC, _SOT, 0xFF50, 0xFF55, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F,
    0xFF60, 0xFF61, 0xFF63, 0xFF64, 0xFF74, 0xFF75, 0xFF77, 0xFF78,
})  # fmt: skip
"""What OpenJPEG knows; past all else it looks for the next of these, two bytes at a time."""
_WHOLE = 15
"""A precinct's exponent where none is said: the whole resolution."""
_PRECINCTS_SAID = 1


class Odd(ValueError):
    """It is damaged: why."""


class Excessive(Odd):
    """It is more than a limit of this file allows: which."""


@dataclass(frozen=True, slots=True)
class _Style:
    """How often a component is halved, and in what it is divided, as exponents of two.

    ``precincts`` are for each resolution, the smallest first: across and down.
    """

    levels: int
    block: tuple[int, int]
    precincts: tuple[tuple[int, int], ...]

    def parts(self, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Count precincts and code-blocks of a tile of that size, resolution by resolution."""
        for number in range(self.levels + 1):
            bands, times = (3, self.levels - number + 1) if number else (1, self.levels)
            exponents = self.precincts[number] if number < len(self.precincts) else (_WHOLE, _WHOLE)
            precincts = blocks = 1
            for side, exponent, block in zip(size, exponents, self.block, strict=True):
                inner = max(0, exponent - bool(number))
                precincts *= 1 + (side >> times >> inner)
                blocks *= 1 + (side >> times >> min(inner, block))
            yield precincts, bands * blocks


@dataclass(slots=True)
class _Told:
    """All styles that any of its markers tells, and the most layers."""

    styles: set[_Style] = field(default_factory=set)
    layers: int = 1

    def note(self, marker: int, body: bytes, components: int) -> None:
        """Take in a marker (tables A.12 to A.23).

        Raises:
            Odd: it is damaged.
        """
        if marker == _COD:
            self.layers = max(self.layers, int.from_bytes(body[1:3], "big"))
            said, style = body[:1], body[5:]
        elif marker == _COC:
            before = 1 if components < 257 else 2
            said, style = body[before : before + 1], body[before + 1 :]
        else:
            return
        if len(style) < 5 or style[0] > LEVELS_MAX:
            raise Odd("it does not say how it is divided")
        sizes = style[5 : 6 + style[0]] if said[0] & _PRECINCTS_SAID else b""
        self.styles.add(_Style(
            style[0], ((style[1] & 15) + 2, (style[2] & 15) + 2),
            tuple((size & 15, size >> 4) for size in sizes),
        ))  # fmt: skip
        if len(self.styles) > STYLES_MAX:
            raise Excessive(f"it is divided in more than {STYLES_MAX} ways")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codestream:
    """What decides how it is decoded.

    ``size`` is in pixels; ``levels`` is how often all of it may be halved; ``bytes_held`` is what
    is held beside the samples while it is decoded.
    """

    size: tuple[int, int]
    levels: int
    bytes_held: int


def read(data: bytes) -> Codestream:
    """Read a codestream's markers, up to its last tile-part.

    Raises:
        Odd: it is damaged, or over a limit of this file.
    """
    if data[:4] != BEGIN or len(data) < _SIZ_LEAST:
        raise Odd("there is no codestream")
    length, _, x1, y1, x0, y0, w, h, tx, ty, count = struct.unpack_from(">HHIIIIIIIIH", data, 4)
    if not 1 <= count <= COMPONENTS_MAX or length != 38 + 3 * count:
        raise Odd(f"it has more than {COMPONENTS_MAX} components, or none")
    if x1 <= x0 or y1 <= y0 or not w or not h or tx > x0 or ty > y0:
        raise Odd("it declares no size, or no tiles")
    tiles = -(-(x1 - tx) // w) * -(-(y1 - ty) // h)
    if tiles > TILES_MAX:
        raise Excessive(f"it has more than {TILES_MAX} tiles")
    told = _Told()
    _read_tile_parts(data, _read_main(data, 4 + length, told, count), told, count)
    if not told.styles:
        raise Odd("it does not say how it is divided")
    held, packets = _divided((min(w, x1), min(h, y1)), told, count)
    if tiles * packets > PACKETS_MAX:
        raise Excessive(f"it has more than {PACKETS_MAX} packets")
    levels = min(style.levels for style in told.styles)
    if x0 or y0 or tx or ty:
        levels = 0  # Pillow does not decode them at less than their size
    while levels and not (_stay(x1, w, levels) and _stay(y1, h, levels)):
        levels -= 1
    return Codestream(size=(x1 - x0, y1 - y0), levels=levels, bytes_held=held + tiles * TILE_BYTES)


def _stay(side: int, tile: int, halvings: int) -> bool:
    """Tell whether every tile has a pixel after so many halvings: Pillow refuses the others."""
    edges = [-(-edge >> halvings) for edge in (*range(0, side, tile), side)]
    return all(begin < end for begin, end in itertools.pairwise(edges))


def _divided(size: tuple[int, int], told: _Told, components: int) -> tuple[int, int]:
    """Give the bytes that are held of one tile at the worst, and its packets."""
    held = packets = 0
    for style in told.styles:
        parts = list(style.parts(size))
        most = max(precincts for precincts, _ in parts)
        seen = 2 * told.layers * len(parts) * most
        each = sum(3 * PRECINCT_BYTES * some + BLOCK_BYTES * blocks for some, blocks in parts)
        held = max(held, components * (each + seen))
        packets = max(packets, components * told.layers * sum(some for some, _ in parts))
    return held, packets


def _read_main(data: bytes, position: int, told: _Told, components: int) -> int:
    """Read the markers before the first tile-part; give its place."""
    for _ in range(MARKERS_MAX):
        marker = _number(data, position)
        while marker not in _KNOWN:
            position += 2
            if position > len(data) - 2 or position > HEADER_BYTES_MAX:
                raise Odd("its header has no end")
            marker = _number(data, position)
        if marker == _SOT:
            return position
        position = _take(data, position, told, components)
    raise Excessive(f"its header has more than {MARKERS_MAX} markers")


def _read_tile_parts(data: bytes, position: int, told: _Told, components: int) -> None:
    """Read the headers of all tile-parts; one that is cut off is the last."""
    for _ in range(TILE_PARTS_MAX):
        if _number(data, position) != _SOT or position + 12 > len(data):
            return
        length = int.from_bytes(data[position + 6 : position + 10], "big")
        inner = position + 12
        for _ in range(MARKERS_MAX):
            if _number(data, inner) == _SOD or inner > len(data) - 4:
                break
            inner = _take(data, inner, told, components)
        else:
            raise Excessive(f"a tile-part has more than {MARKERS_MAX} markers")
        if not length:
            return
        position += max(length, 12)
    raise Excessive(f"it has more than {TILE_PARTS_MAX} tile-parts")


def _take(data: bytes, position: int, told: _Told, components: int) -> int:
    """Note what a marker tells; give the place of the next."""
    length = _number(data, position + 2)
    if length < 2:
        raise Odd("a marker has no length")
    told.note(_number(data, position), data[position + 4 : position + 2 + length], components)
    return position + 2 + length


def _number(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "big")
