"""A signed tree head: how long the log is, its root, when, and the log's signature. Pure.

What is signed is text with a first line that nothing else begins with, so that a signature made
here means nothing anywhere else. A head is written as JSON in one line.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from transparency.tree import HASH_BYTES

SIGNATURE_BYTES = 64
HEAD_CHARACTERS_MAX = 1024
ORIGIN_CHARACTERS_MAX = 256
NUMBER_MAX = 2**63 - 1
_PURPOSE = "dynimo audit log head v1"
_MEMBERS = {"origin", "size", "root", "time", "signature"}


class HeadError(ValueError):
    """These values or this text are no tree head."""


class HeadSigner(Protocol):
    """The log's private Ed25519 key, wherever it is kept: in memory, in a KMS, in a token."""

    def sign(self, data: bytes) -> bytes:
        """The signature (RFC 8032), 64 bytes."""


@dataclass(frozen=True, slots=True)
class Head:
    """``origin`` names the log; ``time`` is in milliseconds since the epoch."""

    origin: str
    size: int
    root: bytes
    time: int

    def statement(self) -> bytes:
        """The bytes that are signed. Raises HeadError."""
        if not self.origin.isprintable() or not 0 < len(self.origin) <= ORIGIN_CHARACTERS_MAX:
            raise HeadError(f"a log's name has 1 to {ORIGIN_CHARACTERS_MAX} printable characters")
        if not (0 <= self.size <= NUMBER_MAX and 0 <= self.time <= NUMBER_MAX):
            raise HeadError("a head's size and time are numbers of 63 bits")
        if len(self.root) != HASH_BYTES:
            raise HeadError(f"a root has {HASH_BYTES} bytes")
        lines = (_PURPOSE, self.origin, str(self.size), self.root.hex(), str(self.time), "")
        return "\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head and the signature over its statement."""

    head: Head
    signature: bytes

    def line(self) -> str:
        """As it is published: JSON, in the form that `read` takes."""
        head = self.head
        signature = base64.b64encode(self.signature).decode()
        return json.dumps(
            {"origin": head.origin, "size": head.size, "root": head.root.hex(), "time": head.time,
             "signature": signature},
            separators=(",", ":"), ensure_ascii=False,
        )  # fmt: skip

    def holds(self, key: Ed25519PublicKey) -> bool:
        """Whether the log with this key signed it."""
        try:
            key.verify(self.signature, self.head.statement())
        except (InvalidSignature, HeadError):
            return False
        return True


def signed(head: Head, signer: HeadSigner) -> SignedHead:
    """Raises HeadError when what comes back is no signature."""
    signature = signer.sign(head.statement())
    if len(signature) != SIGNATURE_BYTES:
        raise HeadError(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes: the key is another's")
    return SignedHead(head, signature)


def read(line: str) -> SignedHead:
    """Read a published head. Raises HeadError for what `SignedHead.line` does not write."""
    if len(line) > HEAD_CHARACTERS_MAX:
        raise HeadError(f"a head has at most {HEAD_CHARACTERS_MAX} characters")
    try:
        told = json.loads(line)
        if not isinstance(told, dict) or set(told) != _MEMBERS:
            raise HeadError("a head has exactly the members of a head")
        texts, numbers = (
            (told["origin"], told["root"], told["signature"]),
            (told["size"], told["time"]),
        )
        if not all(type(each) is str for each in texts):
            raise HeadError("origin, root and signature of a head are text")
        if not all(type(each) is int for each in numbers):
            raise HeadError("size and time of a head are whole numbers")
        head = Head(told["origin"], told["size"], bytes.fromhex(told["root"]), told["time"])
        found = SignedHead(head, base64.b64decode(told["signature"], validate=True))
        head.statement()
        same = found.line() == line
    except (ValueError, RecursionError, binascii.Error) as error:
        if isinstance(error, HeadError):
            raise
        raise HeadError(
            "a head is JSON with a root in hexadecimal and a base64 signature"
        ) from None
    if not same or len(found.signature) != SIGNATURE_BYTES:
        raise HeadError("a head is written in one form only")
    return found
