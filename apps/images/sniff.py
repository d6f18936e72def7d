"""What kind of picture these bytes begin like, from their first bytes alone. Pure.

An allow-list: what is not known here is never shown to a decoder.
"""

from __future__ import annotations

import re
import struct

import refusals

NAMED = (
    "JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, HEIC, JPEG XL, JPEG 2000, BMP, ICO, PDF, raw or video"
)
HEAD_BYTES = 512
_SVG_BYTES = 2_048
"""Where a drawing's first element must be: before it may come comments and a document type."""
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_VIDEO_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  "}
)
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE\s+svg[^>[]*(?:\[.*?\]\s*)?>\s*)*"
    rb"<(?:\w+:)?svg[\s>/]",
    re.DOTALL | re.IGNORECASE,
)
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_MAKE, _REDUCED, _SUB, _DNG = 0x10F, 0xFE, 0x14A, 0xC612
_ENTRIES_MAX = 200


def kind(data: bytes) -> str:
    """Name the kind: ``jpg``, ``png``, ``webp``, ``gif``, ``tiff``, ``avif``, ``svg`` and so on.

    ``avis`` is an AVIF of several frames.

    Raises:
        Refusal: 422; it is something else. Kinds that people expect are named in the reason.
    """
    head = data[:HEAD_BYTES]
    for name, matches in (
        ("jpg", head[:3] == b"\xff\xd8\xff"),
        ("png", head[:8] == b"\x89PNG\r\n\x1a\n"),
        ("webp", head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
        ("gif", head[:6] in (b"GIF87a", b"GIF89a")),
        ("raw", head.startswith(_RAW_STARTS) or head[8:12] == b"CR\x02\0"),
        ("raw", head[:4] in (b"II*\0", b"MM\0*") and _is_raw(data)),
        ("tiff", head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        ("pdf", head[:5] == b"%PDF-"),
        ("jxl", head[:2] == b"\xff\x0a" or head[:12] == b"\0\0\0\x0cJXL \r\n\x87\n"),
        ("jp2", head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51"),
        ("bmp", head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and _is_bmp(head)),
        ("ico", head[:4] == b"\0\0\1\0" and 0 < int.from_bytes(head[4:6], "little") <= 256),
        ("webm", head[:4] == b"\x1aE\xdf\xa3"),
    ):
        if matches:
            return name
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if _SVG.match(data[:_SVG_BYTES]):
        return "svg"
    if not head:
        raise refusals.unusable("not_an_image", "the source is empty")
    raise refusals.unusable("not_an_image", f"the source is not a {NAMED} file")


def _by_brand(head: bytes) -> str:
    """Tell the kinds apart that are files of ISO's boxes (ISO/IEC 14496-12, 4.3)."""
    brands = head[8 : min(int.from_bytes(head[:4], "big"), len(head))]
    first = brands[:4]
    if first == b"avis":
        return "avis"
    if b"avif" in brands:
        return "avif"
    if first == b"crx ":
        return "raw"
    if first in _HEIC_BRANDS:
        return "heic"
    if first in _VIDEO_BRANDS:
        return "mp4"
    raise refusals.unusable("not_an_image", f"the source is not a {NAMED} file")


def _is_bmp(head: bytes) -> bool:
    return int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def _is_raw(data: bytes) -> bool:
    """Tell a camera's raw file from other TIFFs: DNG says so; others begin with a small picture."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 10:
        return False
    (at,) = struct.unpack_from(order + "I", data, 4)
    if at + 2 > len(data):
        return False
    (count,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(at + 2, min(at + 2 + 12 * min(count, _ENTRIES_MAX), len(data) - 11), 12):
        tag, _, _, value = struct.unpack_from(order + "HHII", data, entry)
        tags[tag] = value
    return _DNG in tags or (_MAKE in tags and _SUB in tags and tags.get(_REDUCED, 0) != 0)
