"""What signs: a CA's key behind one small seam, and the keys in memory that fill it.

A key in a KMS or a token is one more class with these two members. Names of signatures are those of
OpenSSH (RFC 8332 for RSA): an RSA key is still called ``ssh-rsa``, its signature ``rsa-sha2-512``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sshca.public_key import PublicKey, parse
from sshca.weakness import RSA_BITS_MAX, RSA_BITS_MIN
from sshca.wire import mpint, string

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}
"""RFC 5656, section 6.2.1."""


_PROBE = b"does this key sign?"


class Signer(Protocol):
    """A CA's key: its public half, and a signature with the other."""

    @property
    def public_key(self) -> PublicKey:
        """What certificates name as their signer."""

    def sign(self, data: bytes) -> bytes:
        """A signature in OpenSSH's form: the algorithm's name, and the signature itself."""


class SignerError(ValueError):
    """There is no usable private key in what was given. Says nothing of the key."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A private key in this process. Not shown by ``repr``."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = field(
        repr=False
    )
    public_key: PublicKey

    def sign(self, data: bytes) -> bytes:
        """As `Signer`."""
        name = self.public_key.kind.name
        if isinstance(self.key, rsa.RSAPrivateKey):
            name = "rsa-sha2-512"
            signature = self.key.sign(data, padding.PKCS1v15(), hashes.SHA512())
        elif isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(_HASHES[name])))
            signature = mpint(r) + mpint(s)
        else:
            signature = self.key.sign(data)
        return string(name.encode()) + string(signature)


def load(pem: bytes, password: bytes | None) -> InMemory:
    """Read a private key: PKCS#1, SEC 1, PKCS#8 or OpenSSH's own form, encrypted or not.

    Raises:
        SignerError: it cannot be read, or not with this password; or it is of no kind that signs.
    """
    try:
        key = _private(pem, password)
    except UnsupportedAlgorithm:
        raise SignerError(
            "An encrypted key in OpenSSH's own form cannot be read here; write it as PKCS#8:"
            " ssh-keygen -p -m PKCS8 -f FILE"
        ) from None
    except (ValueError, TypeError):
        raise SignerError(
            "The CA's private key cannot be read: it is no PEM, or the password is not its own."
        ) from None
    if not isinstance(
        key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise SignerError("Unsupported CA Private Key Type")
    if isinstance(key, rsa.RSAPrivateKey) and not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise SignerError(f"An RSA CA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits.")
    if isinstance(key, rsa.RSAPrivateKey):
        _tried(key)
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return InMemory(key, parse(line.decode()))


def _tried(key: rsa.RSAPrivateKey) -> None:
    """One signature, checked: halves that do not fit certify nothing. Raises SignerError."""
    try:
        made = key.sign(_PROBE, padding.PKCS1v15(), hashes.SHA512())
        key.public_key().verify(made, _PROBE, padding.PKCS1v15(), hashes.SHA512())
    except (InvalidSignature, ValueError):
        raise SignerError("The CA's private key does not fit its public key.") from None


def _private(pem: bytes, password: bytes | None) -> object:
    """A key that is not encrypted is taken too; then the password is of no use.

    The primes of an RSA key are not tested again, which takes up to a second: the key is the
    operator's own, and `load` sees that its halves fit.
    """
    own_form = pem.lstrip().startswith(b"-----BEGIN OPENSSH")
    read: Callable[..., object] = (
        serialization.load_ssh_private_key if own_form else serialization.load_pem_private_key
    )
    try:
        return read(pem, password, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return read(pem, None, unsafe_skip_rsa_key_validation=True)
