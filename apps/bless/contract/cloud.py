"""The seam to the services that BLESS asks: a KMS, and IAM for groups; ``boto`` fills it.

Shapes only: importing this loads no client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class CloudError(Exception):
    """A service refused or could not be reached; the text is that of the client."""


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A plaintext, and the ARN of the key that it was encrypted with."""

    key_arn: str
    plaintext: bytes = field(repr=False)


class Decrypts(Protocol):
    """What a kmsauth token is held against. Every member raises CloudError."""

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> Decrypted:
        """Kms:Decrypt."""

    def key_arn(self, key: str) -> str:
        """The ARN of a key that is given by id, alias or ARN (kms:DescribeKey)."""


class Cloud(Decrypts, Protocol):
    """What is asked of a KMS and of IAM. Every member raises CloudError."""

    def public_key(self, key: str) -> bytes:
        """The public half of a key, in DER (kms:GetPublicKey)."""

    def sign(self, key: str, message: bytes, algorithm: str, *, digest: bool) -> bytes:
        """A signature over a message, or over its digest (kms:Sign)."""

    def groups(self, user: str) -> frozenset[str]:
        """The names of an IAM user's groups (iam:ListGroupsForUser)."""
