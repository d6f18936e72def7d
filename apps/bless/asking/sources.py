"""The source addresses of a certificate: pinned to the caller, or within the rule's networks. Pure.

They end in OpenSSH's ``source-address``, as CIDR only; one that it cannot read locks its user out.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from asking.asked import USER, Asked
from asking.rules import ANY, CALLERS_OWN, Allowed, Network
from asking.unmet import Unmet, listed, shown
from contract.addresses import AddressRefused, addresses

ADDRESSES_MAX = 32
ADDRESSES_KEPT = 1024
"""Reading one takes longer than the rest of a decision, and the same ask again."""


def restricted(allow: Allowed, asked: Asked) -> tuple[str, ...]:
    """The networks that the certificate is good from; none is everywhere. Raises Unmet."""
    wanted = _networks(asked.source_addresses or ())
    if wanted and asked.type != USER:
        raise Unmet("only a user's certificate has source addresses")
    if allow.source_addresses == ANY:
        return _told(wanted)
    inside: tuple[Network, ...]
    if allow.source_addresses == CALLERS_OWN:
        inside = (_own(asked.address),)
    else:
        inside = tuple(each for each in allow.source_addresses if not isinstance(each, str))
    for each in wanted:
        if not any(_is_within(each, network) for network in inside):
            raise Unmet(f"{each} is not within its source addresses: {listed(_told(inside))}")
    return _told(wanted or inside)


@lru_cache(ADDRESSES_KEPT)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    if len(texts) > ADDRESSES_MAX:
        raise Unmet(f"more than {ADDRESSES_MAX} source addresses are asked for")
    for text in texts:
        if "," in text:
            raise Unmet(f"{shown(text)} is no source address")
    if not texts:
        return ()
    try:
        addresses(",".join(texts))
    except AddressRefused as error:
        raise Unmet(f"source addresses {listed(tuple(map(shown, texts)))}: {error}") from None
    return tuple(dict.fromkeys(ip_network(text) for text in texts))


@lru_cache(ADDRESSES_KEPT)
def _own(address: str) -> Network:
    """The caller's address as a network of one."""
    try:
        own = ip_address(address)
    except ValueError:
        raise Unmet("it pins the caller's address, and that is not known") from None
    if isinstance(own, IPv6Address):
        if own.ipv4_mapped is not None:
            own = own.ipv4_mapped
        elif own.scope_id:
            raise Unmet("it pins the caller's address, and that has a zone")
    return ip_network(own)


def _is_within(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)


@lru_cache(ADDRESSES_KEPT)
def _told(networks: tuple[Network, ...]) -> tuple[str, ...]:
    return tuple(str(each) for each in networks)
