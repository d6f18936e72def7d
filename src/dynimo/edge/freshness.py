"""Whether an answer may be stored, for how long, and what may be done when it is old. Pure.

The arithmetic of RFC 9111 sections 3 and 4.2, and RFC 5861. No clock: time is an argument. There
is no heuristic freshness: an answer that does not say how long it is good is not stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dynimo.edge import dates
from dynimo.web import message

SECONDS_MAX = 2**31
"""Larger deltas count as this (RFC 9111 section 1.2.2)."""

_DIRECTIVE = re.compile(
    r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^",]*)))?\s*'
)
_STATUS_STORABLE = frozenset({200, 203, 300, 301, 302, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What may be done with one answer. Seconds throughout.

    ``lifetime`` is how long it is fresh, ``age`` how old it was when it arrived. Within
    ``stale_while_revalidate`` after that it may be served while a new one is fetched; within
    ``stale_if_error`` when fetching fails.
    """

    storable: bool
    lifetime: float = 0.0
    age: float = 0.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0


def directives(value: str) -> dict[str, str]:
    """Read a Cache-Control value: lower-case name to argument ("" for none), the first of each."""
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _DIRECTIVE.match(value, at)
        if match is None:
            at = value.find(",", at) + 1 or len(value)
            continue
        name, quoted, plain = match.groups()
        found.setdefault(name.lower(), (quoted if quoted is not None else plain or "").strip())
        at = match.end()
        comma = value.find(",", at)
        at = len(value) if comma < 0 else comma + 1
    return found


def seconds(value: str | None) -> float | None:
    """Read delta-seconds (RFC 9111 1.2.2); None when there are none, 0 when malformed."""
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        return 0.0
    return float(min(int(value[:12]), SECONDS_MAX))


def assess(
    request_headers: Mapping[str, str], response: message.Response, now: float, delay: float = 0.0
) -> Assessment:
    """Judge an answer to a GET: it arrived at ``now``, ``delay`` seconds after the question."""
    headers = response.headers
    control = directives(headers.get("cache-control"))
    refused = (
        "no-store" in control
        or "private" in control
        or "set-cookie" in headers
        or "*" in headers.get("vary")
    )
    shared = "public" in control or "s-maxage" in control or "must-revalidate" in control
    if refused or ("authorization" in request_headers and not shared):
        return Assessment(storable=False)
    lifetime = _lifetime(control, headers, now)
    explicit = lifetime is not None
    if not explicit or not _status_allows(response.status):
        return Assessment(storable=False)
    assert lifetime is not None
    validated = "etag" in headers or "last-modified" in headers
    strict = bool({"must-revalidate", "proxy-revalidate", "no-cache", "s-maxage"} & control.keys())
    revalidating = 0.0 if strict else seconds(control.get("stale-while-revalidate")) or 0.0
    on_error = 0.0 if strict else seconds(control.get("stale-if-error")) or 0.0
    age = _initial_age(headers, now, delay)
    useful = lifetime > age or validated or revalidating > 0 or on_error > 0
    return Assessment(
        storable=useful, lifetime=lifetime, age=age,
        stale_while_revalidate=revalidating, stale_if_error=on_error,
    )  # fmt: skip


def _status_allows(status: int) -> bool:
    """Say whether an explicitly fresh answer of this status is kept: no partial, no failure."""
    return status in _STATUS_STORABLE or (400 <= status < 500 and status not in {416, 429})


def _lifetime(control: dict[str, str], headers: message.Headers, now: float) -> float | None:
    """Return the freshness lifetime that is stated (RFC 9111 4.2.1), None when none is."""
    if "no-cache" in control:
        return 0.0
    for name in ("s-maxage", "max-age"):
        found = seconds(control.get(name))
        if found is not None:
            return found
    if "expires" in headers:
        expires = dates.parse(headers.get("expires"))
        date = dates.parse(headers.get("date"))
        return max(0.0, expires - (now if date is None else date)) if expires is not None else 0.0
    return None


def _initial_age(headers: message.Headers, now: float, delay: float) -> float:
    """Return corrected_initial_age (RFC 9111 4.2.3)."""
    date = dates.parse(headers.get("date"))
    apparent = max(0.0, now - date) if date is not None else 0.0
    said = headers.get_all("age")
    value = seconds(said[0].split(",")[0].strip()) if said else 0.0
    return max(apparent, (value or 0.0) + delay)
