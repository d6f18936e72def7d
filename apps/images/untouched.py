"""The source's own bytes as the answer, where a recipe wants no picture made of them.

What a browser would run as a program (SVG) goes out only without what it could run.
"""

from __future__ import annotations

from dataclasses import dataclass

import encode
import refusals
import sniff

CONTENT_TYPES = {**encode.CONTENT_TYPES, "pdf": "application/pdf", "raw": "image/x-raw"}
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


def give(data: bytes, fm: str) -> Given:
    """Give a source's bytes; as ``svg`` only a drawing.

    Raises:
        Refusal: 422; it is no picture, or no drawing.
    """
    kind = sniff.kind(data)
    if fm == "svg" and kind != "svg":
        raise refusals.unusable("cannot_encode", "only a drawing can be given as SVG")
    return Given(kind=kind, content_type=CONTENT_TYPES[kind], body=data, headers=(NOSNIFF,))
