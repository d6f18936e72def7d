"""The source's own bytes as the answer, where a recipe wants no picture made of them.

What a browser would run as a program (SVG) goes out only without what it could run.
"""

from __future__ import annotations

from dataclasses import dataclass

import decode
import encode
import limits as limit_names
import refusals
import sniff
from decoding import svg

CONTENT_TYPES = {**encode.CONTENT_TYPES, "avis": "image/avif", "jp2": "image/jp2",
                 "pdf": "application/pdf", "raw": "image/x-raw", "webm": "video/webm"}  # fmt: skip
NOSNIFF = ("x-content-type-options", "nosniff")
SANDBOXED = (
    "content-security-policy",
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox",
)
"""A drawing that is opened by itself may load nothing and run nothing, whatever was overlooked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The bytes to answer with."""

    kind: str
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


def give(data: bytes, fm: str, limits: limit_names.Limits) -> Given:
    """Give a source's bytes; as ``svg`` only a drawing.

    Raises:
        Refusal: 422; it is no picture, or no drawing.
    """
    kind = sniff.kind(data)
    if kind == "svg":
        safe = svg.clean(data, lambda inside: decode.open_header(inside, limits))
        return Given(
            kind=kind, content_type=CONTENT_TYPES[kind], body=safe, headers=(NOSNIFF, SANDBOXED)
        )
    if fm == "svg" and kind != "svg":
        raise refusals.unusable("cannot_encode", "only a drawing can be given as SVG")
    return Given(kind=kind, content_type=CONTENT_TYPES[kind], body=data, headers=(NOSNIFF,))
