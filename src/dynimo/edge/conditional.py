"""Whether a client already has what would be sent (RFC 9110 section 13). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dynimo.edge import dates

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

KEPT_IN_304 = frozenset(
    {"age", "cache-control", "cache-status", "content-location", "date", "etag", "expires",
     "last-modified", "server-timing", "vary", "x-accel-expires"}
)  # fmt: skip
"""The headers that a 304 carries (RFC 9110 section 15.4.5)."""


def not_modified(request: Mapping[str, str], etag: str, last_modified: str) -> bool:
    """Say whether 304 is the answer to a GET or HEAD whose 200 would carry these validators.

    If-None-Match compares weakly and, when present, makes If-Modified-Since count for nothing.
    """
    wanted = request.get("if-none-match")
    if wanted is not None:
        return _matches(wanted, etag)
    since = request.get("if-modified-since")
    if since is None or not last_modified:
        return False
    asked, have = dates.parse(since), dates.parse(last_modified)
    return asked is not None and have is not None and have <= asked


def _matches(wanted: str, etag: str) -> bool:
    if wanted.strip() == "*":
        return True
    if not etag:
        return False
    opaque = etag.removeprefix("W/")
    return any(tag.removeprefix("W/") == opaque for tag in _ENTITY_TAG.findall(wanted))
