"""Certificates for who brings a token: a real issuer on loopback, all the way to a signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from issuing_kit import ADA, BOB, LEAD, Ca, Key, certificate
from oidc_issuer import Served, claims, nonce, of_every_kind, token

issuer = pytest.fixture(of_every_kind)

POLICY = """
administrators = ["arn:aws:iam::*:user/ada"]
[oidc.company]
issuer = "{url}"
audience = "ssh"
keys = "{url}/keys"
[[rules]]
name = "engineers"
type = "user"
who = {{ oidc = "company", email_domains = ["example.org"], claims = {{ groups = ["eng"] }} }}
allow = {{ principals = ["{{oidc.email_name}}"], source_addresses = "caller", valid_seconds = 600 }}
[[rules]]
name = "root"
type = "user"
who = {{ oidc = "company", claims = {{ groups = ["ops"] }} }}
allow = {{ principals = ["root"], source_addresses = "any", valid_seconds = 600 }}
approval = {{ needs = 1, approvers = ["arn:aws:iam::*:user/lead-*"] }}
"""


@pytest.fixture
def ca(issuer: Served, tmp_path: Path) -> Ca:
    made = Ca(tmp_path)
    assert "error" not in made.founded(POLICY.format(url=issuer.url))
    return made


def _token(issuer: Served, ca: Ca, key: Key, algorithm: str = "RS256", **changed: Any) -> str:
    now = int(ca.clock.now)
    told = {"iss": issuer.url, "nonce": nonce(key.public.blob), "iat": now, "exp": now + 300}
    return token(claims(**told | changed), algorithm)


def _issue(ca: Ca, key: Key, jwt: str, principal: str = "alice", caller: Any = BOB) -> Any:
    signed = ca.signed(key, principals=[principal])
    return ca.do(caller, "issue", **signed, token={"oidc": jwt})


def test_who_has_a_token_is_certified_by_its_verified_name(ca: Ca, issuer: Served) -> None:
    """The name is the issuer's to say, whoever signed the call; the record says both."""
    key = Key()
    answer = _issue(ca, key, _token(issuer, ca, key))
    made = certificate(answer).certificate

    assert made.principals == ("alice",)
    assert made.critical == {"source-address": "192.0.2.7/32"}
    assert made.key_id == f"rule=engineers caller={BOB.arn} oidc=company/alice@example.org"


def test_a_token_is_used_once_however_it_is_signed(ca: Ca, issuer: Served) -> None:
    """The same claims under another ECDSA signature are the same token."""
    key = Key()
    first, second = (_token(issuer, ca, key, "ES256") for _ in range(2))
    assert first != second

    assert "certificate" in _issue(ca, key, first)
    assert _issue(ca, key, first)["error"] == "used"
    assert _issue(ca, key, second)["error"] == "used"
    assert ca.records() == 1


@pytest.mark.parametrize(("changed", "principal", "error"), [
    ({}, "root", "denied"), ({"groups": ["web"]}, "alice", "denied"),
    ({"email_verified": False}, "alice", "denied"),
    ({"email": "alice@evil.org"}, "alice", "denied"),
    ({"email": "root@example.org"}, "root", "denied"),
    ({"email": "a,root@example.org"}, "a", "denied"),
    ({"nonce": nonce(b"another key")}, "alice", "unproved"), ({"aud": "web"}, "alice", "unproved"),
    ({"exp": 1}, "alice", "unproved"), ({"iss": "https://evil.example.org"}, "alice", "unproved"),
], ids=str)  # fmt: skip
def test_a_token_that_does_not_do_gives_nothing(
    changed: dict[str, Any], principal: str, error: str, ca: Ca, issuer: Served
) -> None:
    """No certificate, no record, and no part of the token in the answer."""
    key = Key()
    text = _token(issuer, ca, key, **changed)
    answer = _issue(ca, key, text, principal)

    assert answer["error"] == error
    assert not any(part in str(answer) for part in text.split("."))
    assert ca.records() == 0


def test_a_stolen_token_is_of_no_use_to_another_key(ca: Ca, issuer: Served) -> None:
    """It is bound to the key that it was got for."""
    assert _issue(ca, Key(), _token(issuer, ca, Key()))["error"] == "unproved"


def test_an_issuer_that_is_down_is_said_so(ca: Ca, issuer: Served) -> None:
    """Unavailable, not denied: asking again later helps."""
    issuer.say("/keys", {}, 503)
    key = Key()
    assert _issue(ca, key, _token(issuer, ca, key))["error"] == "unavailable"


def test_a_token_may_wait_for_approval(ca: Ca, issuer: Served) -> None:
    """What it proved is kept until others have agreed; the token itself is not."""
    key = Key()
    text = _token(issuer, ca, key, groups=["ops"])
    waits = _issue(ca, key, text, "root")
    assert waits["needs"] == 1
    ca.do(LEAD, "approve", id=waits["pending"])

    answer = ca.collect(waits["pending"], key, BOB)
    assert certificate(answer).certificate.principals == ("root",)
    kept = b"".join(path.read_bytes() for path in ca.folder.rglob("*") if path.is_file())
    assert text.rpartition(".")[2].encode() not in kept


def test_explain_takes_a_token_and_does_not_use_it(ca: Ca, issuer: Served) -> None:
    """It says which rule would decide; the token is good afterwards."""
    key = Key()
    text = _token(issuer, ca, key)
    request = ca.asked(key, principals=["alice"])
    answer = ca.do(ADA, "explain", request=request, token={"oidc": text})

    assert answer["rule"] == "engineers"
    assert "certificate" in _issue(ca, key, text)
