"""AWS's event stream encoding: how one answer carries many events. Pure; encoding only.

A message is its length, the length of its headers, a CRC of those two, headers, payload, and a CRC
of it all. Source: the Smithy specification of ``application/vnd.amazon.eventstream``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct("!II")
_CRC = struct.Struct("!I")
_FRAME_BYTES = _PRELUDE.size + 2 * _CRC.size
_STRING = 7
"""The type of a header whose value is text."""


def event(kind: str, payload: bytes, content_type: str) -> bytes:
    """One message that is an event of this kind."""
    return message(
        {":event-type": kind, ":content-type": content_type, ":message-type": "event"}, payload
    )


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with text headers."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    total = _FRAME_BYTES + len(encoded) + len(payload)
    prelude = _PRELUDE.pack(total, len(encoded))
    start = prelude + _CRC.pack(zlib.crc32(prelude))
    crc = zlib.crc32(payload, zlib.crc32(encoded, zlib.crc32(start)))
    return b"".join((start, encoded, payload, _CRC.pack(crc)))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
