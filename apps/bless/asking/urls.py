"""Where an issuer may be asked: https, or http on this machine. Reads addresses only; pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

URL_CHARACTERS_MAX = 2048


class UrlError(ValueError):
    """The address may not be asked."""


@dataclass(frozen=True, slots=True)
class Url:
    """An address in parts; ``target`` is path and query."""

    secure: bool
    host: str
    port: int
    target: str


def read(text: str) -> Url:
    """Raises UrlError for anything but https, or http to a loopback address."""
    if len(text) > URL_CHARACTERS_MAX or not (text.isascii() and text.isprintable()):
        raise UrlError("an address is printable ASCII")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlError("this is no address") from None
    secure = parts.scheme == "https"
    if not host or parts.username is not None or parts.fragment or set(' \\"<>') & set(text):
        raise UrlError("an address has a host, no user, no fragment, no space")
    if not secure and not (parts.scheme == "http" and _is_here(host)):
        raise UrlError("an address begins with https:// (http:// only on 127.0.0.1)")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(secure, host, port or (443 if secure else 80), target)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
