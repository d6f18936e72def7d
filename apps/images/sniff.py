"""What kind of picture these bytes begin like, from their first bytes alone. Pure.

An allow-list: what is not known here is never shown to a decoder.
"""

from __future__ import annotations

import refusals

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def kind(data: bytes) -> str:
    """Name the kind: ``jpg``, ``png``, ``webp``, ``gif``, ``tiff`` or ``avif``.

    Raises:
        Refusal: 422; it is something else. Kinds that people expect are named in the reason.
    """
    head = data[:512]
    for name, matches in (
        ("jpg", head[:3] == b"\xff\xd8\xff"),
        ("png", head[:8] == b"\x89PNG\r\n\x1a\n"),
        ("webp", head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
        ("gif", head[:6] in (b"GIF87a", b"GIF89a")),
        ("tiff", head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        ("avif", head[4:8] == b"ftyp" and _is_avif(head)),
    ):
        if matches:
            return name
    raise _refusal(head)


def _is_avif(head: bytes) -> bool:
    brands = head[8 : min(int.from_bytes(head[:4], "big"), len(head))]
    return b"avif" in brands and not brands.startswith(b"avis")


def _refusal(head: bytes) -> refusals.Refusal:
    if not head:
        return refusals.unusable("not_an_image", "the source is empty")
    if head[4:12] == b"ftypavis":
        return refusals.unusable("unsupported_kind", "AVIF animations are not supported")
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return refusals.unusable("unsupported_kind", "HEIC pictures are not supported")
    if b"<svg" in head.lower() or b"<!doctype svg" in head.lower():
        return refusals.unusable(
            "unsupported_kind", "SVG drawings are not supported: they are programs, not pixels"
        )
    return refusals.unusable(
        "not_an_image", "the source is not a JPEG, PNG, WebP, AVIF, GIF or TIFF picture"
    )
