"""Tokens beside a signed call: kmsauth's, which the KMS decrypts, as the policy has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asking import who as whos
from contract import kmsauth
from contract.cloud import Cloud
from contract.kmsauth import TokenRefused
from contract.options import KmsAuth
from issuing import used
from issuing.authority import Snapshot
from issuing.proving import Believed
from issuing.refusal import INVALID, UNPROVED, Refused
from sshca.public_key import PublicKey

TOKEN_CHARACTERS_MAX = 16_384


class Checked:
    """`issuing.proving.Tokens`, over a KMS."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def believed(
        self,
        found: Snapshot,
        told: Mapping[str, Any],
        key: PublicKey,  # noqa: ARG002 - for tokens that are bound to it
        now: float,
    ) -> tuple[Believed, ...]:
        """As `issuing.proving.Tokens`."""
        if not isinstance(told, dict) or not told or set(told) - {"kmsauth"}:
            raise Refused(INVALID, "token must be an object with kmsauth.")
        return (self._kmsauth(found, told["kmsauth"], now),)

    def _kmsauth(self, found: Snapshot, told: object, now: float) -> Believed:
        settings = found.policy.kmsauth
        if settings is None:
            raise Refused(UNPROVED, "This CA's policy takes no kmsauth tokens.")
        if not isinstance(told, dict) or set(told) != {"user", "token"}:
            raise Refused(INVALID, "kmsauth must be an object of user and token.")
        user, token = told["user"], told["token"]
        if not all(isinstance(each, str) for each in (user, token)):
            raise Refused(INVALID, "user and token of kmsauth must be texts.")
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Refused(INVALID, f"A token has at most {TOKEN_CHARACTERS_MAX} characters.")
        asked = KmsAuth(
            key_ids=settings.key_ids, service_id=settings.service, allowed=(), by_groups=False,
            group_format="",
        )  # fmt: skip
        try:
            ends = kmsauth.believe(asked, self._cloud, now, user, token)
        except TokenRefused as error:
            raise Refused(UNPROVED, str(error)) from None
        return Believed(whos.kmsauth(user), used.token("kmsauth", token, int(ends.timestamp())))
