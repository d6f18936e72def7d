"""May a server be asked for a source? The guard against server-side request forgery. Pure.

A name is resolved once, every address it has is judged here, and the connection goes to an
address that was judged. RFC 6890 and successors, as far as `ipaddress` knows them, and the ways
in which IPv6 hides an IPv4 address.
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REFUSED_6 = tuple(
    ipaddress.ip_network(text)
    for text in (
        "::/96",  # IPv4-compatible, long obsolete
        "64:ff9b:1::/48",  # local NAT64
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local
    )
)
_REFUSED_4 = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "240.0.0.0/4",
    )
)


def is_public(text: str) -> bool:
    """Tell whether an address (without zone) is one that anybody on the internet may have."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public_4(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public_4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(address in network for network in _REFUSED_6):
            return False
        return address.is_global and not address.is_multicast
    return _is_public_4(address)


def is_local_name(host: str) -> bool:
    """Tell whether a host is, on its face, this machine or a private address.

    Who configures such a source means it; a name that merely resolves to one may be a trap.
    """
    if host.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


def _is_public_4(address: ipaddress.IPv4Address) -> bool:
    if any(address in network for network in _REFUSED_4):
        return False
    return address.is_global and not address.is_multicast
