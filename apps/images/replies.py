"""Refusals as HTTP answers: a JSON body, and how long a cache may remember it.

Only shapes live here; what is refused is decided elsewhere.
"""

from __future__ import annotations

import refusals
from dynimo.sdk import http

CACHE_CONTROL = {
    400: "public, max-age=60",
    404: "public, max-age=10",
    422: "public, max-age=60",
}
"""What caches may keep, by status; anything else (5xx above all) is not kept."""


def refused(refusal: refusals.Refusal, *, instead: str = "") -> http.Reply:
    """Answer ``{"error": code, "message": sentence, ...facts}`` with the refusal's status.

    ``instead`` is the internal path of what may stand in for a source that failed.
    """
    body = {"error": refusal.code, **refusal.facts, "message": refusal.message}
    headers = {"cache-control": CACHE_CONTROL.get(refusal.status, "no-store")}
    if refusal.status >= 500:  # the source failed: whatever needs it would fail as well
        headers[http.FALLBACK_HEADER] = f"instead={instead}" if instead else "none"
    return http.json(body, status=refusal.status, headers=headers)


def method_not_allowed() -> http.Reply:
    """Answer 405: pictures are only read."""
    body = {"error": "bad_method", "message": "pictures are only read: use GET or HEAD"}
    return http.json(body, status=405, headers={"allow": "GET, HEAD", "cache-control": "no-store"})
