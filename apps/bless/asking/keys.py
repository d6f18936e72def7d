"""Whether a rule takes the key that is to be certified: its kind, its size, what it did. Pure.

That the key is not a weak one is asked in ``sshca.weakness``, before any rule.
"""

from __future__ import annotations

from asking.asked import Asked
from asking.rules import Allowed
from asking.unmet import Unmet, listed
from sshca.public_key import PublicKey

_HARDWARE = "sk-"


def is_hardware(key: PublicKey) -> bool:
    """Whether it is in a security key (PROTOCOL.u2f); without attestation, as it says itself."""
    return key.kind.name.startswith(_HARDWARE)


def taken(allow: Allowed, asked: Asked) -> None:
    """Raises Unmet when the rule does not take it."""
    key = asked.key
    if key.kind.name not in allow.keys:
        raise Unmet(f"a key of the kind {key.kind.name} is none of {listed(allow.keys)}")
    if key.numbers and key.numbers[1].bit_length() < allow.rsa_bits:
        raise Unmet(f"an RSA key has at least {allow.rsa_bits} bits")
    if not is_hardware(key):
        if allow.hardware:
            raise Unmet("it takes keys in hardware only (sk-)")
        return
    if not asked.hardware:
        raise Unmet("the proof of possession is none of a security key")
    if allow.touch and not asked.touched:
        raise Unmet("the security key was not touched")
    if allow.verify and not asked.verified:
        raise Unmet("the security key did not verify its owner")
