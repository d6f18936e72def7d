"""Who really asks, and by which address? What clients say of proxies is believed of few. Pure.

Headers that speak of a forwarded request, or that ask to be read as another address, path or
method, never pass from here on; what they say is taken over only from proxies that the operator
trusts (RFC 7239 section 8 says why). What functions and upstreams are told instead is ``told``.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from dynimo.web.message import Request

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

TOLD = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
"""What the platform itself says to whoever answers a request."""

SCHEME = "x-forwarded-proto"

HOPS_MAX = 32
"""Addresses of X-Forwarded-For that are looked at, from the last one back."""

PREFIX = "x-forwarded-"
NAMES = frozenset({
    "forwarded", "x-forwarded", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip",
    "x-cluster-client-ip", "x-forwarder-for", "x-originating-ip", "x-remote-ip",
    "x-remote-addr", "cf-connecting-ip", "fastly-client-ip", "fly-client-ip",
    "x-envoy-external-address", "x-original-url", "x-original-uri", "x-original-host",
    "x-original-method", "x-rewrite-url", "x-rewrite-uri", "x-host", "x-forwarded-host",
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-http-method",
    "x-http-method-override", "x-method-override", "x-http-host-override", "x-url-scheme",
    "x-scheme", "front-end-https", "proxy", "base-url", "http-url", "request-uri",
    "proxy-host", "proxy-url",
})  # fmt: skip
_CLAIMS = frozenset({"forwarded", "x-forwarded-for", "x-real-ip"})
_SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which proxies are believed."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Trust:
        """Read addresses and networks. Raises ValueError."""
        return cls(networks=tuple(ipaddress.ip_network(each) for each in texts))

    def believes(self, peer: str) -> bool:
        """Whether a proxy with this address is one of ours."""
        return bool(self.networks) and _among(peer, self.networks)


NOBODY = Trust()


def is_claim(name: str) -> bool:
    """Whether a header, in lower case, may say that a request is another than it is.

    ``_`` counts as ``-``: programs that hand headers on as variables cannot tell them apart.
    """
    if "_" in name:
        name = name.replace("_", "-")
    return name in NAMES or name.startswith(PREFIX)


def settle(request: Request, trust: Trust) -> None:
    """Take the claims out of a request, and over into its own fields if its peer is trusted.

    Whoever asked by https has one header that says so, for caches whose answers vary by it.
    """
    headers = request.headers
    pairs = headers.pairs
    kept = [pair for pair in pairs if not is_claim(pair[0])]
    request.proxied = any(name in _CLAIMS for name, _ in pairs)
    if len(kept) != len(pairs) and trust.believes(request.peer):
        _believe(request, trust)
        host = _last(headers.get("x-forwarded-host"))
        if _HOST.fullmatch(host):
            kept = [(name, host if name == "host" else value) for name, value in kept]
    if request.scheme != "http":
        kept.append((SCHEME, request.scheme))
    headers.pairs = kept


def told(request: Request) -> dict[str, str]:
    """What functions and upstreams are told of the client: its address, and how it asked."""
    host = request.headers.get("host")
    port = host.rpartition(":")[2]
    standard = "443" if request.scheme == "https" else "80"
    return {
        "x-forwarded-for": request.peer,
        "x-forwarded-proto": request.scheme,
        "x-forwarded-host": host,
        "x-forwarded-port": port if port.isdigit() else standard,
    }


def _believe(request: Request, trust: Trust) -> None:
    """Take over who asks, and by which scheme.

    The addresses are read from the last one back, as long as they are those of our own proxies:
    the first that is not is the client's, and what stands before it is only its word.
    """
    headers = request.headers
    proto = _last(headers.get("x-forwarded-proto")).lower()
    if proto in _SCHEMES:
        request.scheme = proto
    for text in reversed(headers.get("x-forwarded-for").split(",")[-HOPS_MAX:]):
        address = _address(text.strip())
        if address is None:
            return
        request.peer = str(address)
        if not _among(request.peer, trust.networks):
            return


def _last(text: str) -> str:
    """What the nearest proxy said, of a list to which each adds its word."""
    return text.rpartition(",")[2].strip()


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@functools.lru_cache(maxsize=4096)
def _among(peer: str, networks: tuple[Network, ...]) -> bool:
    address = _address(peer)
    return address is not None and any(address in network for network in networks)
