"""The CA's keys in their KMS: made, named, restricted to this app's role, and opened to sign.

Each kind of key is a row. A key is tried when it is made: a signature by it, checked with its
public half. Every certificate is checked with that half again before it leaves.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from contract import kms_signing
from contract.cloud import Cloud, CloudError
from possession.signatures import SignatureError, verify
from sshca.public_key import PublicKey, parse
from sshca.signers import Signer, SignerError
from sshca.wire import Reader

SPECS: Mapping[str, str] = {
    "ed25519": "ECC_NIST_EDWARDS25519",
    "ecdsa": "ECC_NIST_P256",
    "rsa": "RSA_3072",
}
DELETION_DAYS = 30
AUDIT_SPEC = SPECS["ed25519"]
_PROBE = b"dynimo ssh: do the halves of this key fit?"
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/(.+)/[^/]+")
_USER = re.compile(r"arn:aws:iam::([0-9]{12}):(user|role)/.+")


class Keys(Cloud, Protocol):
    """What is asked of a KMS to make keys. Every member raises CloudError."""

    def create_key(self, spec: str, description: str, tags: Mapping[str, str], policy: str) -> str:
        """A new key for signatures; its ARN."""

    def create_alias(self, alias: str, key: str) -> None:
        """A name for a key."""

    def schedule_deletion(self, key: str, days: int) -> None:
        """The key signs no more, and is gone in so many days."""

    def identity(self) -> str:
        """The ARN of who asks."""


class Signers(Protocol):
    """Where the keys of generations are: made once, opened to sign."""

    def make(self, purpose: str, kind: str) -> tuple[str, str]:
        """A new key for a purpose: what it is called, and its public line."""

    def open(self, name: str, line: str) -> Signer:
        """What signs by a key that was made."""

    def end(self, name: str) -> None:
        """The key is to sign no more."""


@dataclass(frozen=True, slots=True)
class InKms:
    """`Signers` in a KMS. Every member raises CloudError or SignerError."""

    cloud: Keys
    origin: str

    def make(self, purpose: str, kind: str) -> tuple[str, str]:
        """As `Signers`; the key is tried before it is returned."""
        tags = {"dynimo:app": "bless", "dynimo:purpose": purpose, "dynimo:origin": self.origin}
        policy = key_policy(self.cloud.identity())
        arn = self.cloud.create_key(SPECS[kind], f"SSH CA, {purpose}", tags, policy)
        signer = kms_signing.opened(self.cloud, arn)
        tried(signer)
        with suppress(CloudError):  # a name for people; the CA goes by the key's ARN
            self.cloud.create_alias(_alias(self.origin, purpose), arn)
        return arn, as_line(signer.public_key, f"{self.origin}-{purpose.replace('/', '-')}")

    def open(self, name: str, line: str) -> Signer:
        """As `Signers`; nothing is asked before the first signature."""
        return kms_signing.InKms(self.cloud, name, parse(line))

    def end(self, name: str) -> None:
        """As `Signers`."""
        self.cloud.schedule_deletion(name, DELETION_DAYS)


@dataclass(frozen=True, slots=True)
class HeadSigner:
    """Signs heads of the audit log: an Ed25519 signature without OpenSSH's wrapping."""

    signer: Signer

    def sign(self, data: bytes) -> bytes:
        """As `transparency.heads.HeadSigner`."""
        reader = Reader(self.signer.sign(data))
        reader.string()
        return reader.string()


def tried(signer: Signer) -> None:
    """One signature, checked: halves that do not fit certify nothing. Raises SignerError."""
    try:
        verify(signer.public_key, _PROBE, signer.sign(_PROBE))
    except SignatureError:
        raise SignerError("The CA's key in the KMS does not fit its public key.") from None


def key_policy(who: str) -> str:
    """The account administers the key by its own policies; only the role ``who`` signs with it.

    Raises:
        CloudError: ``who`` is neither a role's session nor a user.
    """
    if found := _SESSION.fullmatch(who):
        account, name = found[1], found[2].rpartition("/")[2]
        roles = [f"arn:aws:iam::{account}:role/{name}", f"arn:aws:iam::{account}:role/*/{name}"]
    elif found := _USER.fullmatch(who):
        account, roles = found[1], [who]
    else:
        raise CloudError("The CA's own role cannot be told from its credentials.")
    statements = [
        {"Sid": "administration", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
         "Principal": {"AWS": f"arn:aws:iam::{account}:root"}},
        {"Sid": "onlythecasigns", "Effect": "Deny", "Action": "kms:Sign", "Resource": "*",
         "Principal": {"AWS": "*"},
         "Condition": {"ArnNotLike": {"aws:PrincipalArn": roles}}},
    ]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def as_line(key: PublicKey, comment: str) -> str:
    """A key as ``ssh-keygen`` writes it."""
    return f"{key.kind.name} {base64.b64encode(key.blob).decode()} {comment}"


def _alias(origin: str, purpose: str) -> str:
    return "alias/ssh-ca/" + re.sub(r"[^a-zA-Z0-9_-]", "-", f"{origin}-{purpose}")
