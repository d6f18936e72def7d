"""The size of a JPEG XL picture, from its first bytes. Pure.

ISO/IEC 18181-1, annex D.2 (SizeHeader: little-endian bits) and 18181-2 (the container's boxes).
"""

from __future__ import annotations

import refusals

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
STREAM = b"\xff\x0a"
BOXES_MAX = 50
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_BITS = (9, 13, 18, 30)


def size(data: bytes) -> tuple[int, int]:
    """Read width and height, as they lie in the file or turned.

    Raises:
        Refusal: 422; there is no codestream in it.
    """
    stream = _codestream(data)
    if not stream.startswith(STREAM) or len(stream) < 12:
        raise refusals.unusable("truncated", "the source ends before the picture does")
    bits = int.from_bytes(stream[2:12], "little")
    small, bits = bits & 1, bits >> 1
    height, bits = _side(bits, small=bool(small))
    ratio, bits = bits & 7, bits >> 3
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    width, _ = _side(bits, small=bool(small))
    return width, height


def _side(bits: int, *, small: bool) -> tuple[int, int]:
    if small:
        return ((bits & 31) + 1) * 8, bits >> 5
    count = _BITS[bits & 3]
    bits >>= 2
    return (bits & ((1 << count) - 1)) + 1, bits >> count


def _codestream(data: bytes) -> bytes:
    if not data.startswith(CONTAINER):
        return data[:12]
    at = len(CONTAINER)
    for _ in range(BOXES_MAX):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if name in (b"jxlc", b"jxlp"):
            skipped = at + head + (4 if name == b"jxlp" else 0)
            return data[skipped : skipped + 12]
        if length < head:
            break
        at += length
    return b""
