"""OIDC tokens: real keys, a real issuer on loopback; what is not exactly right says nothing."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st

from asking.keysets import KeySet
from asking.oidc import Verifier, nonce_of
from asking.policy import ALGORITHMS
from asking.who import TokenError, Who
from oidc_issuer import (  # fmt: skip
    ALL,
    KEYS,
    NOW,
    SUBJECT_KEY,
    Served,
    claims,
    key_name,
    nonce,
    of_every_kind,
    public,
    settings,
    token,
)

issuer = pytest.fixture(of_every_kind)


def _kept(*names: str, **changed: Any) -> Verifier:
    """A verifier that has the keys already."""
    document = {"keys": [public(name) for name in names or ALL]}
    issuer = settings(keys="https://issuer.example.org/keys", **changed)
    return Verifier(issuer, KeySet(issuer, fetch=lambda _: document))


KEPT = _kept()


def _verify(text: str, verifier: Verifier = KEPT, now: float = NOW) -> Who:
    return verifier.verify(text, now, key=SUBJECT_KEY)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_every_pinned_algorithm_is_taken(algorithm: str, issuer: Served) -> None:
    """RSA, PSS, ECDSA and EdDSA; the keys come from the issuer's own server."""
    who = _verify(token(claims(), algorithm), Verifier(settings(keys=issuer.url + "/keys")))

    assert (who.kind, who.name, who.issuer) == ("oidc", "alice", "there")
    assert (who.email, who.groups) == ("alice@example.org", ("eng",))
    assert issuer.asked == ["/keys"]


def test_keys_are_found_by_discovery(issuer: Served) -> None:
    """Without keys, the issuer's own document says where they are."""
    issuer.say(
        "/.well-known/openid-configuration",
        {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"},
    )
    who = _verify(token(claims(iss=issuer.url)), Verifier(settings(issuer=issuer.url)))

    assert who.name == "alice"


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://issuer.example.org/"}, "another issuer"),
    "no issuer": ({"iss": None}, "another issuer"),
    "issuer is a list": ({"iss": ["https://issuer.example.org"]}, "another issuer"),
    "another audience": ({"aud": "web"}, "another audience"),
    "audience by prefix": ({"aud": "ssh2"}, "another audience"),
    "no audience": ({"aud": None}, "audience"),
    "audience is a number": ({"aud": ["ssh", 7], "azp": "ssh"}, "audience is no text"),
    "audience is a list in a list": ({"aud": [["ssh"]]}, "audience is no text"),
    "audience is an object": ({"aud": {"ssh": 1}}, "audience is no text"),
    "several audiences, no azp": ({"aud": ["ssh", "web"]}, "azp"),
    "several audiences, given to another": ({"aud": ["ssh", "web"], "azp": "web"}, "azp"),
    "expired": ({"exp": NOW - 31}, "expired"),
    "expired this second": ({"exp": NOW - 30}, "expired"),
    "too old this second": ({"iat": NOW - 3630, "exp": NOW + 9}, "too long ago"),
    "no expiry": ({"exp": None}, "no exp"),
    "expiry is true": ({"exp": True}, "no exp"),
    "expiry is text": ({"exp": "1900000000"}, "no exp"),
    "expiry is infinite": ({"exp": float("inf")}, "no time"),
    "expiry is huge": ({"exp": 10**400}, "no time"),
    "not valid yet": ({"nbf": NOW + 31}, "not valid yet"),
    "nbf is text": ({"nbf": "0"}, "no nbf"),
    "issued in the future": ({"iat": NOW + 31}, "not valid yet"),
    "no time of issue": ({"iat": None}, "no iat"),
    "issued too long ago": ({"iat": NOW - 3631, "exp": NOW + 9999}, "too long ago"),
    "for another key": ({"nonce": nonce(b"another")}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "nonce in another form": ({"nonce": nonce(SUBJECT_KEY.blob) + "="}, "nonce"),
    "nonce is not ASCII": ({"nonce": "\u0430"}, "nonce"),
    "no subject": ({"sub": None}, "no subject"),
    "empty subject": ({"sub": ""}, "no subject"),
    "subject with a line feed": ({"sub": "a\nb"}, "no subject"),
    "long subject": ({"sub": "a" * 256}, "no subject"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_token_whose_claims_are_wrong_is_refused(case: str) -> None:
    """Issuer, audience, time, nonce, subject: each by itself, in words, without the token."""
    changed, why = CLAIMS[case]
    text = jwt.PyJWS().encode(
        json.dumps(claims(**changed)).encode(), KEYS["RS"], "RS256", headers={"kid": "RS"}
    )
    with pytest.raises(TokenError, match=why) as caught:
        _verify(text)
    assert not any(part in str(caught.value) for part in text.split("."))


@pytest.mark.parametrize("changed", [
    {"aud": ["ssh"]}, {"aud": ["web", "ssh"], "azp": "ssh"}, {"exp": NOW - 29},
    {"nbf": NOW + 30}, {"iat": NOW + 30}, {"iat": NOW - 3629, "exp": NOW + 9}, {"exp": NOW + 0.5},
], ids=str)  # fmt: skip
def test_what_is_within_the_leeway_is_taken(changed: dict[str, Any]) -> None:
    """30 seconds, in every direction; an azp that is ours."""
    assert _verify(token(claims(**changed))).name == "alice"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _forged(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    text = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims()).encode())}"
    return f"{text}.{_b64(sign(text.encode()))}"


def _by_the_issuer(data: bytes) -> bytes:
    return bytes(KEYS["RS"].sign(data, padding.PKCS1v15(), hashes.SHA256()))


def _hmac_with_public_key(data: bytes) -> bytes:
    pem = KEYS["RS"].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return hmac.new(pem, data, "sha256").digest()


GOOD = token(claims())
HEAD, BODY, SIGNATURE = GOOD.split(".")
FORGED = {
    "alg none": _forged({"alg": "none", "kid": "RS"}, lambda _: b""),
    "alg None, a signature": f"{_b64(json.dumps({'alg': 'None'}).encode())}.{BODY}.{SIGNATURE}",
    "HMAC under the public key": _forged({"alg": "HS256", "kid": "RS"}, _hmac_with_public_key),
    "no alg": _forged({"kid": "RS"}, lambda _: b"x" * 256),
    "alg is a list": _forged({"alg": ["RS256"], "kid": "RS"}, lambda _: b"x" * 256),
    "unknown key id": token(claims(), kid="other"),
    "no key id, several keys": jwt.encode(claims(), KEYS["RS"], algorithm="RS256"),
    "key id of another kind": token(claims(), kid="ES256"),
    "own key in the header": jwt.encode(
        claims(), rsa.generate_private_key(65537, 2048), algorithm="RS256",
        headers={"kid": "RS", "jwk": public("RS")},
    ),
    "crit": token(claims(), crit=["exp"], exp=NOW),
    "crit of what is known": _forged(
        {"alg": "RS256", "kid": "RS", "crit": ["b64"], "b64": True}, _by_the_issuer
    ),
    "b64": _forged({"alg": "RS256", "kid": "RS", "b64": True}, _by_the_issuer),
    "signed, and too large": token(claims(more="a" * 12_500)),
    "detached": _forged({"alg": "RS256", "kid": "RS", "b64": False}, lambda _: b"x" * 256),
    "an access token": token(claims(), typ="at+jwt"),
    "body changed": f"{HEAD}.{_b64(json.dumps(claims(sub='root')).encode())}.{SIGNATURE}",
    "signature cut": GOOD[:-4],
    "signature missing": f"{HEAD}.{BODY}.",
    "signature of another kind": f"{HEAD}.{BODY}.{token(claims(), 'PS256').rpartition('.')[2]}",
    "four parts": GOOD + ".",
    "padded": GOOD + "==",
    "white space": GOOD + "\n",
    "empty": "",
    "dots": "..",
    "not ASCII": GOOD + "\u0430",
    "a megabyte": GOOD + "A" * 1_000_000,
    "header is a list": f"{_b64(b'[]')}.{BODY}.{SIGNATURE}",
    "header nested deep": f"{_b64(b'[' * 9000)}.{BODY}.{SIGNATURE}",
    "claims are a list": jwt.PyJWS().encode(b"[]", KEYS["RS"], "RS256", headers={"kid": "RS"}),
    "a claim twice": jwt.PyJWS().encode(
        json.dumps(claims()).replace('"sub"', '"sub": "root", "sub"').encode(), KEYS["RS"],
        "RS256", headers={"kid": "RS"},
    ),
    "claims are no JSON": jwt.PyJWS().encode(b"{", KEYS["RS"], "RS256", headers={"kid": "RS"}),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_a_token_that_is_forged_or_malformed_is_refused(case: str) -> None:
    """No algorithm but the pinned ones, no key but the issuer's, no other writing."""
    with pytest.raises(TokenError) as caught:
        _verify(FORGED[case])
    assert SIGNATURE not in str(caught.value)
    assert caught.value.__cause__ is None


def test_only_pinned_algorithms_are_taken() -> None:
    """A policy may pin fewer than there are."""
    verifier = _kept(algorithms=("ES256",))
    assert _verify(token(claims(), "ES256"), verifier).name == "alice"
    with pytest.raises(TokenError, match="algorithm"):
        _verify(GOOD, verifier)


@pytest.mark.parametrize("changed", [
    {"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "RS512"}, {"d": "AQAB"},
    {"kty": "oct", "k": "AA"}, {"kid": "other"}, {"n": "AQAB"}, {"n": None},
], ids=str)  # fmt: skip
def test_a_key_that_is_for_something_else_holds_no_token(changed: dict[str, Any]) -> None:
    """Use, operations, algorithm, kind and size of a key in the set."""
    document = {"keys": [public("RS") | changed, public("ES256")]}
    issuer = settings(keys="https://issuer.example.org/keys")
    verifier = Verifier(issuer, KeySet(issuer, fetch=lambda _: document))
    with pytest.raises(TokenError):
        _verify(GOOD, verifier)


def test_a_short_rsa_key_holds_no_token() -> None:
    """1024 bits are no key."""
    short = rsa.generate_private_key(65537, 1024)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key(), as_dict=True)
    issuer = settings(keys="https://issuer.example.org/keys")
    verifier = Verifier(issuer, KeySet(issuer, fetch=lambda _: {"keys": [jwk | {"kid": "RS"}]}))
    header = {"alg": "RS256", "kid": "RS"}
    text = _forged(header, lambda data: short.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    with pytest.raises(TokenError, match="size"):
        _verify(text, verifier)


def test_what_the_issuer_signed_by_hand_is_taken() -> None:
    """So that the forged ones above fail for what is wrong with them."""
    assert _verify(_forged({"alg": "RS256", "kid": "RS"}, _by_the_issuer)).name == "alice"


def test_two_keys_by_one_id_hold_no_token() -> None:
    """Which is meant cannot be told."""
    with pytest.raises(TokenError, match="one known key"):
        _verify(GOOD, _kept("RS", "RS"))


def test_a_lone_key_needs_no_id() -> None:
    """Some issuers with one key name none."""
    text = jwt.encode(claims(), KEYS["RS"], algorithm="RS256")
    assert _verify(text, _kept("RS")).name == "alice"


@pytest.mark.parametrize("changed", [
    {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"},
    {"email_verified": 1}, {"email": ["alice@example.org"]}, {"email": "alice"},
    {"email": "a@b@example.org"}, {"email": "alice@example.org\n"}, {"email": "al ice@x.org"},
    {"email": "\u0430lice@example.org"}, {"email": "@example.org"},
], ids=str)  # fmt: skip
def test_an_address_counts_only_when_it_was_verified(changed: dict[str, Any]) -> None:
    """In so many words, and only if it is one plain address."""
    assert _verify(token(claims(**changed))).email == ""


def test_a_token_without_binding_needs_no_nonce() -> None:
    """bound_to_key = false, for issuers that know no nonce."""
    text = token(claims(nonce=None))
    assert _verify(text, _kept(bound_to_key=False)).name == "alice"


def test_what_is_used_once_is_the_same_however_the_token_is_signed() -> None:
    """An ECDSA signature can be written anew by anybody; that makes no new token."""
    first, second = (token(claims(), "ES256") for _ in range(2))
    assert first != second
    one, other = _verify(first), _verify(second)

    assert one.once
    assert one.once == other.once
    assert one.until == NOW + 330


def test_the_nonce_is_that_of_the_key() -> None:
    """base64url(SHA-256(public key blob)), without padding."""
    assert nonce_of(SUBJECT_KEY) == nonce(SUBJECT_KEY.blob)


def test_a_token_shows_in_no_value() -> None:
    """What is made of a token does not carry it."""
    assert SIGNATURE not in repr(_verify(GOOD))


def test_an_identity_can_be_written_down() -> None:
    """As plain data, for requests that wait."""
    assert json.loads(json.dumps(asdict(_verify(GOOD))))["claims"]["aud"] == "ssh"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: _b64(data) + "." + BODY))
def test_any_text_is_refused_as_a_token(text: str) -> None:
    """No text breaks the reader."""
    with pytest.raises(TokenError):
        _verify(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
ES256 = key_name("ES256")


@few(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "iss",
                "aud",
                "azp",
                "exp",
                "nbf",
                "iat",
                "nonce",
                "sub",
                "email",
                "email_verified",
                "groups",
            ]
        ),
        JSON,
        min_size=1,
    )
)
def test_signed_claims_of_any_shape_are_believed_or_refused(changed: dict[str, Any]) -> None:
    """Nothing but a Who or a TokenError comes out."""
    text = jwt.PyJWS().encode(
        json.dumps(claims() | changed).encode(), KEYS[ES256], "ES256", headers={"kid": ES256}
    )
    try:
        who = _verify(text)
    except TokenError:
        return
    assert isinstance(who.name, str)
    assert "\n" not in who.told


@few(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c"]), JSON, min_size=1
    )
)
def test_headers_of_any_shape_are_refused(header: dict[str, Any]) -> None:
    """Whatever a header says, without the issuer's signature it holds nothing."""
    with pytest.raises(TokenError):
        _verify(_forged(header, lambda _: b"x" * 64))
