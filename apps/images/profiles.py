"""Is this colour profile sRGB already? Then pixels need no conversion. Pure.

ICC.1:2022, 7.2 (header), 7.3 (tag table), 10.15 and older 6.5.17 (description).
"""

from __future__ import annotations

import struct

_SRGB_NAMES = (b"sRGB", b"c2\0", b"GIMP built-in sRGB", b"Generic sRGB")
TAGS_MAX = 100


def is_rgb(icc: bytes) -> bool:
    """Tell whether a profile describes RGB, which is what pixels may stay in."""
    return icc[16:20] == b"RGB " and icc[36:40] == b"acsp" and len(icc) >= 132


def is_srgb(icc: bytes) -> bool:
    """Tell whether an RGB profile calls itself sRGB; a profile that cannot be read does not."""
    if icc[16:20] != b"RGB " or icc[36:40] != b"acsp" or len(icc) < 132:
        return False
    (count,) = struct.unpack_from(">I", icc, 128)
    for index in range(min(count, TAGS_MAX)):
        entry = icc[132 + 12 * index : 144 + 12 * index]
        if entry[:4] == b"desc" and len(entry) == 12:
            _, at, size = struct.unpack(">4sII", entry)
            return _description(icc[at : at + min(size, 200)]).startswith(_SRGB_NAMES)
    return False


def _description(tag: bytes) -> bytes:
    if tag[:4] == b"desc":
        return tag[12:]
    if tag[:4] == b"mluc" and len(tag) >= 28:
        size, at = struct.unpack_from(">II", tag, 20)
        return tag[at : at + size].decode("utf-16-be", "replace").encode() + b"\0"
    return b""
