"""One record of the log: what was certified for whom, as canonical JSON. Pure.

The bytes are what is hashed, so there is exactly one form: names in order, no spaces, UTF-8
(RFC 8785). Numbers of 64 bits are decimal strings, since JSON's readers round them.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

RECORD_BYTES_MAX = 65_536
SERIAL_MAX = 0xFFFF_FFFF_FFFF_FFFF
_NUMBERS = ("serial", "valid_after", "valid_before", "issued")
_TYPES = ("user", "host")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class RecordError(ValueError):
    """These values or bytes are no record."""


class Record(NamedTuple):
    """An issued certificate.

    ``valid_after`` and ``valid_before`` are seconds since the epoch, as in the certificate;
    ``issued`` is in milliseconds. ``key`` and ``ca`` are fingerprints (``SHA256:…``). ``caller`` is
    who asked, as the platform proved it; ``decision`` is the rule that let them.
    """

    serial: int
    type: str
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    key: str
    ca: str
    caller: str
    decision: str
    issued: int

    def encoded(self) -> bytes:
        """Canonical JSON. Raises RecordError for what could not be read again."""
        problem = _problem(self)
        if problem:
            raise RecordError(problem)
        told = {
            "serial": str(self.serial), "type": self.type, "key_id": self.key_id,
            "principals": self.principals, "valid_after": str(self.valid_after),
            "valid_before": str(self.valid_before), "key": self.key, "ca": self.ca,
            "caller": self.caller, "decision": self.decision, "issued": str(self.issued),
        }  # fmt: skip
        try:
            data = _CANONICAL.encode(told).encode()
        except UnicodeEncodeError:
            raise RecordError("a record is text; this has half a character in it") from None
        if len(data) > RECORD_BYTES_MAX:
            raise RecordError(f"a record has at most {RECORD_BYTES_MAX} bytes; this is {len(data)}")
        return data


_MEMBERS = frozenset(Record._fields)


def decoded(data: bytes) -> Record:
    """Read a record. Raises RecordError for anything that `Record.encoded` does not write."""
    if len(data) > RECORD_BYTES_MAX:
        raise RecordError(f"a record has at most {RECORD_BYTES_MAX} bytes")
    try:
        told = json.loads(data)
        if not isinstance(told, dict) or set(told) != _MEMBERS:
            raise RecordError("a record has exactly the members of a record")
        values: dict[str, Any] = told | {name: _number(told[name]) for name in _NUMBERS}
        if not isinstance(told["principals"], list):
            raise RecordError("principals are a list")
        record = Record(**values | {"principals": tuple(told["principals"])})
        same = record.encoded() == data
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError("a record is JSON") from None
    if not same:
        raise RecordError("a record is in canonical form")
    return record


def _number(told: object) -> int:
    if not isinstance(told, str) or len(told) > len(str(SERIAL_MAX)):
        raise RecordError("a number of a record is a decimal string")
    return int(told)


def _problem(record: Record) -> str:
    for name in _NUMBERS:
        number = getattr(record, name)
        if not isinstance(number, int) or not 0 <= number <= SERIAL_MAX:
            return f"{name} has 64 bits"
    if record.serial == 0:
        return "a serial is not 0: OpenSSH cannot revoke it"
    if record.type not in _TYPES:
        return "a certificate is for a user or for a host"
    texts = (record.key_id, record.key, record.ca, record.caller, record.decision)
    if not all(isinstance(text, str) for text in (*texts, *record.principals)):
        return "names and words of a record are text"
    return "" if record.principals else "a certificate names a principal"
