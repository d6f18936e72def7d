"""Whether a key made a signature in OpenSSH's form: RSA with SHA-2, ECDSA, Ed25519, ``sk-``. Pure.

A table of kinds, so a new one is a row. SHA-1 is in no row. Signatures of security keys also say
what their owner did: touched it, or proved who they are (PROTOCOL.u2f).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sshca.public_key import PublicKey
from sshca.weakness import weakness
from sshca.wire import Reader, WireError

TOUCHED, VERIFIED = 0x01, 0x04
"""Flags of a security key's signature: somebody was there; they gave a PIN or a finger."""


class SignatureError(ValueError):
    """The key did not make this signature."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What a security key says of its owner; ``counter`` is how often it has signed."""

    flags: int
    counter: int


def verify(key: PublicKey, data: bytes, signature: bytes) -> Presence | None:
    """Check a signature: its algorithm's name, and the signature itself.

    Whether the key is strong is asked first: with a weak one anybody makes signatures.

    Returns:
        What a security key says of its owner; None for other keys.

    Raises:
        SignatureError: it is not by this key, not over these bytes, or not in a form that is taken.
    """
    problem = weakness(key)
    if problem:
        raise SignatureError(f"with such a key anybody could have made it: {problem}")
    reader = Reader(signature)
    try:
        name = reader.string().decode("ascii", "replace")
        if name not in _NAMES.get(key.kind.name, ()):
            raise SignatureError(f"a {key.kind.name} key makes no signature that is called so")
        presence = _ROWS[name](key, data, reader)
        reader.end()
    except (WireError, ValueError) as error:
        if isinstance(error, SignatureError):
            raise
        raise SignatureError(f"the signature is damaged: {error}") from None
    except InvalidSignature:
        raise SignatureError("the signature is not by this key, or not over this message") from None
    return presence


def _rsa(algorithm: hashes.HashAlgorithm) -> Callable[[PublicKey, bytes, Reader], None]:
    def check(key: PublicKey, data: bytes, reader: Reader) -> None:
        exponent, modulus = key.numbers
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(reader.string(), data, padding.PKCS1v15(), algorithm)

    return check


def _ed25519(key: PublicKey, data: bytes, reader: Reader) -> None:
    public = Ed25519PublicKey.from_public_bytes(Reader(key.fields).string())
    public.verify(reader.string(), data)


def _ecdsa(
    curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm
) -> Callable[[PublicKey, bytes, Reader], None]:
    def check(key: PublicKey, data: bytes, reader: Reader) -> None:
        fields = Reader(key.fields)
        fields.string()  # the curve, which the kind has checked
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, fields.string())
        pair = Reader(reader.string())
        r, s = pair.mpint(), pair.mpint()
        pair.end()
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm))

    return check


def _security(
    check: Callable[[PublicKey, bytes, Reader], None],
) -> Callable[[PublicKey, bytes, Reader], Presence]:
    """The token signs hash(application), flags, counter, hash(data) (PROTOCOL.u2f)."""

    def checked(key: PublicKey, data: bytes, reader: Reader) -> Presence:
        fields = Reader(key.fields)
        application = fields.string()
        while fields.left:
            application = fields.string()  # the last field of either kind
        told = reader.string()
        flags, counter = reader.take(1), reader.take(4)
        signed = (
            hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(data).digest()
        )
        check(key, signed, Reader(len(told).to_bytes(4, "big") + told))
        return Presence(flags[0], int.from_bytes(counter, "big"))

    return checked


_P256 = _ecdsa(ec.SECP256R1(), hashes.SHA256())
_ROWS: Mapping[str, Callable[[PublicKey, bytes, Reader], Presence | None]] = {
    "rsa-sha2-256": _rsa(hashes.SHA256()),
    "rsa-sha2-512": _rsa(hashes.SHA512()),
    "ssh-ed25519": _ed25519,
    "ecdsa-sha2-nistp256": _P256,
    "ecdsa-sha2-nistp384": _ecdsa(ec.SECP384R1(), hashes.SHA384()),
    "ecdsa-sha2-nistp521": _ecdsa(ec.SECP521R1(), hashes.SHA512()),
    "sk-ssh-ed25519@openssh.com": _security(_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _security(_P256),
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    name: (name,) for name in _ROWS if not name.startswith("rsa-")
} | {"ssh-rsa": ("rsa-sha2-256", "rsa-sha2-512")}
"""Which signatures a key makes: of its own name, but for RSA (RFC 8332)."""
