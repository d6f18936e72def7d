"""The SSRF guard: which addresses are public."""

from __future__ import annotations

import pytest

import addresses


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "192.88.99.1",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1",
        "2001:0:4136:e378::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
        "2001:db8::1", "100::1", "fe80::1%eth0", "localhost", "", "1.2.3", "0x7f000001",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(text: str) -> None:
    """Private, local, shared, reserved, multicast, and IPv4 hidden in IPv6."""
    assert not addresses.is_public(text)


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_addresses_that_are_public(text: str) -> None:
    """Ordinary addresses, also when IPv6 carries them."""
    assert addresses.is_public(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("10.0.0.1", True),
        ("::1", True),
        ("example.com", False),
        ("8.8.8.8", False),
        ("internal.corp", False),
    ],
)
def test_which_configured_hosts_are_meant_to_be_private(host: str, *, local: bool) -> None:
    """Only what is private on its face; a name is not."""
    assert addresses.is_local_name(host) == local
