"""A certificate that came from the CA: read, and held against what was asked, before it is used."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynimo.sdk.commands import CommandError
from ssh_commands.options import FAILED
from sshca.certificate import CertificateError, Read, read
from sshca.public_key import PublicKey

_TYPES = {1: "user", 2: "host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What was issued; times are seconds since the epoch."""

    line: str
    blob: bytes
    type: str
    serial: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    record: int | None

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "certificate": self.line, "type": self.type, "serial": str(self.serial),
            "key_id": self.key_id, "principals": list(self.principals),
            "valid_after": self.valid_after, "valid_before": self.valid_before,
            "record": self.record,
        }  # fmt: skip


def issued(told: Mapping[str, Any], key: PublicKey) -> Issued:
    """Read the CA's answer.

    Raises:
        CommandError: it is no certificate, or of another key than was asked for.
    """
    line = str(told.get("certificate", "")).strip()
    found = parsed(line)
    if found.certificate.key.blob != key.blob:
        raise CommandError("the CA answered with a certificate of another key", FAILED)
    return said(line, found, told.get("record"))


def said(line: str, found: Read, record: Any = None) -> Issued:
    """What a certificate says."""
    one = found.certificate
    return Issued(
        line=line, blob=_blob(line), type=_TYPES[one.type],
        serial=one.serial, key_id=one.key_id, principals=one.principals,
        valid_after=one.valid_after, valid_before=one.valid_before,
        record=record if isinstance(record, int) else None,
    )  # fmt: skip


def parsed(line: str) -> Read:
    """Read a ``…-cert.pub``. Raises CommandError when it is none."""
    try:
        return read(_blob(line))
    except (CertificateError, binascii.Error, ValueError) as error:
        raise CommandError(f"that is no certificate ({error})", FAILED) from None


def _blob(line: str) -> bytes:
    words = line.split(None, 2)
    if len(words) < 2:
        raise ValueError("it is not a line as ssh-keygen writes it")
    return base64.b64decode(words[1], validate=True)
