"""Signature and encryption algorithms by their names in the KMS, over one key at a time.

No key is kept here and no name of a key is known; engines sign with it, everybody may verify.
PSS salts are as long as the digest, as AWS KMS makes them (RFC 8017, 9.1).
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA_1": hashes.SHA1(),  # noqa: S303 - as OAEP's hash, where collisions do not matter
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
_CURVES: dict[int, ec.EllipticCurve] = {
    256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1(),
}  # fmt: skip
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
RSA_EXPONENT = 65537


def made(family: str, bits: int) -> PrivateKey:
    """A new private key; RSA of 4096 bits takes about a second."""
    if family == "rsa":
        return rsa.generate_private_key(RSA_EXPONENT, bits)
    if family == "ecdsa":
        return ec.generate_private_key(_CURVES[bits])
    return ed25519.Ed25519PrivateKey.generate()


def public_der(key: PrivateKey) -> bytes:
    """The public half, as a DER SubjectPublicKeyInfo (RFC 5280)."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


def sign(key: PrivateKey, algorithm: str, message: bytes, *, digest: bool) -> bytes:
    """Sign a message, or a digest of the algorithm's own length."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    hashed = _hash(algorithm, digest=digest)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _padding(algorithm), hashed)
    return key.sign(message, ec.ECDSA(hashed))


def verifies(
    public: bytes, algorithm: str, message: bytes, signature: bytes, *, digest: bool
) -> bool:
    """Whether a signature is of this message by the private half of ``public`` (DER)."""
    key: Any = serialization.load_der_public_key(public)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, _padding(algorithm), _hash(algorithm, digest=digest))
        else:
            key.verify(signature, message, ec.ECDSA(_hash(algorithm, digest=digest)))
    except InvalidSignature:
        return False
    return True


def oaep(algorithm: str) -> padding.OAEP:
    """The padding of an ``RSAES_OAEP_SHA_…``."""
    hashed = _HASHES[algorithm.removeprefix("RSAES_OAEP_")]
    return padding.OAEP(mgf=padding.MGF1(hashed), algorithm=hashed, label=None)


def encrypted(public: bytes, algorithm: str, plaintext: bytes) -> bytes:
    """Encrypt for the private half of an RSA key (DER).

    Raises:
        ValueError: it is longer than the key and padding take.
    """
    key = serialization.load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    return key.encrypt(plaintext, oaep(algorithm))


def _hash(algorithm: str, *, digest: bool) -> Any:
    hashed = _HASHES["SHA_" + algorithm.rpartition("_")[2]]
    return utils.Prehashed(hashed) if digest else hashed


def _padding(algorithm: str) -> Any:
    if "_PSS_" not in algorithm:
        return padding.PKCS1v15()
    hashed = _HASHES["SHA_" + algorithm.rpartition("_")[2]]
    return padding.PSS(mgf=padding.MGF1(hashed), salt_length=padding.PSS.DIGEST_LENGTH)
