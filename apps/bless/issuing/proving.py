"""Proves who asks, before the policy is asked: the signed call, the key in hand, the tokens.

Tokens are checked by who knows them (``tokens``); they may ask others over the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from asking import who as whos
from asking.asked import Asked
from asking.who import Who
from dynimo.sdk.context import Caller
from issuing import canonical, used
from issuing.authority import Authority, Snapshot
from issuing.canonical import CanonicalError
from issuing.refusal import DENIED, INVALID, UNPROVED, Refused
from issuing.requested import Request
from possession.proof import Policy as Possession
from possession.proof import Proof, ProofError, proved
from sshca.public_key import PublicKey
from sshca.weakness import weakness

NAMESPACE = "issue@dynimo-ssh"
REQUEST_BYTES_MAX = 65_536
_POSSESSION = Possession(namespace=NAMESPACE, touch=False)
"""What a security key's owner must have done is the rule's to say."""


class Tokens(Protocol):
    """Checks tokens; may ask the network."""

    def believed(
        self, found: Snapshot, told: Mapping[str, Any], key: PublicKey, now: float
    ) -> tuple[Who, ...]:
        """What the tokens of an event prove. Raises Refused."""


def caller(told: Caller | None) -> Who:
    """Who calls. Raises Refused for a call that nobody signed."""
    if told is None:
        raise Refused(
            DENIED, "Nobody is known to have made this call: sign it, and wait for its answer."
        )
    return whos.caller(
        told.arn, account=told.account, principal=told.principal, function=told.function,
        address=told.address,
    )  # fmt: skip


def possession(message: object, proof: object, key: PublicKey, at: int, now: float) -> Proof:
    """That whoever asks has the key, now. Raises Refused."""
    used.in_time(at, now)
    if not isinstance(proof, str):
        raise Refused(UNPROVED, f"Sign the request with its key: ssh-keygen -Y sign -n {NAMESPACE}")
    try:
        data = canonical.encoded(message)
    except CanonicalError as error:
        raise Refused(INVALID, f"The request has no canonical form: {error}.") from None
    if len(data) > REQUEST_BYTES_MAX:
        raise Refused(INVALID, f"A request has at most {REQUEST_BYTES_MAX} bytes.")
    try:
        return proved(proof, data, key, _POSSESSION)
    except ProofError as error:
        raise Refused(UNPROVED, str(error)) from None


def subject(authority: Authority, found: Snapshot, key: PublicKey) -> None:
    """That a key may be certified at all. Raises Refused."""
    problem = weakness(key)
    if problem:
        raise Refused(INVALID, f"This key is not certified: {problem}.")
    if authority.own(found, key):
        raise Refused(DENIED, "The CA's own key is never certified.")
    if found.revoked and key.sha256 in found.revoked:
        raise Refused(DENIED, "This key is revoked: make a new one.")


def asked(
    request: Request, who: Who, tokens: tuple[Who, ...], proof: Proof | None, now: float
) -> Asked:
    """What the policy is asked; without a proof as if its key could do everything."""
    return Asked(
        type=request.type, key=request.key, principals=request.principals, who=who,
        tokens=tokens, source_addresses=request.source_addresses,
        force_command=request.force_command, extensions=request.extensions,
        valid_seconds=request.valid_seconds, address=who.address, now=now,
        hardware=proof is None or proof.hardware, touched=proof is None or proof.touched,
        verified=proof is None or proof.verified,
    )  # fmt: skip
