"""Does a request come from this machine, and from a program rather than a web page? Pure.

An open door (no key exists) lets only those in. A page in a browser may send requests to this
machine too, and a name may be made to lead here (DNS rebinding); both are told by their headers.
"""

from __future__ import annotations

import ipaddress

from dynimo.web.message import Request

_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_PAGES = ("origin", "sec-fetch-site", "sec-fetch-mode")


def is_local(request: Request) -> bool:
    """Whether a program on this machine sent it, as far as anything can tell."""
    if request.proxied or any(name in request.headers for name in (*_PROXIES, *_PAGES)):
        return False
    host = request.headers.get("host").rpartition("@")[2].lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    named_here = name in {"", "localhost"} or name.endswith(".localhost") or _loopback(name)
    return named_here and _loopback(request.peer)


def _loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
