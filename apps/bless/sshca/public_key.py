"""A public key in one line, as ``ssh-keygen`` writes it, read strictly.

One line, one key, no options before it, no certificate in its place. Whether the key is strong
enough is asked in ``weakness``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import NamedTuple

from sshca.kinds import KINDS, Kind
from sshca.wire import Reader, WireError, string

LINE_CHARACTERS_MAX = 8192
"""An RSA key of 16,384 bits takes 2,800; the rest is a long comment."""

FINGERPRINTS_KEPT = 1024


class KeyLineError(ValueError):
    """The line is not one public key."""


class PublicKey(NamedTuple):
    """A key: its kind, its fields as they stand in a certificate, and the comment of its line.

    ``numbers`` is (exponent, modulus) of an RSA key, else empty.
    """

    kind: Kind
    fields: bytes
    comment: str = ""
    numbers: tuple[int, ...] = ()

    @property
    def blob(self) -> bytes:
        """The key as it stands in a key line: its type, then its fields."""
        return string(self.kind.name.encode()) + self.fields

    @property
    def md5(self) -> str:
        """The fingerprint of old: MD5 in hexadecimal, with colons."""
        told = hashlib.md5(self.blob, usedforsecurity=False).hexdigest()
        return ":".join(told[at : at + 2] for at in range(0, 32, 2))

    @property
    def sha256(self) -> str:
        """The fingerprint as OpenSSH prints it."""
        return _sha256(self.kind.name, self.fields)


@lru_cache(maxsize=FINGERPRINTS_KEPT)
def _sha256(name: str, fields: bytes) -> str:
    """Asked again and again for the same few keys, such as a CA's."""
    digest = hashlib.sha256(string(name.encode()) + fields).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def from_blob(blob: bytes, comment: str = "") -> PublicKey:
    """Raises KeyLineError when the bytes are not exactly one key of a known kind."""
    reader = Reader(blob)
    try:
        name = reader.string()
        kind = KINDS.get(name.decode("ascii", "replace"))
        if kind is None:
            raise KeyLineError("the key's type is not known")
        at = reader.at
        numbers = kind.check(reader)
        reader.end()
    except WireError as error:
        raise KeyLineError(f"the key is damaged: {error}") from None
    return PublicKey(kind, blob[at:], comment, numbers)


def parse(line: str) -> PublicKey:
    """Read ``TYPE BASE64 COMMENT``; one line feed at the end is left out.

    Raises:
        KeyLineError: it is anything else, even by a space.
    """
    line = line.removesuffix("\n")
    if len(line) > LINE_CHARACTERS_MAX:
        raise KeyLineError(f"a key's line has at most {LINE_CHARACTERS_MAX} characters")
    if not line.isprintable():
        raise KeyLineError("a key is one line, without control characters")
    name, _, rest = line.partition(" ")
    encoded, _, comment = rest.partition(" ")
    if name not in KINDS:
        raise KeyLineError("the line begins with no known key type")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyLineError("the key is not base64") from None
    if base64.b64encode(blob).decode() != encoded:
        raise KeyLineError("the key is not base64 in its one form")
    key = from_blob(blob, comment)
    if key.kind.name != name:
        raise KeyLineError("the key is of another type than its line says")
    return key
