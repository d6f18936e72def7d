"""An issuer's keys, kept: when they are fetched again, and which one a token is held against.

A key is chosen by its id and must be fit for the algorithm; nothing in a token names its own key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asking import fetching, urls
from asking.fetching import Unavailable
from asking.rules import Issuer
from asking.urls import Url, UrlError

FRESH_SECONDS = 900
STALE_SECONDS_MAX = 6 * 3600
"""How long keys are used on while their issuer cannot be asked."""
UNKNOWN_SECONDS = 60
"""Between two fetches for a key id that is not known: anybody can make one up."""
FAILED_SECONDS = 5
KEYS_MAX = 64
DISCOVERY = "/.well-known/openid-configuration"

Fetch = Callable[[Url], Mapping[str, Any]]
_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", ())),
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519",)),
}
_SECRET = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeyNotFound(ValueError):
    """No key, or no one key, of the issuer's is meant."""


@dataclass(slots=True)
class _Kept:
    keys: tuple[Mapping[str, Any], ...] = ()
    fetched: float = float("-inf")
    tried: float = float("-inf")


class KeySet:
    """The keys of one issuer. Threads may share it; one fetches, the others wait for it."""

    def __init__(
        self,
        issuer: Issuer,
        fetch: Fetch = fetching.document,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._fetch, self._clock = issuer, fetch, clock
        self._kept = _Kept()
        self._lock = threading.Lock()

    def key(self, key_id: str | None, algorithm: str) -> Mapping[str, Any]:
        """The one key (RFC 7517) that a token's header means.

        Raises:
            KeyNotFound: there is none, several, or it is for something else.
            Unavailable: the issuer cannot be asked.
        """
        with self._lock:
            age = self._clock() - self._kept.fetched
            if age > FRESH_SECONDS:
                self._renew(needed=age > STALE_SECONDS_MAX)
            try:
                return _chosen(self._kept.keys, key_id, algorithm)
            except KeyNotFound:
                if self._clock() - self._kept.fetched <= UNKNOWN_SECONDS:
                    raise
            self._renew(needed=False, after=UNKNOWN_SECONDS)
            return _chosen(self._kept.keys, key_id, algorithm)

    def _renew(self, *, needed: bool, after: float = FAILED_SECONDS) -> None:
        """Fetch, unless that was tried just now. Raises Unavailable if they are needed."""
        now, kept = self._clock(), self._kept
        try:
            if now - kept.tried < after:
                raise Unavailable(f"{self._issuer.name} could not be asked a moment ago.")
            kept.tried = now
            kept.keys = _usable(self._fetch(self._address()))
            kept.fetched = now
        except Unavailable:
            if needed:
                raise

    def _address(self) -> Url:
        issuer = self._issuer
        if issuer.keys:
            return urls.read(issuer.keys)
        told = self._fetch(urls.read(issuer.issuer.rstrip("/") + DISCOVERY))
        if told.get("issuer") != issuer.issuer:
            raise Unavailable(f"{issuer.name} says that it is another issuer.")
        try:
            return urls.read(str(told.get("jwks_uri", "")))
        except UrlError as error:
            raise Unavailable(f"{issuer.name} says that its keys are where {error}.") from None


def _usable(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Its public signing keys. Raises Unavailable when that is no key set."""
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise Unavailable(f"A key set is a list of at most {KEYS_MAX} keys.")
    return tuple(
        each
        for each in listed
        if isinstance(each, dict)
        and not _SECRET & set(each)
        and each.get("use", "sig") == "sig"
        and "verify" in each.get("key_ops", ["verify"])
    )


def _chosen(
    keys: tuple[Mapping[str, Any], ...], key_id: str | None, algorithm: str
) -> Mapping[str, Any]:
    kind, curves = _KINDS[algorithm]
    if key_id is None:
        found = list(keys) if len(keys) == 1 else []
    else:
        found = [each for each in keys if each.get("kid") == key_id]
    found = [
        each
        for each in found
        if each.get("kty") == kind
        and (not curves or each.get("crv") in curves)
        and each.get("alg", algorithm) == algorithm
    ]
    if len(found) != 1:
        raise KeyNotFound("not signed by one known key of the issuer")
    return found[0]
