"""Does whoever asks have the key that is to be certified? They sign their request with it. Pure.

The signature must be by exactly that key, over exactly that message, for this purpose (the
namespace), and of a security key also as the policy says. That a message is used once is for who
keeps what was used.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from possession import armour, signatures
from possession.armour import ArmourError
from possession.signatures import TOUCHED, VERIFIED, SignatureError
from sshca.public_key import PublicKey

NAMESPACE_CHARACTERS_MAX = 128


class ProofError(ValueError):
    """Possession is not proved; nothing is to be certified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a proof must be.

    ``touch`` and ``verify`` say what a security key's owner must have done when signing; other keys
    cannot say, and are refused only with ``hardware``.
    """

    namespace: str
    touch: bool = True
    verify: bool = False
    hardware: bool = False

    def __post_init__(self) -> None:
        if not 0 < len(self.namespace) <= NAMESPACE_CHARACTERS_MAX:
            raise ValueError(f"a namespace has 1 to {NAMESPACE_CHARACTERS_MAX} characters")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that held. The last three are of security keys; ``counter`` grows with each use."""

    key: PublicKey
    hardware: bool = False
    touched: bool = False
    verified: bool = False
    counter: int = 0


def proved(text: str, message: bytes, key: PublicKey, policy: Policy) -> Proof:
    """Check an armoured signature over ``message`` by ``key``.

    Raises:
        ProofError: it proves nothing; says why in words that are fit for the caller.
    """
    try:
        envelope = armour.read(text)
    except ArmourError as error:
        raise ProofError(f"The proof of possession is no SSH signature: {error}.") from None
    if not hmac.compare_digest(envelope.key.blob, key.blob):
        raise ProofError("The proof of possession is by another key than the one to be certified.")
    if envelope.namespace != policy.namespace:
        raise ProofError(
            f"The proof of possession is for another purpose: sign with -n {policy.namespace}."
        )
    digest = hashlib.new(envelope.hash, message).digest()
    try:
        presence = signatures.verify(key, envelope.signed(digest), envelope.signature)
    except SignatureError as error:
        raise ProofError(f"The proof of possession does not hold: {error}.") from None
    if presence is None:
        if policy.hardware:
            raise ProofError("The policy takes keys in hardware only: use a sk- key.")
        return Proof(key)
    touched, verified = bool(presence.flags & TOUCHED), bool(presence.flags & VERIFIED)
    if policy.touch and not touched:
        raise ProofError("The security key was not touched: use one that asks for a touch.")
    if policy.verify and not verified:
        raise ProofError("The security key did not verify its owner: use one with a PIN.")
    return Proof(key, hardware=True, touched=touched, verified=verified, counter=presence.counter)
