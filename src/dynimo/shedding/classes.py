"""Which class is a request of? Pure; what a client says may lower its own class, never raise it."""

from __future__ import annotations

import hmac

from dynimo.web.message import Headers, Priority

PRIORITY_HEADER = "dynimo-priority"
KEY_HEADER = "x-dynimo-key"

_PURPOSES = ("sec-purpose", "purpose")


def of(headers: Headers, key: bytes) -> Priority:
    """Live, unless a browser says that it only prefetches or the operator (``key``) only warms."""
    for name, value in headers.pairs:
        if name in _PURPOSES and _says_prefetch(value):
            return Priority.PREFETCH
        if name == PRIORITY_HEADER and value.lower() == "warm":
            given = headers.get(KEY_HEADER).encode("utf-8", "replace")
            if hmac.compare_digest(given, key):
                return Priority.WARM
    return Priority.LIVE


def _says_prefetch(value: str) -> bool:
    """``prefetch``, alone or with parameters: ``prefetch;prerender`` (Fetch, Sec-Purpose)."""
    return value.partition(";")[0].strip().lower() == "prefetch"
