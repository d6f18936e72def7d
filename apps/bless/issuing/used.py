"""What may be used once: nonces of requests, and tokens; as claims of the audit log. Pure.

A claim is written in the transaction of the record that it lets in, so that two of the same let in
one, whatever processes they came to.
"""

from __future__ import annotations

import hashlib

from asking.who import Who
from issuing.refusal import UNPROVED, Refused
from sshca.public_key import PublicKey
from transparency.store import Claim

SKEW_SECONDS = 120
"""How far the clock of who asks may be from the CA's, either way."""
FORGET_SECONDS = 60
"""How often claims that have ended are forgotten."""
_LEEWAY_SECONDS = 5


def nonce(key: PublicKey, text: str, at: int) -> Claim:
    """Of a request by a key; it ends when the request is too old to be taken."""
    return _hash("nonce", key.sha256, text), at + SKEW_SECONDS + _LEEWAY_SECONDS


def token(who: Who) -> Claim:
    """Of a token that was believed."""
    return _hash(who.kind, who.once), int(who.until) + _LEEWAY_SECONDS


def pending(id_: str, until: int) -> Claim:
    """Of a request that waited for approval, which is collected once."""
    return _hash("pending", id_), until + _LEEWAY_SECONDS


def in_time(at: int, now: float) -> None:
    """Raise Refused for a request that was made too long ago, or in the future."""
    if abs(now - at) > SKEW_SECONDS:
        raise Refused(
            UNPROVED, f"The request was made {abs(int(now - at))} s"
            f" {'before' if now > at else 'after'} the CA's time, and {SKEW_SECONDS} s is the most:"
            " set the clock, and ask anew."
        )  # fmt: skip


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
