"""What a symmetric ciphertext looks like, and what it is bound to. Pure; no cipher runs here.

``version (1) · key id (16) · what the engine sealed``. The header and the encryption context are
the additional data of the seal, so that no bit of either can change unseen. The context's pairs are
sorted and counted, so that no two contexts have the same bytes. A version is a row to come.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

VERSION = 1
HEADER_BYTES = 17


class NotAnEnvelope(Exception):
    """These bytes are no ciphertext of ours."""


def header(key_id: str) -> bytes:
    """What a ciphertext of this key begins with."""
    return bytes([VERSION]) + uuid.UUID(key_id).bytes


def read(blob: bytes) -> tuple[str, bytes]:
    """(the key's id, what its engine sealed).

    Raises:
        NotAnEnvelope: it is too short, or of another version.
    """
    if len(blob) <= HEADER_BYTES or blob[0] != VERSION:
        raise NotAnEnvelope
    return str(uuid.UUID(bytes=blob[1:HEADER_BYTES])), blob[HEADER_BYTES:]


def bound(key_id: str, context: Mapping[str, str]) -> bytes:
    """The additional data: the header, then each pair of the context with its lengths, sorted."""
    parts = [header(key_id), len(context).to_bytes(4, "big")]
    for pair in sorted((name.encode(), value.encode()) for name, value in context.items()):
        for text in pair:
            parts += [len(text).to_bytes(4, "big"), text]
    return b"".join(parts)
