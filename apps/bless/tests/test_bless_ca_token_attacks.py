"""Attacks with tokens: a refusal, a row, and no signature."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

import bless_kit
import oidc_issuer
from attacked_kit import BY_TOKEN, Attacked, attacked
from bless_kit import FakeCloud
from issuing_kit import ADA, ADMINISTRATORS, Key
from oidc_issuer import Served, claims, served, token

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KMSAUTH = ADMINISTRATORS + BY_TOKEN.replace("KEY", "alias/auth")


def _cloud(made: Attacked) -> FakeCloud:
    found: FakeCloud = made.ca.operations._tokens._keys
    return found


def _with(made: Attacked, told: Any, key: Key | None = None, **changed: Any) -> Any:
    """Ask, with a token."""
    return made.ca.do(ADA, "issue", **made.ca.signed(key, **changed), token=told)


@pytest.fixture
def kmsauth(tmp_path: Path) -> Attacked:
    return attacked(tmp_path, KMSAUTH, bless_kit.NOW)


def _token(made: Attacked, user: str = "ada", **changed: Any) -> dict[str, Any]:
    text = bless_kit.token(_cloud(made), user, **{"to": "ssh", **changed})
    return {"kmsauth": {"user": user, "token": text}}


HOUR = 3600
TOKENS: dict[str, dict[str, Any]] = {
    "of another service": {"to": "bless-prod"},
    "under another key": {"key": "arn:aws:kms:us-east-1:000000000000:key/2"},
    "expired": {"begin": -600, "end": -1},
    "not yet valid": {"begin": 60, "end": 600},
    "of two hours": {"begin": -180, "end": 2 * HOUR},
    "of a year and ten minutes": {"begin": -180, "end": 365 * 24 * HOUR + 420},
    "that ends before it begins": {"begin": 600, "end": -600},
}


@pytest.mark.parametrize("name", list(TOKENS))
def test_kmsauth_tokens_that_do_not_hold(kmsauth: Attacked, name: str) -> None:
    """For this service, under a known key, now, for an hour at most with its days."""
    told = _token(kmsauth, **TOKENS[name])
    kmsauth.refused("unproved", lambda: _with(kmsauth, told))


def test_a_kmsauth_token_of_another_user(kmsauth: Attacked) -> None:
    """Neither as its own user for another name, nor under the other's name."""
    text = _token(kmsauth, "eve")["kmsauth"]["token"]
    kmsauth.refused("denied", lambda: _with(kmsauth, _token(kmsauth, "eve")))
    stolen = {"kmsauth": {"user": "ada", "token": text}}
    kmsauth.refused("unproved", lambda: _with(kmsauth, stolen))


SHAPES: list[Any] = [
    {"kmsauth": None}, {"kmsauth": "x"}, {"kmsauth": {}}, {"kmsauth": {"user": "ada"}},
    {"kmsauth": {"user": "ada", "token": 1}}, {"kmsauth": {"user": [], "token": "eA=="}}, "x", [1],
    1, {"kmsauth": {"user": "ada", "token": "eA==", "x": 1}}, {"x": 1}, {"oidc": None}, {"oidc": 1},
    {"oidc": "a" * 20_000}, {"oidc": {}},
]  # fmt: skip


@pytest.mark.parametrize("told", SHAPES, ids=lambda told: ascii(told)[:40])
def test_tokens_of_no_shape(kmsauth: Attacked, told: Any) -> None:
    """An object with a token in it."""
    kmsauth.refused("invalid", lambda: _with(kmsauth, told))


@pytest.mark.parametrize("text", ["", "!", "eA", "eA=\n=", "A" * 10_000_000, "\u0430", "ZXZl"])
def test_kmsauth_tokens_that_are_none(kmsauth: Attacked, text: str) -> None:
    """Not base64, too long, or nothing that the KMS encrypted."""
    told = {"kmsauth": {"user": "ada", "token": text}}
    kmsauth.refused("unproved", lambda: _with(kmsauth, told))


@pytest.mark.parametrize("user", ["", "a/b", "ada\n", "ada,root", "\u0430da", "x" * 65, "*"])
def test_kmsauth_users_that_nobody_is(kmsauth: Attacked, user: str) -> None:
    """Whatever the KMS lets somebody encrypt."""
    told = _token(kmsauth, user)
    answer = _with(kmsauth, told, principals=["ada"])
    assert answer["error"] in {"unproved", "denied"}
    assert kmsauth.records() == 0


def test_no_token(kmsauth: Attacked) -> None:
    """Where the rule wants one."""
    for told in (None, {}, "", 0, False, []):
        kmsauth.refused("denied", lambda told=told: _with(kmsauth, told))


def test_a_kmsauth_token_that_was_used(kmsauth: Attacked) -> None:
    """By the same key, by another key, and written in another way."""
    key, told = Key(), _token(kmsauth)
    assert "certificate" in _with(kmsauth, told, key)
    kmsauth.refused("used", lambda: _with(kmsauth, told, key))
    kmsauth.refused("used", lambda: _with(kmsauth, told))
    text = told["kmsauth"]["token"]
    last = text.rstrip("=")[-1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = text.rstrip("=")[:-1] + letters[letters.index(last) ^ 1] + "=" * text.count("=")
    if base64.b64decode(other) == base64.b64decode(text):
        again = {"kmsauth": {"user": "ada", "token": other}}
        assert _with(kmsauth, again)["error"] in {"used", "unproved"}
    assert kmsauth.records() == 1


def test_a_kms_that_is_down_proves_nobody(kmsauth: Attacked) -> None:
    """It is not as if there were no token."""
    told = _token(kmsauth)
    _cloud(kmsauth).down = True
    kmsauth.refused("unproved", lambda: _with(kmsauth, told))


OIDC = """
administrators = ["arn:aws:iam::*:user/ada"]
[oidc.there]
issuer = "https://issuer.example.org"
audience = "ssh"
keys = "URL/keys"
[[rules]]
name = "engineers"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
oidc = "there"
email_domains = ["example.org"]
claims = { groups = ["eng"] }
[rules.allow]
principals = ["{oidc.email_name}"]
source_addresses = "any"
valid_seconds = 60
"""


@pytest.fixture
def issuer() -> Iterator[Served]:
    with served("RS", "ES256", "EdDSA") as there:
        yield there


@pytest.fixture
def oidc(tmp_path: Path, issuer: Served) -> Attacked:
    return attacked(tmp_path, OIDC.replace("URL", issuer.url), oidc_issuer.NOW)


def _said(key: Key, **changed: Any) -> dict[str, Any]:
    return claims(nonce=oidc_issuer.nonce(key.public.blob), **changed)


def _signed_in(made: Attacked, key: Key, text: str, **changed: Any) -> Any:
    return _with(made, {"oidc": text}, key, **{"principals": ["alice"], **changed})


CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://issuer.example.com"}, "a longer issuer": {
        "iss": "https://issuer.example.org/"}, "another audience": {"aud": "web"},
    "several audiences": {"aud": ["ssh", "web"]}, "no audience": {"aud": None},
    "expired": {"exp": oidc_issuer.NOW - 31}, "no end": {"exp": None},
    "no beginning": {"iat": None}, "no subject": {"sub": None},
    "from the future": {"iat": oidc_issuer.NOW + 300}, "not yet": {"nbf": oidc_issuer.NOW + 300},
    "old": {"iat": oidc_issuer.NOW - 7200, "exp": oidc_issuer.NOW + 7200},
    "an end as text": {"exp": str(oidc_issuer.NOW + 300)},
}  # fmt: skip


@pytest.mark.parametrize("name", list(CLAIMS))
def test_oidc_tokens_that_do_not_hold(
    oidc: Attacked, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By this issuer, for us, now; neither answer, row nor log has a part of the token in it."""
    key = Key()
    text = token(_said(key, **CLAIMS[name]))
    answer = oidc.refused("unproved", lambda: _signed_in(oidc, key, text))
    seen = f"{answer} {oidc.rows()} {capsys.readouterr()}"
    assert not any(part in seen for part in text.split("."))


@pytest.mark.parametrize("sub", [
    "x rule=admin caller=root", "x] ssh_key[RSA 00] ca[evil", "x,root", "\U0001f600",
    "a" * 255,
])  # fmt: skip
def test_a_subject_that_would_be_more_than_one_word(oidc: Attacked, sub: str) -> None:
    """In the key id, which sshd logs, it is one."""
    key = Key()
    told = _signed_in(oidc, key, token(_said(key, sub=sub)))
    words = told["key_id"].split(" ")
    assert [word.partition("=")[0] for word in words] == ["rule", "caller", "oidc"]
    assert told["key_id"].isascii()
    assert not set("[],") & set(told["key_id"])


IDENTITIES: dict[str, dict[str, Any]] = {
    "an address that nobody verified": {"email_verified": False},
    "verified, as text": {"email_verified": "true"},
    "another domain": {"email": "alice@example.com"},
    "a domain that ends so": {"email": "alice@evil-example.org"},
    "two addresses": {"email": "alice@example.com@example.org"}, "no group": {"groups": []},
    "another group": {"groups": ["engineers"]}, "a group as text in text": {"groups": "eng,ops"},
    "no address": {"email": None}, "another person": {"email": "bob@example.org"},
    "two names": {"email": "alice,root@example.org"},
}  # fmt: skip


@pytest.mark.parametrize("name", list(IDENTITIES))
def test_oidc_tokens_of_others(oidc: Attacked, name: str) -> None:
    """They hold, and are not of whom the rule names."""
    key = Key()
    text = token(_said(key, **IDENTITIES[name]))
    oidc.refused("denied", lambda: _signed_in(oidc, key, text))


def test_an_oidc_token_that_was_taken(oidc: Attacked) -> None:
    """It is bound to a key: whoever takes it cannot use it for theirs, nor its owner twice."""
    key, thief = Key(), Key()
    text = token(_said(key))
    oidc.refused("unproved", lambda: _signed_in(oidc, thief, text))
    assert "certificate" in _signed_in(oidc, key, text)
    oidc.refused("used", lambda: _signed_in(oidc, key, text))


def test_an_oidc_token_whose_signature_has_a_second_form(oidc: Attacked) -> None:
    """ECDSA has two; the token is one."""
    key = Key()
    text = token(_said(key), "ES256")
    head, _, last = text.rpartition(".")
    raw = base64.urlsafe_b64decode(last + "==")
    other = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert "certificate" in _signed_in(oidc, key, text)
    again = head + "." + base64.urlsafe_b64encode(other).rstrip(b"=").decode()
    oidc.refused("used", lambda: _signed_in(oidc, key, again))


def _by_secret(said: dict[str, Any], secret: bytes) -> str:
    """A token by HS256, whose secret is what everybody knows."""
    head = {"alg": "HS256", "typ": "JWT", "kid": "RS"}
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()) for each in (head, said)]
    body = b".".join(part.rstrip(b"=") for part in parts)
    made = base64.urlsafe_b64encode(hmac.digest(secret, body, "sha256")).rstrip(b"=")
    return f"{body.decode()}.{made.decode()}"


def test_oidc_tokens_that_the_issuer_did_not_sign(oidc: Attacked, issuer: Served) -> None:
    """No algorithm, the public key as a secret, another key, another's key id, a changed claim."""
    key = Key()
    said = _said(key)
    none = jwt.encode(said, "", algorithm="none")
    public = oidc_issuer.KEYS["RS"].public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    good = token(said).split(".")
    forged = token(_said(key, email="root@example.org")).split(".")
    tried = [
        none, _by_secret(said, public),
        jwt.encode(said, oidc_issuer.KEYS["ES384"], algorithm="ES384", headers={"kid": "ES384"}),
        jwt.encode(said, bless_kit.USER_RSA, algorithm="RS256", headers={"kid": "RS"}),
        jwt.encode(said, bless_kit.USER_RSA, algorithm="RS256", headers={
            "kid": "RS", "jku": issuer.url + "/mine", "jwk": oidc_issuer.public("RS")}),
        ".".join((good[0], forged[1], good[2])), ".".join(good[:2]) + ".", ".".join(good[:2]),
        "", "..", "a.b.c", ".".join(good) + ".x", "." .join(good) + "=",
    ]  # fmt: skip
    for text in tried:
        oidc.refused("unproved", lambda text=text: _signed_in(oidc, key, text))
    assert not any("mine" in path for path in issuer.asked)


def test_an_issuer_that_is_down_proves_nobody(oidc: Attacked, issuer: Served) -> None:
    """It is said that it is down; without its keys nothing is believed."""
    issuer.answers["/keys"] = (500, b"{}")
    key = Key()
    text = token(_said(key))
    oidc.refused("unavailable", lambda: _signed_in(oidc, key, text))
