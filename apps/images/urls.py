"""Files by an address of their own: how a URL is a source and a path, and which are allowed. Pure.

The source of ``https://pictures.example/a.jpg?v=1`` is ``~https``, its path the rest behind the
slashes, still percent-encoded as the server is asked. No configured source can have such a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote

import paths

URL_MAX = 3_000
"""Characters of an address: signed ones of object stores are long."""
_URL = re.compile(r"(?i:(https?))://([^/?#]+)([^#]*)(?:#.*)?", re.DOTALL)
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_.-]{0,252})|\[[0-9a-f:.]{2,45}\])")
_PORTS = {"http": "80", "https": "443"}
_BAD = re.compile(r"%(?![0-9A-Fa-f]{2})|[\x00-\x1f\x7f]")
_SAFE = "%-._~/!$&'()*,;=:@+?[]"


def place(url: str) -> tuple[str, str] | None:
    """Give source and path of an address in its one spelling; None when it must not be asked.

    Such are those with a user's name, a broken host or escape, or a path that goes up.
    """
    matched = _URL.fullmatch(url) if len(url) <= URL_MAX else None
    if matched is None:
        return None
    scheme, authority, rest = matched[1].lower(), matched[2].lower(), matched[3]
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        host, port = authority, ""
    if not _HOST.fullmatch(host) or len(port) > 5 or (colon and port == "" and host[0] != "["):
        return None
    rest = rest if rest.startswith("/") else f"/{rest}"
    if _BAD.search(rest):
        return None
    path, _, _ = rest.partition("?")
    if any(unquote(segment) in (".", "..") for segment in path.split("/")):
        return None
    shown = host if port in ("", _PORTS[scheme]) else f"{host}:{int(port)}"
    found = shown + quote(rest, safe=_SAFE, errors="replace")
    return None if len(paths.encode(found)) > paths.PATH_MAX else (f"~{scheme}", found)


def address(source: str, path: str) -> str:
    """Give the address back."""
    return f"{source[1:]}://{path}"


def is_allowed(url: str, patterns: Iterable[str]) -> bool:
    """Tell whether an address in its one spelling begins as one of the patterns says.

    ``*`` stands for anything without a slash. A pattern that ends in a host means that host, not
    all whose names begin so.
    """
    return any(_pattern(pattern).match(url) for pattern in patterns)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if authority and not slash and scheme.lower() in _PORTS:
        slash = "/"
    beginning = f"{scheme.lower()}{separator}{authority.lower()}{slash}{path}"
    return re.compile("[^/]*".join(map(re.escape, beginning.split("*"))))
