"""OpenSSH, asyncssh and ``cryptography`` read every kind of certificate as we do, field by field.

What a peer cannot read stands in `BLIND`, by name.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_identity,
)

from bless_kit import CA_ED25519, CA_P256, CA_RSA, NONCE, NOW, USER_ED25519, USER_RSA, pem, public
from sshca.certificate import FOREVER, HOST, USER, Certificate, line, read, signed
from sshca.kinds import KINDS
from sshca.public_key import PublicKey, from_blob, parse
from sshca.signers import load
from sshca.wire import Reader, string

SUBJECT_P256 = ec.generate_private_key(ec.SECP256R1())
PLAIN = [
    USER_RSA, USER_ED25519, SUBJECT_P256, ec.generate_private_key(ec.SECP384R1()),
    ec.generate_private_key(ec.SECP521R1()),
]  # fmt: skip
CAS = [CA_ED25519, CA_P256, CA_RSA, ec.generate_private_key(ec.SECP384R1()),
       ec.generate_private_key(ec.SECP521R1())]  # fmt: skip
SIGNERS = {
    signer.public_key.kind.name: signer
    for signer in (load(pem(k, "pkcs8", None), None) for k in CAS)
}
TOKENS = {
    "sk-ssh-ed25519@openssh.com": USER_ED25519,
    "sk-ecdsa-sha2-nistp256@openssh.com": SUBJECT_P256,
}


def _in_token(name: str, key: Any) -> PublicKey:
    """The public half as a security key would have it."""
    return from_blob(string(name.encode()) + parse(public(key)).fields + string(b"ssh:"))


SUBJECTS = {key.kind.name: key for key in (parse(public(each)) for each in PLAIN)} | {
    name: _in_token(name, key) for name, key in TOKENS.items()
}
BLIND = {("cryptography", name) for name in TOKENS}
"""``cryptography`` has no keys in tokens: it names the kind as one that it does not support."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What somebody reads of a certificate; keys by their fingerprints."""

    kind: str
    type: int
    key: str
    ca: str
    key_id: str
    serial: int
    valid_after: int
    valid_before: int
    principals: tuple[str, ...]
    critical: Mapping[str, str]
    extensions: Mapping[str, str]


def _by_us(text: str) -> Seen:
    seen = read(base64.b64decode(text.split(" ")[1]))
    told = seen.certificate
    return Seen(
        kind=told.key.kind.certificate, type=told.type, key=told.key.sha256, ca=seen.ca.sha256,
        key_id=told.key_id, serial=told.serial, valid_after=told.valid_after,
        valid_before=told.valid_before, principals=told.principals, critical=told.critical,
        extensions=told.extensions,
    )  # fmt: skip


def _by_openssh(text: str, folder: Path) -> tuple[Seen, str]:
    """By ``ssh-keygen -L``; and the name of the signature."""
    path = folder / "seen-cert.pub"
    path.write_text(text + "\n")
    told = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(path)], capture_output=True, text=True, timeout=30,
        check=True, env=os.environ | {"TZ": "UTC"},
    ).stdout  # fmt: skip
    found = re.fullmatch(
        r".*?:\n\s+Type: (\S+) (user|host) certificate\n\s+Public key: \S+ (\S+)\n"
        r"\s+Signing CA: \S+ (\S+) \(using (\S+)\)\n\s+Key ID: \"(.*)\"\n\s+Serial: (\d+)\n"
        r"\s+Valid: ([^\n]*)\n\s+Principals: ?([^\n]*\n.*?)\s+Critical Options: ?([^\n]*\n.*?)"
        r"\s+Extensions: ?([^\n]*(?:\n.*)?)", told, re.DOTALL,
    )  # fmt: skip
    assert found is not None, told
    kind, type_, key, ca, algorithm, key_id, serial, valid, *lists = found.groups()
    after, before = _times(valid)
    principals, critical, extensions = (
        [] if each.strip() == "(none)" else each.strip("\n ").split("\n") for each in lists
    )
    seen = Seen(
        kind=kind, type=USER if type_ == "user" else HOST, key=key, ca=ca, key_id=key_id,
        serial=int(serial), valid_after=after, valid_before=before,
        principals=tuple(each.strip() for each in principals),
        critical=_named(critical), extensions=_named(extensions),
    )  # fmt: skip
    return seen, algorithm


def _times(told: str) -> tuple[int, int]:
    words = dict(zip(told.split()[::2], told.split()[1::2], strict=False))

    def at(word: str, otherwise: int) -> int:
        if word not in words:
            return otherwise
        return int(datetime.fromisoformat(words[word]).replace(tzinfo=UTC).timestamp())

    return at("from", at("after", 0)), at("to", at("before", FOREVER))


def _named(lines: list[str]) -> dict[str, str]:
    """Options as they are listed: a name, and its text or what ssh-keygen says in its place."""
    pairs = (each.strip().partition(" ") for each in lines if each.strip())
    return {name: text for name, _, text in pairs}


def _text(value: Any) -> str:
    """An option's text again, of what asyncssh makes of it."""
    if value is True:
        return ""
    return value if isinstance(value, str) else ",".join(map(str, value))


def _by_asyncssh(text: str) -> Seen:
    """It keeps options of both sorts together, and leaves out those that it does not know."""
    told: Any = asyncssh.import_certificate(text)
    options = {name: _text(value) for name, value in told.options.items()}
    critical = {"force-command", "source-address"}
    return Seen(
        kind=told.algorithm.decode(), type=told._cert_type, key=told.key.get_fingerprint(),
        ca=told.signing_key.get_fingerprint(), key_id=told._key_id, serial=told._serial,
        valid_after=told._valid_after, valid_before=told._valid_before,
        principals=tuple(told.principals),
        critical={name: text for name, text in options.items() if name in critical},
        extensions={name: text for name, text in options.items() if name not in critical},
    )  # fmt: skip


def _by_cryptography(text: str) -> Seen:
    told: Any = load_ssh_public_identity(text.encode())
    told.verify_cert_signature()

    def fingerprint(key: Any) -> str:
        return parse(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()).sha256

    def texts(options: Mapping[bytes, bytes]) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in options.items()}

    return Seen(
        kind=text.partition(" ")[0], type=told.type.value, key=fingerprint(told.public_key()),
        ca=fingerprint(told.signature_key()), key_id=told.key_id.decode(), serial=told.serial,
        valid_after=told.valid_after, valid_before=told.valid_before,
        principals=tuple(each.decode() for each in told.valid_principals),
        critical=texts(told.critical_options), extensions=texts(told.extensions),
    )  # fmt: skip


PEERS: Mapping[str, Callable[[str], Seen]] = {
    "asyncssh": _by_asyncssh,
    "cryptography": _by_cryptography,
}


def _made(subject: str, ca: str, type_: int, **changed: Any) -> str:
    """A certificate's line."""
    made = Certificate(
        key=SUBJECTS[subject], type=type_, key_id="an id", principals=("ada", "*.example.org"),
        valid_after=NOW, valid_before=NOW + 60, critical={}, extensions={}, nonce=NONCE,
        serial=2**64 - 1,
    )  # fmt: skip
    made = made._replace(**changed)
    return line(made, signed(made, SIGNERS[ca]), "a comment")


def test_the_table_has_a_key_of_every_kind() -> None:
    """A new row in `KINDS` is tried here too."""
    assert set(SUBJECTS) == set(KINDS)


SIGNATURES = {name: name for name in SIGNERS} | {"ssh-rsa": "rsa-sha2-512"}


@pytest.mark.parametrize("type_", [USER, HOST], ids=["user", "host"])
@pytest.mark.parametrize("ca", SIGNERS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_kind_is_read_alike_by_everybody(
    tmp_path: Path, subject: str, ca: str, type_: int
) -> None:
    """Subject, type and CA in every combination."""
    extensions = {"permit-pty": "", "permit-user-rc": ""} if type_ == USER else {}
    text = _made(subject, ca, type_, extensions=extensions)
    ours = _by_us(text)
    assert _by_openssh(text, tmp_path) == (ours, SIGNATURES[ca])
    assert (ours.ca, ours.serial) == (SIGNERS[ca].public_key.sha256, 2**64 - 1)
    for name, by_peer in PEERS.items():
        if (name, subject) not in BLIND:
            assert by_peer(text) == ours, name


@pytest.mark.parametrize(("name", "subject"), sorted(BLIND))
def test_what_a_peer_cannot_read_is_known(name: str, subject: str) -> None:
    """When it learns to, this fails and the row goes."""
    with pytest.raises(Exception, match="Unsupported key type"):
        PEERS[name](_made(subject, "ssh-ed25519", USER))


EXTENSIONS = ["no-touch-required", "permit-X11-forwarding", "permit-agent-forwarding",
              "permit-port-forwarding", "permit-pty", "permit-user-rc"]  # fmt: skip
NETWORKS = "10.0.0.0/8,192.0.2.1/32,2001:db8::/32"
OPTIONS: Mapping[str, dict[str, Any]] = {
    "nothing": {},
    "force-command": {"critical": {"force-command": "git-shell -c 'a \\\"b\\\" $(c)'"}},
    "source-address": {"critical": {"source-address": NETWORKS}},
    "both": {"critical": {"force-command": "x", "source-address": NETWORKS}},
    "every extension": {"extensions": dict.fromkeys(EXTENSIONS, "")},
    "no serial": {"serial": 0},
    "one principal": {"principals": ("a",)},
    "as many principals as may be": {"principals": tuple(f"u{each}" for each in range(256))},
    "for ever": {"valid_after": 0, "valid_before": FOREVER},
    "from then on": {"valid_before": FOREVER},
    "until then": {"valid_after": 0},
    "words in other letters": {"key_id": "[ada] ssh_key[x]  \u0430\U0001f600"},
    "a long key id": {"key_id": "k" * 4000},
}


@pytest.mark.parametrize("subject", ["ssh-ed25519", "sk-ssh-ed25519@openssh.com"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_and_edge_is_read_alike_by_everybody(
    tmp_path: Path, name: str, subject: str
) -> None:
    """Options, times, serials, and as much of each as may be."""
    text = _made(subject, "ssh-ed25519", USER, **OPTIONS[name])
    ours = _by_us(text)
    theirs, _ = _by_openssh(text, tmp_path)
    # ssh-keygen shows what is no ASCII as escapes: of its key id only the rest is compared
    assert theirs == (ours if ours.key_id.isascii() else replace(ours, key_id=theirs.key_id))
    for peer, by_peer in PEERS.items():
        if (peer, subject) not in BLIND:
            assert by_peer(text) == ours, peer


def test_verify_required_is_known_to_openssh_and_refused_by_asyncssh(tmp_path: Path) -> None:
    """It is critical: who does not know it must not take the certificate."""
    text = _made("ssh-ed25519", "ssh-ed25519", USER, critical={"verify-required": ""})
    ours = _by_us(text)
    assert ours.critical == {"verify-required": ""}
    assert _by_openssh(text, tmp_path)[0] == ours
    assert _by_cryptography(text) == ours
    with pytest.raises(asyncssh.KeyImportError):
        _by_asyncssh(text)


def test_what_only_the_issuer_knows_is_passed_over(tmp_path: Path) -> None:
    """An extension of another name, with a text: nobody loses what stands beside it."""
    extensions = {"permit-pty": "", "team@example.org": "blue"}
    text = _made("ssh-ed25519", "ssh-ed25519", USER, extensions=extensions)
    ours = _by_us(text)
    assert ours.extensions == extensions
    assert _by_cryptography(text) == ours
    assert set(_by_openssh(text, tmp_path)[0].extensions) == set(extensions)
    assert _by_asyncssh(text).extensions == {"permit-pty": ""}


def test_a_changed_certificate_is_refused_by_both_peers() -> None:
    """Both peers check the signature when they read, and say so when one bit is turned."""
    text = _made("ssh-ed25519", "ssh-ed25519", USER)
    kind, encoded, _ = text.split(" ", 2)
    data = bytearray(base64.b64decode(encoded))
    reader = Reader(bytes(data))
    reader.string(), reader.string(), reader.string()  # kind, nonce, key
    data[reader.at + 7] ^= 1
    turned = f"{kind} {base64.b64encode(data).decode()} x"
    assert _by_us(turned).serial == 2**64 - 2
    for by_peer in PEERS.values():
        with pytest.raises((asyncssh.KeyImportError, InvalidSignature)):
            by_peer(turned)
