"""Tokens of kmsauth, version 2: who asks is who could encrypt with that name in the context.

The messages are kmsauth's. Two of its faults are mended: a lifetime counts its whole days too, and
no token is ever logged. Nor does anybody learn of groups or names before the token was believed.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta

from contract.cloud import Cloud, CloudError, Decrypts
from contract.options import KmsAuth

LIFETIME_MAX = timedelta(minutes=60)
_FORM = "%Y%m%dT%H%M%SZ"
_GENERAL = "Authentication error. General error."


class TokenRefused(ValueError):
    """The caller did not prove who they are, or may not ask for this."""


def authorise(
    asked: KmsAuth, cloud: Cloud, now: float, *, user: str, remote: tuple[str, ...], token: str
) -> None:
    """Check the token, and then what ``user`` may ask for. ``now`` is seconds since the epoch.

    Raises:
        TokenRefused: with BLESS's or kmsauth's message.
        CloudError: IAM cannot be asked.
    """
    believe(asked, cloud, now, user, token)
    if not asked.allowed:
        if remote != (user,):
            raise TokenRefused("remote_usernames must be the same as bastion_user")
        return
    if asked.allowed != ("*",) and not set(remote) <= set(asked.allowed):
        raise TokenRefused(f"unallowed remote_usernames [{','.join(remote)}]")
    if asked.by_groups:
        groups = cloud.groups(user)
        for name in remote:
            wanted = asked.group_format.replace("{}", name)
            if wanted not in groups:
                raise TokenRefused(f"user {user} is not in the {wanted} iam group")


def believe(asked: KmsAuth, cloud: Decrypts, now: float, user: str, token: str) -> float:
    """Check the token alone. Gives when its window ends, in seconds since the epoch.

    Raises:
        TokenRefused: with kmsauth's message.
    """
    if "/" in user:
        raise TokenRefused("Unsupported username format.")
    if not asked.service_id or not asked.key_ids:
        raise TokenRefused("Authentication error. kmsauth_serviceid or kmsauth_key_id is not set.")
    context = {"to": asked.service_id, "from": user, "user_type": "user"}
    try:
        told = cloud.decrypt(base64.b64decode(token, validate=True), context)
    except (CloudError, binascii.Error, ValueError):
        raise TokenRefused(_GENERAL) from None
    if not any(_is(key, told.key_arn, cloud) for key in asked.key_ids):
        raise TokenRefused("Authentication error (wrong KMS key).")
    begin, end = _window(told.plaintext)
    if end - begin > LIFETIME_MAX:
        raise TokenRefused("Authentication error. Token lifetime exceeded.")
    if not begin <= datetime.fromtimestamp(now, UTC) <= end:
        raise TokenRefused("Authentication error. Invalid time validity for token.")
    return end.timestamp()


def _is(key: str, arn: str, cloud: Decrypts) -> bool:
    """Whether a configured key has this ARN; a KMS may not know those of other regions."""
    if ":key/" in key:
        return key == arn
    try:
        return cloud.key_arn(key) == arn
    except CloudError:
        return False


def _window(plaintext: bytes) -> tuple[datetime, datetime]:
    try:
        payload = json.loads(plaintext)
    except (ValueError, RecursionError):
        raise TokenRefused(_GENERAL) from None
    try:
        first, last = (
            datetime.strptime(payload[name], _FORM).replace(tzinfo=UTC)
            for name in ("not_before", "not_after")
        )
    except (KeyError, TypeError, ValueError):
        raise TokenRefused("Authentication error. Missing validity.") from None
    return first, last
