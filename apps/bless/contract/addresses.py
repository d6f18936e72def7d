"""Source addresses as BLESS takes them, less what sshd reads in another way. Pure.

BLESS hands the text on as it came, into ``source-address``; sshd knows CIDR lists only, and a list
that it cannot read locks the user out of every host (addrmatch.c).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TypeVar

ADDRESSES_MAX = 256
_WRITTEN = re.compile(r"[0-9a-fA-F.:]{2,45}(?:/(?:0|[1-9][0-9]{0,2}))?\Z")
"""No netmasks, no zones, no zeros before a length."""

_Network = TypeVar("_Network", ipaddress.IPv4Network, ipaddress.IPv6Network)

INVALID = "Invalid IP address."


class AddressRefused(ValueError):
    """The list may not be used; the text says why."""


def addresses(text: str) -> str:
    """Check a comma-separated list of addresses and networks; it comes back as it is.

    Raises:
        AddressRefused: one is malformed, or has bits below its prefix; or together they are the
            whole of IPv4 or IPv6, which restricts nothing.
    """
    items = text.split(",", ADDRESSES_MAX)
    if len(items) > ADDRESSES_MAX:
        raise AddressRefused(f"At most {ADDRESSES_MAX} addresses.")
    four, six = [], []
    for item in items:
        try:
            network = ipaddress.ip_network(item, strict=True)
        except ValueError:
            raise AddressRefused(INVALID) from None
        if not _WRITTEN.match(item):
            raise AddressRefused(
                "An address is written plainly or as CIDR, without netmask or zone."
            )
        if isinstance(network, ipaddress.IPv4Network):
            four.append(network)
        else:
            if network.network_address.ipv4_mapped is not None:
                raise AddressRefused("An IPv4 address is written as one.")
            six.append(network)
    if _everything(four) or _everything(six):
        raise AddressRefused("These addresses are all there are: that restricts nothing.")
    return text


def _everything(networks: Sequence[_Network]) -> bool:
    """Whether they are all addresses of their family, together."""
    if sum(each.num_addresses for each in networks) < 2**32:
        return False  # by far the most: nothing to put together
    return any(each.prefixlen == 0 for each in ipaddress.collapse_addresses(networks))
