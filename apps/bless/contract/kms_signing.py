"""A CA key that never leaves its KMS: the function asks for each signature, and has no secret.

One more `Signer`. RSA and ECDSA keys sign a digest; an Ed25519 key must see the message itself,
which AWS limits to 4,096 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from contract.cloud import Cloud
from sshca.public_key import KeyLineError, PublicKey, parse
from sshca.signers import SignerError
from sshca.weakness import weakness
from sshca.wire import mpint, string

RAW_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Way:
    """How a KMS is asked to sign with a kind of key, and what OpenSSH calls that."""

    algorithm: str
    name: str
    digest: Callable[[bytes], Any] | None


_WAYS: Mapping[str, _Way] = {
    "ssh-rsa": _Way("RSASSA_PKCS1_V1_5_SHA_512", "rsa-sha2-512", hashlib.sha512),
    "ssh-ed25519": _Way("ED25519_SHA_512", "ssh-ed25519", None),
    "ecdsa-sha2-nistp256": _Way("ECDSA_SHA_256", "ecdsa-sha2-nistp256", hashlib.sha256),
    "ecdsa-sha2-nistp384": _Way("ECDSA_SHA_384", "ecdsa-sha2-nistp384", hashlib.sha384),
    "ecdsa-sha2-nistp521": _Way("ECDSA_SHA_512", "ecdsa-sha2-nistp521", hashlib.sha512),
}


@dataclass(frozen=True, slots=True)
class InKms:
    """A key in a KMS, by its id, alias or ARN."""

    cloud: Cloud
    key: str
    public_key: PublicKey

    def sign(self, data: bytes) -> bytes:
        """As `sshca.signers.Signer`.

        Raises:
            CloudError: the KMS does not sign.
            SignerError: the message is longer than it signs at once.
        """
        way = _WAYS[self.public_key.kind.name]
        if way.digest is None and len(data) > RAW_BYTES_MAX:
            raise SignerError(
                f"A KMS signs at most {RAW_BYTES_MAX} bytes with an Ed25519 key, and this"
                f" certificate has {len(data)}: ask with a shorter command or fewer names."
            )
        message = data if way.digest is None else way.digest(data).digest()
        made = self.cloud.sign(self.key, message, way.algorithm, digest=way.digest is not None)
        if way.name.startswith("ecdsa"):
            r, s = decode_dss_signature(made)
            made = mpint(r) + mpint(s)
        return string(way.name.encode()) + string(made)


def opened(cloud: Cloud, key: str) -> InKms:
    """A key that is there, of a kind that OpenSSH takes.

    Raises:
        CloudError: the KMS does not give its public half.
        SignerError: OpenSSH knows no such key.
    """
    try:
        public = load_der_public_key(cloud.public_key(key))
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        found = parse(line)
    except (ValueError, TypeError, UnsupportedAlgorithm, KeyLineError):
        raise SignerError("The CA's key in the KMS is of no kind that OpenSSH takes.") from None
    if found.kind.name not in _WAYS or weakness(found):
        raise SignerError("The CA's key in the KMS is of no kind that signs certificates here.")
    return InKms(cloud, key, found)
