"""A list's bytes (PROTOCOL.krl). The same list always has the same bytes: everything is sorted.

A list that sshd cannot read locks everybody out, so nothing is written that `reading` would refuse.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from revocation.krl import EVERY_CA, Certificates, Krl
from revocation.serials import written
from sshca.public_key import from_blob
from sshca.wire import mpint, string, strings, u64

MAGIC = b"SSHKRL\n\0"
FORMAT = 1
CERTIFICATES, KEYS, SHA1, SIGNATURE, SHA256, EXTENSION = 1, 2, 3, 4, 5, 255
HASH_BYTES = {SHA1: 20, SHA256: 32}
SERIAL_LIST, SERIAL_RANGE, SERIAL_BITMAP, KEY_ID, CERTIFICATE_EXTENSION = (
    0x20, 0x21, 0x22, 0x23, 0x39,
)  # fmt: skip


def encoded(krl: Krl) -> bytes:
    """The file that sshd's ``RevokedKeys`` names.

    Raises:
        ValueError: a key is none, a hash has another length, the comment has a NUL in it.
        OverflowError: the time or the version has not 64 bits.
    """
    _check(krl)
    parts = [
        MAGIC,
        FORMAT.to_bytes(4, "big"),
        u64(krl.version),
        u64(krl.generated),
        u64(0),  # flags
        string(b""),  # reserved
        string(krl.comment.encode()),
    ]
    for ca, section in sorted(krl.certificates.items()):
        body = _certificates(section)
        if body:
            parts.append(_section(CERTIFICATES, string(ca) + string(b"") + body))
    for kind, blobs in ((KEYS, krl.keys), (SHA1, krl.sha1), (SHA256, krl.sha256)):
        parts.append(_section(kind, strings(sorted(blobs))) if blobs else b"")
    return b"".join(parts)


def _check(krl: Krl) -> None:
    if "\0" in krl.comment:
        raise ValueError("the comment of a KRL has no NUL in it")
    for blob in {*krl.certificates, *krl.keys} - {EVERY_CA}:
        from_blob(blob)
    if EVERY_CA in krl.keys:
        raise ValueError("a revoked key is not empty")
    for kind, blobs in ((SHA1, krl.sha1), (SHA256, krl.sha256)):
        if any(len(each) != HASH_BYTES[kind] for each in blobs):
            raise ValueError(f"a fingerprint of this kind has {HASH_BYTES[kind]} bytes")


def _certificates(section: Certificates) -> bytes:
    told = written(section.serials)
    return b"".join((
        _section(SERIAL_LIST, struct.pack(f">{len(told.listed)}Q", *told.listed))
        if told.listed else b"",
        _joined(_section(SERIAL_RANGE, u64(low) + u64(high)) for low, high in told.ranges),
        _joined(_section(SERIAL_BITMAP, u64(at) + mpint(bits)) for at, bits in told.bitmaps),
        _section(KEY_ID, strings(sorted(section.key_ids))) if section.key_ids else b"",
    ))  # fmt: skip


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + string(body)


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts)
