"""A request's target and Referer as a log may keep them: without what lets its reader in. Pure."""

from __future__ import annotations

import functools
import re
from urllib.parse import unquote

MASK = "***"
SECRET_WORDS = (
    "signature", "credential", "token", "secret", "password", "passwd", "apikey", "api_key",
    "api-key", "auth", "session", "jwt", "otp", "assertion",
)  # fmt: skip
"""A parameter whose name has one of these in it holds a secret."""

SECRET_NAMES = frozenset({"sig", "sign", "hmac", "key", "code", "state", "pwd", "s", "sid"})
KNOWN_MAX, KNOWN_CHARACTERS_MAX = 2048, 512
"""Queries whose masked form is kept, for many requests are for the same; longer ones are not."""
_USER = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@", re.IGNORECASE)


def target(path: str, query: str) -> str:
    """Path and query, as they may be written down."""
    return f"{path}?{_query(query)}" if query else path


def address(text: str) -> str:
    """A whole address, such as a Referer; neither who uses it nor its fragment is kept."""
    place, mark, query = text.partition("#")[0].partition("?")
    place = _USER.sub(r"\1", place)
    return f"{place}?{_query(query)}" if mark else place


def _query(query: str) -> str:
    if "=" not in query:
        return query
    return _known(query) if len(query) <= KNOWN_CHARACTERS_MAX else _masked(query)


def _masked(query: str) -> str:
    return "&".join(map(_part, query.split("&")))


_known = functools.lru_cache(KNOWN_MAX)(_masked)


def _part(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals or not value:
        return part
    plain = (unquote(name) if "%" in name else name).lower()
    secret = plain in SECRET_NAMES or any(word in plain for word in SECRET_WORDS)
    return f"{name}={MASK}" if secret else part
