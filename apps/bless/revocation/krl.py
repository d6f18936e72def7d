"""What a key revocation list says, and whether it revokes a key. Pure.

The semantics are OpenSSH's (PROTOCOL.krl; ``ssh_krl_check_key``): a certificate is revoked by its
own key, by its CA's key, or by its serial or key id under its CA or under every CA.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from revocation.serials import Range, merged

EVERY_CA = b""
"""Stands for the CA's key in what is revoked whoever signed it."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates of one CA: merged ranges of serials, and key ids."""

    serials: tuple[Range, ...] = ()
    key_ids: frozenset[bytes] = frozenset()

    def has_serial(self, serial: int) -> bool:
        """Serial 0 is in no set, as OpenSSH never looks for it."""
        at = bisect_right(self.serials, (serial, 1 << 64)) - 1
        return at >= 0 and serial <= self.serials[at][1]


def certificates(
    serials: Iterable[int] = (), ranges: Iterable[Range] = (), key_ids: Iterable[str] = ()
) -> Certificates:
    """From serials in any order, ranges of them, and key ids.

    Raises:
        ValueError: a serial is not one; a key id is empty, which would revoke whoever has none, or
            has a NUL in it, for which OpenSSH refuses the whole list.
    """
    ids = frozenset(each.encode() for each in key_ids)
    if b"" in ids:
        raise ValueError("an empty key id revokes every certificate without one: name them")
    if any(b"\0" in each for each in ids):
        raise ValueError("no certificate has a key id with a NUL in it")
    return Certificates(merged([*((each, each) for each in serials), *ranges]), ids)


@dataclass(frozen=True, slots=True)
class Krl:
    """A list: ``generated`` in seconds since the epoch; ``version`` grows with each list.

    ``certificates`` has a CA's key as a blob (RFC 4253, section 6.6), or `EVERY_CA`; ``keys`` are
    blobs, ``sha1`` and ``sha256`` hashes of blobs.
    """

    version: int
    generated: int
    comment: str = ""
    certificates: Mapping[bytes, Certificates] = field(default_factory=lambda: MappingProxyType({}))
    keys: frozenset[bytes] = frozenset()
    sha1: frozenset[bytes] = frozenset()
    sha256: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client shows: its key, and if that comes in a certificate, what this says."""

    key: bytes
    ca: bytes | None = None
    serial: int = 0
    key_id: str = ""


def revoked_by(krl: Krl, presented: Presented) -> str:
    """Why it is revoked, in a few words; empty when it is not."""
    if _has_key(krl, presented.key):
        return "its key is revoked"
    if presented.ca is None:
        return ""
    if _has_key(krl, presented.ca):
        return "its CA is revoked"
    for ca, whose in ((presented.ca, "of its CA"), (EVERY_CA, "of every CA")):
        section = krl.certificates.get(ca)
        if section is None:
            continue
        if presented.key_id.encode() in section.key_ids:
            return f"its key id is revoked {whose}"
        if section.has_serial(presented.serial):
            return f"its serial is revoked {whose}"
    return ""


def _has_key(krl: Krl, blob: bytes) -> bool:
    return (
        blob in krl.keys
        or hashlib.sha256(blob).digest() in krl.sha256
        or bool(krl.sha1 and hashlib.sha1(blob, usedforsecurity=False).digest() in krl.sha1)
    )
