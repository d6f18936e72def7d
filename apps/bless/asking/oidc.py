"""OIDC tokens: signed by the issuer, for us, now, and for this key; else they say nothing.

PyJWT checks the signature; what the claims must be is checked here, against a time that is given.
Neither a token nor a part of one is in any message. Importing this costs some 50 ms and 4 MiB:
before a fork, or when a token comes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.exceptions import PyJWTError

from asking.keysets import KeyNotFound, KeySet
from asking.rules import Issuer
from asking.who import OIDC, TokenError, Who
from sshca.public_key import PublicKey

TOKEN_CHARACTERS_MAX = 16_384
SUBJECT_CHARACTERS_MAX = 255
SECONDS_BELOW = 2**53
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\Z")
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_TYPES = frozenset({"", "jwt"})
_JWS = jwt.PyJWS(options={"enforce_minimum_key_length": True})


def nonce_of(key: PublicKey) -> str:
    """What a token's ``nonce`` must be to be bound to a key."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.blob).digest()).rstrip(b"=").decode()


class Verifier:
    """Checks the tokens of one issuer; keeps its keys. Threads may share it."""

    def __init__(self, issuer: Issuer, keys: KeySet | None = None) -> None:
        self._issuer = issuer
        self._keys = keys or KeySet(issuer)

    def verify(self, token: str, now: float, *, key: PublicKey) -> Who:
        """Who it is. ``now`` is seconds since the epoch, ``key`` the one to be certified.

        Raises:
            TokenError: it does not hold; the text says what, and shows nothing of it.
            Unavailable: the issuer's keys cannot be had.
        """
        claims = _claims(self._signed(token))
        self._for_us(claims)
        until = self._in_time(claims, now)
        if self._issuer.bound_to_key:
            nonce = claims.get("nonce")
            if not isinstance(nonce, str) or not nonce.isascii() or not hmac.compare_digest(
                nonce, nonce_of(key)
            ):  # fmt: skip
                raise self._wrong("its nonce is not of the key that is to be certified")
        subject = claims.get("sub")
        if (
            not isinstance(subject, str)
            or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX
            or not subject.isprintable()
        ):
            raise self._wrong("it names no subject")
        groups = claims.get("groups")
        return Who(
            kind=OIDC,
            name=subject,
            issuer=self._issuer.name,
            email=_email(claims),
            groups=tuple(each for each in groups if isinstance(each, str))
            if isinstance(groups, list)
            else (),
            claims=claims,
            once=hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest(),
            until=until,
        )

    def _wrong(self, why: str) -> TokenError:
        return TokenError(f"The token of {self._issuer.name} does not hold: {why}.")

    def _signed(self, token: str) -> bytes:
        """The payload, after its signature held."""
        if len(token) > TOKEN_CHARACTERS_MAX or not _FORM.match(token):
            raise self._wrong("it is no signed token")
        try:
            header = _JWS.get_unverified_header(token)
        except (PyJWTError, ValueError, RecursionError):
            raise self._wrong("it is no signed token") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._issuer.algorithms:
            raise self._wrong("its algorithm is none that is taken")
        kind = header.get("typ", "")
        if "crit" in header or "b64" in header or str(kind).lower() not in _TYPES:
            raise self._wrong("it is of another kind")
        try:
            key = jwt.PyJWK(dict(self._keys.key(key_id, algorithm)), algorithm)
            if not _is_bearable(key.key):
                raise KeyNotFound("the issuer's key is of a size that nobody should trust")
            payload = _JWS.decode(token, key, algorithms=[algorithm])
        except KeyNotFound as error:
            raise self._wrong(str(error)) from None
        except (PyJWTError, ValueError, TypeError, RecursionError):
            raise self._wrong("its signature does not hold") from None
        return bytes(payload)

    def _for_us(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self._issuer.issuer:
            raise self._wrong("it is by another issuer")
        audience = claims.get("aud")
        several = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(each, str) for each in several):
            raise self._wrong("its audience is no text")
        if not set(several) & set(self._issuer.audience):
            raise self._wrong("it is for another audience")
        if len(several) > 1 and claims.get("azp") not in self._issuer.audience:
            raise self._wrong("it is for several, and was given to another (azp)")

    def _in_time(self, claims: Mapping[str, Any], now: float) -> float:
        """When it can be used no more."""
        leeway = self._issuer.leeway_seconds
        expires, issued = self._seconds(claims, "exp"), self._seconds(claims, "iat")
        if now >= expires + leeway:
            raise self._wrong("it has expired; get a new one")
        if issued > now + leeway or (
            "nbf" in claims and self._seconds(claims, "nbf") > now + leeway
        ):
            raise self._wrong("it is not valid yet; look at the clocks")
        oldest = issued + self._issuer.age_seconds_max + leeway
        if now >= oldest:
            raise self._wrong("it was issued too long ago; get a new one")
        return min(expires + leeway, oldest)

    def _seconds(self, claims: Mapping[str, Any], name: str) -> float:
        value = claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(f"it says no {name}")
        if not 0 <= value < SECONDS_BELOW:
            raise self._wrong(f"its {name} is no time")
        return float(value)


def _claims(payload: bytes) -> dict[str, Any]:
    """The claims, each once. Raises TokenError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("twice")
        return found

    try:
        claims = json.loads(payload, object_pairs_hook=once)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenError("The token does not hold: its claims are no JSON object.")
    return claims


def _email(claims: Mapping[str, Any]) -> str:
    """The address, if the issuer says in so many words that it is theirs."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return ""
    return email if _EMAIL.match(email) else ""


def _is_bearable(key: Any) -> bool:
    return not isinstance(key, RSAPublicKey) or RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX
