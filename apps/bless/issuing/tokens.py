"""Tokens beside a signed call: each is led to who can check it, as the policy has them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from asking import kmsauth_tokens
from asking.fetching import Unavailable
from asking.oidc import Verifier
from asking.rules import Issuer
from asking.who import TokenError, Who
from contract.cloud import Decrypts
from issuing.authority import Snapshot
from issuing.refusal import INVALID, UNAVAILABLE, UNPROVED, Refused
from sshca.public_key import PublicKey

TOKEN_CHARACTERS_MAX = 16_384
KINDS = ("oidc", "kmsauth")


class Checked:
    """`issuing.proving.Tokens`, over a KMS and the issuers of the policy."""

    def __init__(self, keys: Decrypts) -> None:
        self._keys = keys
        self._verifiers: dict[str, tuple[Issuer, Verifier]] = {}

    def believed(
        self, found: Snapshot, told: Mapping[str, Any], key: PublicKey, now: float
    ) -> tuple[Who, ...]:
        """As `issuing.proving.Tokens`."""
        if not isinstance(told, dict) or not told or set(told) - set(KINDS):
            raise Refused(INVALID, f"token must be an object with {' or '.join(KINDS)}.")
        proved = []
        try:
            if "kmsauth" in told:
                proved.append(self._kmsauth(found, told["kmsauth"], now))
            if "oidc" in told:
                proved.append(self._oidc(found, told["oidc"], key, now))
        except TokenError as error:
            raise Refused(UNPROVED, str(error)) from None
        except Unavailable as error:
            raise Refused(UNAVAILABLE, str(error)) from None
        return tuple(proved)

    def _kmsauth(self, found: Snapshot, told: object, now: float) -> Who:
        settings = found.policy.kmsauth
        if settings is None:
            raise Refused(UNPROVED, "This CA's policy takes no kmsauth tokens.")
        if not isinstance(told, dict) or set(told) != {"user", "token"}:
            raise Refused(INVALID, "kmsauth must be an object of user and token.")
        if not all(isinstance(each, str) for each in told.values()):
            raise Refused(INVALID, "user and token of kmsauth must be texts.")
        return kmsauth_tokens.believed(
            settings, self._keys, now, user=told["user"], token=told["token"]
        )

    def _oidc(self, found: Snapshot, token: object, key: PublicKey, now: float) -> Who:
        """By one of the policy's entries for the issuer that the token names; each is tried."""
        if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS_MAX:
            raise Refused(INVALID, f"oidc must be a token of at most {TOKEN_CHARACTERS_MAX}.")
        named = _issuer(token)
        failed = TokenError("This CA's policy knows no issuer of this name: see its [oidc].")
        for settings in found.policy.issuers.values():
            if settings.issuer == named:
                try:
                    return self._verifier(settings).verify(token, now, key=key)
                except TokenError as error:
                    failed = error
        raise failed

    def _verifier(self, settings: Issuer) -> Verifier:
        """Kept, with the issuer's keys, for as long as the policy says the same of it."""
        kept = self._verifiers.get(settings.name)
        if kept is None or kept[0] != settings:
            kept = self._verifiers[settings.name] = (settings, Verifier(settings))
        return kept[1]


def _issuer(token: str) -> str:
    """What a token says of its issuer. Nothing is believed of it before it was verified."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["iss"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        raise TokenError("The OIDC token is none.") from None
