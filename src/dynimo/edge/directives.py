"""What an answer, or a question, says about caching: its directives, wherever they stand. Pure.

A targeted field (RFC 9213) that is meant for this cache replaces Cache-Control and Expires; one
that is malformed counts for nothing, and the next is looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

from dynimo.edge import fields
from dynimo.web import message

SECONDS_MAX = 2**31
"""Larger deltas count as this (RFC 9111 section 1.2.2)."""

OWN = "dynimo-cache-control"
"""What is said to this cache alone; it does not leave it."""

TARGETED = (OWN, "cdn-cache-control")
"""Fields meant for us, the nearest first (RFC 9213 section 2.2)."""

SURROGATE = "surrogate-control"
"""What they were called before there was a standard (W3C, Edge Architecture Specification)."""

CAPABILITY = 'dynimo="Surrogate/1.0"'
"""What a server is told, so that it can mean us."""

_DIRECTIVE = re.compile(
    r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^",]*)))?\s*'
)
_SURROGATE_DIRECTIVE = re.compile(r"([A-Za-z0-9-]+)(?:=([0-9]+(?:\+[0-9]+)?|\"[^\"]*\"))?(;.*)?")
_SURROGATE_TARGETS = (None, ";dynimo")
_DELTAS = frozenset({"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"})


NONE: Mapping[str, str] = MappingProxyType({})


@functools.lru_cache(maxsize=4096)
def parsed(value: str) -> Mapping[str, str]:
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
    return MappingProxyType(found)


def seconds(value: str | None) -> float | None:
    """Read delta-seconds (RFC 9111 1.2.2); None when there are none, 0 when malformed."""
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        return 0.0
    return float(min(int(value[:12]), SECONDS_MAX))


def targeted(headers: message.Headers, *, surrogate: bool) -> Mapping[str, str] | None:
    """Return the directives of the first valid field that is meant for us, None without one."""
    names = {name for name, _ in headers.pairs}
    for name in TARGETED:
        if name in names and (found := _dictionary(headers.get(name))):
            return found
    if surrogate and SURROGATE in names:
        return _surrogate(headers.get(SURROGATE)) or None
    return None


@functools.lru_cache(maxsize=1024)
def _dictionary(text: str) -> Mapping[str, str] | None:
    members = fields.dictionary(text)
    if not members:
        return None
    found: dict[str, str] = {}
    for name, value in members.items():
        if name in _DELTAS and type(value) is not int:
            return None  # of the wrong type: the whole field cannot be believed
        if value is not False:
            found[name] = "" if value is True else str(value)
    return found


@functools.lru_cache(maxsize=1024)
def _surrogate(text: str) -> Mapping[str, str]:
    """Read Surrogate-Control; what is meant for another device (``;NAME``) is left out."""
    found: dict[str, str] = {}
    for part in text.split(","):
        match = _SURROGATE_DIRECTIVE.fullmatch(part.strip())
        if match is not None and match[3] in _SURROGATE_TARGETS:
            found.setdefault(match[1].lower(), (match[2] or "").partition("+")[0])
    return found
