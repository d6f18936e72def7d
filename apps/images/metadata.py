"""What is written beside the pixels: nothing, who owns them, or all that the source has.

EXIF as in CIPA DC-008 (4.6.2: directories; 4.6.5: artist and copyright). Reads the source's header
once more, and only where a recipe asks for any of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pyvips

import decode
from decoding import foreign
from ops.output import Output

_BLOBS = ("exif-data", "xmp-data", "iptc-data")
_EXIF = b"Exif\0\0"
_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_TEXT = 2
VALUE_MAX = 4_096
"""Bytes of one text that are kept."""


def fields(data: bytes, kind: str, out: Output) -> Mapping[str, Any]:
    """Give what the recipe wants of a source's metadata, in libvips' names.

    Nothing where libvips has no loader for the kind. The orientation is said to be upright where
    the pixels are.

    Raises:
        Refusal: 422; the header cannot be read.
    """
    if out.meta == "none" or kind in foreign.KINDS:
        return {}
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on=decode.fail_on(kind))
        names = set(image.get_fields())
        found = {name: image.get(name) for name in _BLOBS if name in names}
    except pyvips.Error as error:
        raise decode.refused(error) from error
    if out.meta == "copyright":
        owners = copyright_only(found.get("exif-data", b""))
        return {"exif-data": owners, "orientation": 1} if owners else {}
    if "exif-data" in found:
        upright = out.upright or "orientation" not in names
        found["orientation"] = 1 if upright else image.get("orientation")
    return found


def copyright_only(exif: bytes) -> bytes:
    """Make an EXIF block that has only the artist and the copyright; empty if there is neither."""
    tiff = exif.removeprefix(_EXIF)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return b""
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    if at + 2 > len(tiff):
        return b""
    (entries,) = struct.unpack_from(order + "H", tiff, at)
    texts: dict[int, bytes] = {}
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, entry)
        if tag in (_ARTIST, _COPYRIGHT) and kind == _TEXT and count <= VALUE_MAX:
            start = entry + 8 if count <= 4 else struct.unpack_from(order + "I", tiff, entry + 8)[0]
            texts[tag] = tiff[start : start + count].rstrip(b"\0")
    return _block([(tag, texts[tag]) for tag in sorted(texts) if texts[tag]])


def _block(texts: list[tuple[int, bytes]]) -> bytes:
    """Write one directory of texts."""
    if not texts:
        return b""
    behind = 8 + 2 + 12 * len(texts) + 4
    entries, values = b"", b""
    for tag, plain in texts:
        text = plain + b"\0"
        if len(text) <= 4:
            entries += struct.pack("<HHI4s", tag, _TEXT, len(text), text)
        else:
            entries += struct.pack("<HHII", tag, _TEXT, len(text), behind + len(values))
            values += text + b"\0" * (len(text) % 2)
    head = _EXIF + b"II*\0" + struct.pack("<IH", 8, len(texts))
    return head + entries + b"\0\0\0\0" + values
