"""What a client says of itself through proxies' headers is believed of trusted proxies only."""

from __future__ import annotations

import pytest

from dynimo.web import forwarding
from dynimo.web.forwarding import NOBODY, Trust
from dynimo.web.message import Headers, Request

TRUST = Trust.of(["10.0.0.0/8", "::1"])


def _settled(headers: dict[str, str], *, peer: str = "10.0.0.1", trust: Trust = TRUST) -> Request:
    pairs = [("host", "x.example"), ("accept", "*/*"), *headers.items()]
    request = Request(method="GET", path="/", headers=Headers(pairs), peer=peer)
    forwarding.settle(request, trust)
    return request


@pytest.mark.parametrize("trust", [NOBODY, TRUST])
@pytest.mark.parametrize(
    "name",
    [*sorted(forwarding.NAMES), "x-forwarded-anything", "x_forwarded_host", "X_Original_URL"],
)
def test_claims_go_nowhere(name: str, trust: Trust) -> None:
    """Not even those of trusted proxies: what they say is taken over, and said in our own words."""
    request = _settled({name.lower(): "evil.example"}, trust=trust)

    assert {name for name, _ in request.headers} == {"host", "accept"}


def test_a_stranger_is_who_it_is() -> None:
    """And that it claimed to be another is remembered: it is no program on this machine."""
    claims = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
    request = _settled(claims | {"x-forwarded-host": "evil.example"}, peer="192.0.2.9")

    assert (request.peer, request.scheme, request.proxied) == ("192.0.2.9", "http", True)
    assert request.headers.get("host") == "x.example"


@pytest.mark.parametrize(
    ("said", "peer"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("127.0.0.1, 198.51.100.7, 10.2.3.4", "198.51.100.7"),
        ("198.51.100.7:4711, 10.2.3.4", "198.51.100.7"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("198.51.100.7, nonsense", "10.0.0.1"),
        ("198.51.100.7, nonsense, 10.2.3.4", "10.2.3.4"),
        ("", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_names_the_client(said: str, peer: str) -> None:
    """The last address that is none of ours; what stands before it is only its own word."""
    assert _settled({"x-forwarded-for": said}).peer == peer


def test_a_trusted_proxy_names_scheme_and_host() -> None:
    """Https is told on, so that answers may vary by it; a host that is none is not taken."""
    request = _settled({"x-forwarded-proto": "http, https", "x-forwarded-host": "a.example:8443"})

    assert request.scheme == "https"
    assert request.headers.get("host") == "a.example:8443"
    assert request.headers.get("x-forwarded-proto") == "https"
    assert _settled({"x-forwarded-host": "a b"}).headers.get("host") == "x.example"


def test_what_is_told_is_our_own_word() -> None:
    """Address, scheme, host and port."""
    request = _settled({"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"})

    assert forwarding.told(request) == {
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "x.example",
        "x-forwarded-port": "443",
    }


def test_a_wrong_network_is_refused() -> None:
    """At start, not at the first request."""
    with pytest.raises(ValueError, match="300"):
        Trust.of(["300.0.0.1"])
