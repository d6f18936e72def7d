"""A certificate of OpenSSH's (PROTOCOL.certkeys): built field by field, signed, read again.

Bytes only: no clock and no chance in here, both are given. What may be certified is decided
elsewhere; only what would be no certificate at all is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sshca.kinds import BY_CERTIFICATE, KINDS
from sshca.public_key import KeyLineError, PublicKey, from_blob
from sshca.signers import Signer
from sshca.wire import UINT64_MAX, Reader, WireError, string, strings, u32, u64

USER, HOST = 1, 2
FOREVER = UINT64_MAX
NONCE_BYTES = 32
PRINCIPALS_MAX = 256
"""OpenSSH reads no certificate with more (SSHKEY_CERT_MAX_PRINCIPALS)."""
CERTIFICATE_BYTES_MAX = 65_536
OPTIONS_KEPT = 256
"""A rule gives the same to everybody."""


class CertificateError(ValueError):
    """The bytes are no certificate, or these values would make none."""


# One for each certificate: a frozen dataclass takes four times as long to make.
class Certificate(NamedTuple):
    """What a CA says of a key.

    ``valid_after`` and ``valid_before`` are seconds since the epoch. ``critical`` and
    ``extensions`` map names to their text; an empty text is none. A value that OpenSSH defines as
    a string is packed as one (``force-command``, ``source-address``).
    """

    key: PublicKey
    type: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: Mapping[str, str]
    extensions: Mapping[str, str]
    nonce: bytes
    serial: int = 0

    def to_be_signed(self, ca: PublicKey) -> bytes:
        """Everything but the signature. Raises CertificateError for values that make none."""
        if self.type not in {USER, HOST}:
            raise CertificateError("a certificate is for a user or for a host")
        if not self.principals or len(self.principals) > PRINCIPALS_MAX:
            raise CertificateError(f"a certificate names 1 to {PRINCIPALS_MAX} principals")
        if ca.kind.name not in KINDS:
            raise CertificateError("a certificate is signed by a plain key")
        try:
            return b"".join((
                string(self.key.kind.certificate.encode()),
                string(self.nonce),
                self.key.fields,
                u64(self.serial),
                u32(self.type),
                string(self.key_id.encode()),
                string(strings(each.encode() for each in self.principals)),
                u64(self.valid_after),
                u64(self.valid_before),
                string(_options(tuple(self.critical.items()))),
                string(_options(tuple(self.extensions.items()))),
                string(b""),
                string(ca.blob),
            ))  # fmt: skip
        except (OverflowError, UnicodeEncodeError):
            raise CertificateError("a time, the serial or a text does not fit") from None


def signed(certificate: Certificate, signer: Signer) -> bytes:
    """The whole certificate. Raises CertificateError."""
    body = certificate.to_be_signed(signer.public_key)
    if len(body) > CERTIFICATE_BYTES_MAX:
        raise CertificateError(f"a certificate has at most {CERTIFICATE_BYTES_MAX} bytes")
    return body + string(signer.sign(body))


def line(certificate: Certificate, data: bytes, comment: str) -> str:
    """As it is written to ``…-cert.pub``, without the line feed."""
    name = certificate.key.kind.certificate
    return f"{name} {base64.b64encode(data).decode()} {comment}"


@dataclass(frozen=True, slots=True)
class Read:
    """A certificate that was read: what it says, who signed it, what was signed, and how."""

    certificate: Certificate
    ca: PublicKey
    signed: bytes
    signature: bytes


def read(data: bytes) -> Read:
    """Read a certificate's bytes. The signature is not checked here.

    What is read is written again as it was: of two forms for the same, one is refused.

    Raises:
        CertificateError: they are not exactly one certificate of a known kind, signed by a key
            (a certificate is no key).
    """
    if len(data) > CERTIFICATE_BYTES_MAX:
        raise CertificateError(f"a certificate has at most {CERTIFICATE_BYTES_MAX} bytes")
    reader = Reader(data)
    try:
        kind = BY_CERTIFICATE.get(reader.string().decode("ascii", "replace"))
        if kind is None:
            raise CertificateError("a certificate of no known kind")
        nonce = reader.string()
        begin = reader.at
        numbers = kind.check(reader)
        key = PublicKey(kind, data[begin : reader.at], "", numbers)
        serial, type_, key_id = reader.u64(), reader.u32(), reader.string().decode()
        principals = tuple(each.decode() for each in Reader(reader.string()).strings())
        valid_after, valid_before = reader.u64(), reader.u64()
        critical, extensions = _read_options(reader.string()), _read_options(reader.string())
        if reader.string():
            raise CertificateError("no certificate: there is something where nothing is defined")
        ca = from_blob(reader.string())
        body = data[: reader.at]
        signature = reader.string()
        reader.end()
    except (WireError, UnicodeDecodeError, KeyLineError) as error:
        raise CertificateError(f"no certificate: {error}") from None
    if type_ not in {USER, HOST}:
        raise CertificateError("no certificate: its type is neither user nor host")
    certificate = Certificate(
        key=key, type=type_, key_id=key_id, principals=principals, valid_after=valid_after,
        valid_before=valid_before, critical=critical, extensions=extensions, nonce=nonce,
        serial=serial,
    )  # fmt: skip
    return Read(certificate, ca, body, signature)


@lru_cache(OPTIONS_KEPT)
def _options(options: tuple[tuple[str, str], ...]) -> bytes:
    """Names in order, each with its text as a string within a string; without one, empty."""
    return b"".join(
        string(name.encode()) + string(string(text.encode()) if text else b"")
        for name, text in sorted(options)
    )


def _read_options(data: bytes) -> dict[str, str]:
    """Raises WireError when names are not in order, or twice, or an empty text has a length."""
    reader, found, last = Reader(data), {}, b""
    while reader.left:
        name, packed = reader.string(), reader.string()
        if name <= last:
            raise WireError("options are not in order")
        text = b""
        if packed:
            inner = Reader(packed)
            text = inner.string()
            inner.end()
            if not text:
                raise WireError("an option with an empty text has none")
        found[name.decode()] = text.decode()
        last = name
    return found
