"""The table of key kinds: what each is called, what its fields are, and when they are in order.

A new kind is a row here, and nothing else. What makes a key weak is in ``weakness``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from sshca.wire import Reader, WireError

ED25519_BYTES = 32
APPLICATION_BYTES_MAX = 1024
"""Of a security key's application: OpenSSH's is ``ssh:`` and a few letters."""
RSA_BYTES_MAX = 2049
"""A modulus of 16,384 bits with its sign; what is larger is not even read as a number."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of public key.

    ``name`` is its type in a key line, ``certificate`` that in a certificate (PROTOCOL.certkeys).
    ``family`` is the word for fingerprints. ``check`` reads the fields that follow the name, and
    raises WireError; what it returns are the numbers of an RSA key.
    """

    name: str
    certificate: str
    family: str
    check: Callable[[Reader], tuple[int, ...]]


def _rsa(reader: Reader) -> tuple[int, ...]:
    at = reader.at
    exponent, modulus = reader.mpint(), reader.mpint()
    if reader.at - at > 2 * RSA_BYTES_MAX:
        raise WireError("an RSA key of this size is no key")
    return exponent, modulus


def _ed25519(reader: Reader) -> tuple[int, ...]:
    if len(reader.string()) != ED25519_BYTES:
        raise WireError(f"an Ed25519 key has {ED25519_BYTES} bytes")
    return ()


def _ecdsa(curve: ec.EllipticCurve, name: bytes) -> Callable[[Reader], tuple[int, ...]]:
    def check(reader: Reader) -> tuple[int, ...]:
        if reader.string() != name:
            raise WireError("the curve is not that of the key's type")
        point = reader.string()
        if point[:1] != b"\x04":  # OpenSSH takes uncompressed points only
            raise WireError("a point must be uncompressed")
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
        except ValueError:
            raise WireError("the point is not on its curve") from None
        return ()

    return check


def _security(check: Callable[[Reader], tuple[int, ...]]) -> Callable[[Reader], tuple[int, ...]]:
    """A key in a token: its fields, and then the application that it is for (PROTOCOL.u2f)."""

    def checked(reader: Reader) -> tuple[int, ...]:
        found = check(reader)
        application = reader.string()
        if not application or len(application) > APPLICATION_BYTES_MAX:
            raise WireError("a security key names the application that it is for")
        if b"\0" in application:  # OpenSSH reads up to it, or not at all
            raise WireError("an application's name has no NUL in it")
        return found

    return checked


_P256, _P384, _P521 = (
    _ecdsa(ec.SECP256R1(), b"nistp256"),
    _ecdsa(ec.SECP384R1(), b"nistp384"),
    _ecdsa(ec.SECP521R1(), b"nistp521"),
)
_V1 = "-cert-v01@openssh.com"
_ROWS = (
    Kind("ssh-rsa", "ssh-rsa" + _V1, "RSA", _rsa),
    Kind("ssh-ed25519", "ssh-ed25519" + _V1, "ED25519", _ed25519),
    Kind("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" + _V1, "ECDSA", _P256),
    Kind("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" + _V1, "ECDSA", _P384),
    Kind("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" + _V1, "ECDSA", _P521),
    Kind("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519" + _V1, "ED25519-SK", _security(_ed25519)),
    Kind("sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256" + _V1, "ECDSA-SK",
         _security(_P256)),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ROWS}
BY_CERTIFICATE: Mapping[str, Kind] = {kind.certificate: kind for kind in _ROWS}
