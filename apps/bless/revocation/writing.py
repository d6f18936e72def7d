"""A list's bytes (PROTOCOL.krl). The same list always has the same bytes: everything is sorted."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from revocation.krl import Certificates, Krl
from revocation.serials import written
from sshca.wire import mpint, string, strings, u64

MAGIC = b"SSHKRL\n\0"
FORMAT = 1
CERTIFICATES, KEYS, SHA1, SIGNATURE, SHA256, EXTENSION = 1, 2, 3, 4, 5, 255
SERIAL_LIST, SERIAL_RANGE, SERIAL_BITMAP, KEY_ID, CERTIFICATE_EXTENSION = (
    0x20, 0x21, 0x22, 0x23, 0x39,
)  # fmt: skip


def encoded(krl: Krl) -> bytes:
    """The file that sshd's ``RevokedKeys`` names. Raises OverflowError for a time that is none."""
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
