"""From a grant to a certificate, in two steps with the audit log between them.

First everything that is to be signed, and the record of it; when that is on the disk, the
signature. What comes back is read as a stranger would read it before it leaves. Pure but for
chance.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import NamedTuple

from asking.deciding import Grant
from issuing.generations import Generation
from issuing.refusal import INVALID, UNAVAILABLE, Refused
from possession.signatures import SignatureError, verify
from sshca.certificate import (
    CERTIFICATE_BYTES_MAX,
    HOST,
    NONCE_BYTES,
    USER,
    Certificate,
    CertificateError,
    line,
    read,
)
from sshca.public_key import PublicKey
from sshca.signers import Signer
from sshca.wire import string
from transparency.record import Record
from transparency.serials import drawn

ED25519_BYTES_MAX = 4096
"""What a KMS signs at once with such a key."""
SIGNATURE_BYTES_MAX = 1200
"""Of an RSA key of 8,192 bits, with what is around it."""
TYPES = {"user": USER, "host": HOST}


class Draft(NamedTuple):
    """A certificate that is not signed yet, its bytes, and its record."""

    certificate: Certificate
    body: bytes
    record: Record
    generation: Generation
    ca: PublicKey


class Wanted(NamedTuple):
    """What is to be certified, and what the record says of it beside that."""

    type: str
    key: PublicKey
    grant: Grant
    caller: str
    decision: str


def draft(
    wanted: Wanted, one: Generation, ca: PublicKey, now: float,
    nonce: Callable[[int], bytes] = os.urandom, serial: Callable[[], int] = drawn,
) -> Draft:  # fmt: skip
    """Everything but the signature. Raises Refused for what cannot be signed."""
    grant = wanted.grant
    certificate = Certificate(
        key=wanted.key,
        type=TYPES[wanted.type],
        key_id=grant.key_id,
        principals=grant.principals,
        valid_after=max(0, int(now) - grant.backdate_seconds),
        valid_before=int(now) + grant.valid_seconds,
        critical=_critical(grant),
        extensions=_extensions(grant),
        nonce=nonce(NONCE_BYTES),
        serial=serial(),
    )
    try:
        body = certificate.to_be_signed(ca)
    except CertificateError as error:
        raise Refused(INVALID, f"No certificate can be made of this: {error}.") from None
    most = CERTIFICATE_BYTES_MAX - SIGNATURE_BYTES_MAX
    if ca.kind.name == "ssh-ed25519":
        most = ED25519_BYTES_MAX
    if len(body) > most:
        raise Refused(
            INVALID, f"The certificate would have {len(body)} bytes, and the CA's key signs {most}:"
            " ask for fewer principals or addresses."
        )  # fmt: skip
    record = Record(
        serial=certificate.serial, type=wanted.type, key_id=grant.key_id,
        principals=grant.principals, valid_after=certificate.valid_after,
        valid_before=certificate.valid_before, key=wanted.key.sha256, ca=ca.sha256,
        caller=wanted.caller, decision=wanted.decision, issued=int(now * 1000),
    )  # fmt: skip
    return Draft(certificate, body, record, one, ca)


def signed(made: Draft, signer: Signer) -> str:
    """The certificate's line, once it was read back and its signature held.

    Raises:
        CloudError: the KMS does not sign.
        Refused: what it signed is not what was asked for.
    """
    data = made.body + string(signer.sign(made.body))
    try:
        seen = read(data)
        verify(made.ca, seen.signed, seen.signature)
        same = seen.certificate == _plain(made.certificate) and seen.ca.blob == made.ca.blob
    except (CertificateError, SignatureError):
        same = False
    if not same:
        raise Refused(
            UNAVAILABLE, "What the KMS signed is no certificate by the CA's key, so it is kept"
            " back: see to the key, and ask again."
        )  # fmt: skip
    return line(made.certificate, data, made.certificate.key.comment).rstrip()


def _plain(certificate: Certificate) -> Certificate:
    """As it is read again: a key in a certificate has no comment."""
    key = certificate.key
    return Certificate(
        key=PublicKey(key.kind, key.fields, "", key.numbers), type=certificate.type,
        key_id=certificate.key_id, principals=certificate.principals,
        valid_after=certificate.valid_after, valid_before=certificate.valid_before,
        critical=certificate.critical, extensions=certificate.extensions, nonce=certificate.nonce,
        serial=certificate.serial,
    )  # fmt: skip


def _critical(grant: Grant) -> dict[str, str]:
    found = {}
    if grant.force_command:
        found["force-command"] = grant.force_command
    if grant.source_addresses:
        found["source-address"] = ",".join(grant.source_addresses)
    if grant.verify_required:
        found["verify-required"] = ""
    return found


def _extensions(grant: Grant) -> dict[str, str]:
    found = dict.fromkeys(grant.extensions, "")
    if grant.no_touch:
        found["no-touch-required"] = ""
    return found


def blob_of(text: object, member: str) -> bytes:
    """The bytes of a certificate's line. Raises Refused."""
    parts = text.split(" ") if isinstance(text, str) else []
    try:
        return base64.b64decode(parts[1], validate=True)
    except (IndexError, ValueError):
        raise Refused(INVALID, f"{member} must be a certificate's line.") from None
