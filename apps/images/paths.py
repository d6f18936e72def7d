"""From a percent-encoded URL path to the name of a source and a file in it. Pure.

Decoded exactly once. What could leave the source's folder is refused here by its spelling;
`folder` checks again with the file system, where links are known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

import refusals

PATH_MAX = 4_096
"""Characters of a path, still encoded."""
SEGMENT_BYTES_MAX = 255
"""Bytes of one path segment: what Linux file systems take."""
ADDRESSES = ("~http", "~https")
"""Names of sources that are no folder: their paths are addresses (see `urls`)."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SAFE = "-._~/!$'()*,;=:@+"


def decode(text: str) -> str:
    """Decode a percent-encoded path, strictly.

    Raises:
        Refusal: 400 for a broken escape, bytes that are no UTF-8, control characters or
            a path that is too long.
    """
    if len(text) > PATH_MAX:
        raise refusals.malformed_path(f"the path is longer than {PATH_MAX} characters")
    if not text.isascii() or _BAD_ESCAPE.search(text):
        raise refusals.malformed_path("a % in the path must be followed by two hexadecimal digits")
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise refusals.malformed_path("the path is not UTF-8") from None
    if _CONTROL.search(decoded):
        raise refusals.malformed_path("the path has control characters")
    return decoded


@lru_cache(maxsize=256)  # one decision spells the same file several times
def encode(text: str) -> str:
    """Encode a decoded path: the one canonical spelling."""
    return quote(text, safe=_SAFE)


def split(text: str) -> tuple[str, str]:
    """Split an encoded ``NAME/path/to/file`` into source name and file path, both decoded.

    Raises:
        Refusal: 400 for what cannot be decoded; 404 for paths that name no file of a source
            (empty, ``.`` or ``..`` segments, backslashes).
    """
    name, slash, path = decode(text).partition("/")
    if not slash or not name or not path or not (name in ADDRESSES or is_plain(path)):
        raise refusals.not_found()
    return name, path


def is_plain(path: str) -> bool:
    """Tell whether a decoded path only ever goes down: no empty, ``.`` or ``..`` segments."""
    segments = path.split("/")
    return "\\" not in path and all(
        segment not in ("", ".", "..") and len(segment.encode()) <= SEGMENT_BYTES_MAX
        for segment in segments
    )
