"""What each parser of bytes promises for any bytes at all, and bytes to begin from.

Each target returns when the bytes were refused with the parser's own error, or taken and written
again as they were; anything else is a mistake of ours. `test_bless_fuzz` runs them for moments,
`fuzz` for as long as one likes.
"""

from __future__ import annotations

import base64
import hashlib
import warnings

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_ssh_public_identity,
    load_ssh_public_key,
)

import audit_records
from bless_kit import CA_ED25519, CA_P256, CA_RSA, NONCE, USER_ED25519, USER_RSA, pem, public
from possession import armour, signatures
from possession.proof import Policy, ProofError, proved
from revocation import krl, reading, writing
from sshca.certificate import USER, Certificate, CertificateError, read, signed
from sshca.public_key import KeyLineError, PublicKey, from_blob, parse
from sshca.signers import load
from sshca.weakness import on_its_curve, weakness
from sshca.wire import string
from tests.fuzzing import Table
from transparency import export
from transparency.record import RecordError, decoded

SIGNERS = [load(pem(each, "pkcs8", None), None) for each in (CA_ED25519, CA_P256, CA_RSA)]
TOKEN = from_blob(
    string(b"sk-ssh-ed25519@openssh.com") + parse(public(USER_ED25519)).fields + string(b"ssh:")
)
KEYS = [parse(public(USER_ED25519)), parse(public(USER_RSA)), SIGNERS[1].public_key, TOKEN]
MESSAGE, POLICY = b"a request", Policy(namespace="issue@dynimo-ssh")


def _line_of(key: PublicKey) -> str:
    return f"{key.kind.name} {base64.b64encode(key.blob).decode()}"


def _known(key: PublicKey) -> None:
    """What we call a strong key, others take too."""
    if not weakness(key) and on_its_curve(key) and not key.kind.name.startswith("sk-"):
        load_ssh_public_key(_line_of(key).encode())


def key(data: bytes) -> None:
    """A key's blob."""
    try:
        found = from_blob(data)
    except KeyLineError:
        return
    assert found.blob == data
    _known(found)


def line(data: bytes) -> None:
    """A key's line, of any characters."""
    text = data.decode("utf-8", "replace")
    try:
        found = parse(text)
    except KeyLineError:
        return
    again = _line_of(found)
    assert text.removesuffix("\n") in {again, f"{again} {found.comment}"}
    _known(found)


def certificate(data: bytes) -> None:
    """A certificate; what we read of it, ``cryptography`` reads too."""
    try:
        found = read(data)
    except CertificateError:
        return
    told = found.certificate
    if told.principals and len(told.principals) <= 256:
        assert told.to_be_signed(found.ca) == found.signed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = load_ssh_public_identity(
                f"{told.key.kind.certificate} {base64.b64encode(data).decode()}".encode()
            )
    except (ValueError, UnsupportedAlgorithm, TypeError):
        return  # it knows fewer kinds, and asks more of numbers: see `weakness`
    assert theirs.key_id == told.key_id.encode()  # type: ignore[union-attr]
    assert theirs.serial == told.serial  # type: ignore[union-attr]


def revocations(data: bytes) -> None:
    """A KRL; what is revoked stays so when it is written again."""
    try:
        found = reading.read(data)
    except reading.KrlError:
        return
    kept = {ca: told for ca, told in found.certificates.items() if told.serials or told.key_ids}
    if len(data) < 4096:
        again = reading.read(writing.encoded(found))
        assert dict(again.certificates) == kept
        assert (again.keys, again.sha1, again.sha256) == (found.keys, found.sha1, found.sha256)
    for each in KEYS:
        krl.revoked_by(found, krl.Presented(each.blob, SIGNERS[0].public_key.blob, 7, "an id"))


def envelope(data: bytes) -> None:
    """The bytes of an SSH signature, and its armour, of which there is one form of ours."""
    try:
        found = armour.from_bytes(data)
    except armour.ArmourError:
        return
    again = armour.written(found)
    assert base64.b64decode("".join(again.split("\n")[1:-2])) == data
    if len(again) <= armour.ARMOUR_CHARACTERS_MAX:
        assert armour.read(again) == found
    try:
        proved(again, MESSAGE, found.key, POLICY)
    except ProofError:
        return
    assert (found.namespace, weakness(found.key)) == (POLICY.namespace, "")


def armoured(data: bytes) -> None:
    """An armour of any characters."""
    try:
        found = armour.read(data.decode("utf-8", "replace"))
    except armour.ArmourError:
        return
    armour.written(found)


def signature(data: bytes) -> None:
    """A signature: none but those that were made with the key hold."""
    for each, made in zip((SIGNERS[0], SIGNERS[1], SIGNERS[2]), SIGNED, strict=True):
        try:
            signatures.verify(each.public_key, MESSAGE, data)
        except signatures.SignatureError:
            continue
        # ECDSA has a second form of each signature; Ed25519 and RSA have one
        assert data == made or each is SIGNERS[1]
    try:
        signatures.verify(TOKEN, MESSAGE, data)
    except signatures.SignatureError:
        return
    raise AssertionError("nobody made a signature with the token")


def record(data: bytes) -> None:
    """A record of the log: canonical, or none."""
    try:
        found = decoded(data)
    except RecordError:
        return
    assert found.encoded() == data


def exported(data: bytes) -> None:
    """A line of an export."""
    try:
        export.read(data)
    except export.LineError:
        return


SIGNED = [each.sign(MESSAGE) for each in SIGNERS]


def _certificates() -> list[bytes]:
    return [
        signed(
            Certificate(
                key=each, type=USER, key_id="an id", principals=("ada", "bob"), valid_after=1,
                valid_before=2, critical={"source-address": "10.0.0.0/8"},
                extensions={"permit-pty": "", "x@y": "z"}, nonce=NONCE, serial=7,
            ),
            signer,
        )
        for each, signer in zip(KEYS, (*SIGNERS, SIGNERS[0]), strict=True)
    ]  # fmt: skip


def _lists() -> list[bytes]:
    ca = SIGNERS[0].public_key.blob
    serials = [1, 5, 6, 7, *range(100, 400, 2), 2**63]
    many = krl.certificates(serials, [(2**40, 2**41)], ["an id", "another"])
    some = krl.Krl(
        7, 1_700_000_000, "a list", {ca: many, krl.EVERY_CA: krl.certificates([9])},
        frozenset([KEYS[0].blob]), frozenset([b"x" * 20]), frozenset([b"y" * 32]),
    )  # fmt: skip
    return [writing.encoded(some), writing.encoded(krl.Krl(0, 0))]


def _envelopes() -> list[bytes]:
    made = []
    for signer in SIGNERS:
        found = armour.Envelope(signer.public_key, POLICY.namespace, "sha512", b"")
        data = signer.sign(found.signed(hashlib.sha512(MESSAGE).digest()))
        text = armour.written(armour.Envelope(signer.public_key, POLICY.namespace, "sha512", data))
        made.append(base64.b64decode("".join(text.split("\n")[1:-2])))
    return made


def _armours() -> list[bytes]:
    return [armour.written(armour.from_bytes(each)).encode() for each in _envelopes()]


def _records() -> list[bytes]:
    return [audit_records.record(7).encoded()]


def _exports() -> list[bytes]:
    return [b'{"log":"audit.example.org"}', b'{"index":0,"hash":"%s","record":{}}' % (b"0" * 64)]


TARGETS: Table = {
    "key": (key, lambda: [each.blob for each in KEYS]),
    "line": (line, lambda: [(_line_of(each) + " me@here\n").encode() for each in KEYS]),
    "certificate": (certificate, _certificates),
    "krl": (revocations, _lists),
    "sshsig": (envelope, _envelopes),
    "armour": (armoured, _armours),
    "signature": (signature, lambda: SIGNED),
    "record": (record, _records),
    "export": (exported, _exports),
}
