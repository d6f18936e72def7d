"""A kmsauth token as an identity: BLESS's own check, and what makes a token usable once.

The token shows in no message.
"""

from __future__ import annotations

import base64
import hashlib
import re

from asking.rules import Kmsauth
from asking.who import TokenError, Who, kmsauth
from contract import kmsauth as contract
from contract.cloud import Decrypts
from contract.kmsauth import TokenRefused
from contract.options import KmsAuth

TOKEN_CHARACTERS_MAX = 16_384
_USER = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}\Z")
"""What IAM lets a user be called."""


def believed(settings: Kmsauth, keys: Decrypts, now: float, *, user: str, token: str) -> Who:
    """Who could encrypt with this name in the context. ``now`` is seconds since the epoch.

    Raises:
        TokenError: with kmsauth's message.
    """
    if not _USER.match(user):
        raise TokenError("The kmsauth token does not hold: no user has this name.")
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise TokenError("The kmsauth token does not hold: it is too long.")
    asked = KmsAuth(
        key_ids=settings.key_ids, service_id=settings.service, allowed=(), by_groups=False,
        group_format="",
    )  # fmt: skip
    try:
        until = contract.believe(asked, keys, now, user, token)
    except TokenRefused as error:
        raise TokenError(f"The kmsauth token does not hold: {error}") from None
    ciphertext = base64.b64decode(token, validate=True)  # the text has more than one form
    return kmsauth(user, once=hashlib.sha256(ciphertext).hexdigest(), until=until)
