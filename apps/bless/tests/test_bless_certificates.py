"""Certificates field by field: BLESS's bytes built anew by hand, and read by OpenSSH."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from bless_kit import (
    ARN,
    CA_ED25519,
    CA_P256,
    CA_RSA,
    NONCE,
    NOW,
    PASSWORD,
    USER_ED25519,
    USER_RSA,
    blob,
    ca,
    listed,
    pem,
    public,
)
from sshca.certificate import read


def _s(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def _md5(data: bytes) -> str:
    told = hashlib.md5(data).hexdigest()
    return ":".join(told[i : i + 2] for i in range(0, 32, 2))


EXTENSIONS = [
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
]


@pytest.mark.parametrize(("subject", "family"), [(USER_ED25519, "ED25519"), (USER_RSA, "RSA")])
def test_a_user_certificate_is_blesss_up_to_the_signature(
    tmp_path: Path, subject: Any, family: str
) -> None:
    """Every field in its place, with clock and nonce pinned."""
    line = public(subject)
    data = blob(line)
    name, rest = line.split(" ")[0], data[4 + len(line.split(" ")[0]) :]
    valid_to = "2023/11/14 22:15:20"
    key_id = (
        f"request[r-1] for[ada] from[192.0.2.7] command[ssh ada@host]"
        f" ssh_key[{family} {_md5(data)}]  ca[{ARN}] valid_to[{valid_to}]"
    )
    expected = b"".join([
        _s(f"{name}-cert-v01@openssh.com"), _s(NONCE), rest, struct.pack(">Q", 0),
        struct.pack(">I", 1), _s(key_id), _s(_s("ada") + _s("bob")),
        struct.pack(">QQ", NOW - 120, NOW + 120),
        _s(_s("source-address") + _s(_s("10.0.0.0/8,192.0.2.1"))),
        _s(b"".join(_s(each) + _s("") for each in EXTENSIONS)), _s(""),
        _s(blob(public(CA_RSA))),
    ])  # fmt: skip

    answer = ca(tmp_path).user(
        public_key_to_sign=line, remote_usernames="ada,bob", bastion_ips="10.0.0.0/8,192.0.2.1"
    )

    kind, encoded, comment = answer["certificate"].split(" ", 2)
    data = base64.b64decode(encoded)
    assert (kind, comment) == (f"{name}-cert-v01@openssh.com", "me@here")
    assert data[: len(expected)] == expected
    assert data[len(expected) + 4 :][: 4 + 12] == _s("rsa-sha2-512")


def test_a_host_certificate_is_blesss_up_to_the_signature(tmp_path: Path) -> None:
    """No options, one year, its own key id."""
    line = public(USER_ED25519)
    data = blob(line)
    key_id = f"request[r-1] ssh_key[ED25519 {_md5(data)}] ca[{ARN}] valid_to[2024/11/13 22:13:20]"
    expected = b"".join([
        _s("ssh-ed25519-cert-v01@openssh.com"), _s(NONCE), data[15:], struct.pack(">QI", 0, 2),
        _s(key_id), _s(_s("a.example.com") + _s("192.0.2.1")),
        struct.pack(">QQ", NOW - 120, NOW + 31_536_000), _s(""), _s(""), _s(""),
        _s(blob(public(CA_RSA))),
    ])  # fmt: skip
    answer = ca(tmp_path).host(hostnames="a.example.com,192.0.2.1")
    assert blob(answer["certificate"])[: len(expected)] == expected


@pytest.mark.parametrize(
    ("key", "form"),
    [(CA_RSA, "pkcs1"), (CA_RSA, "pkcs8"), (CA_RSA, "openssh"), (CA_ED25519, "pkcs8"),
     (CA_ED25519, "openssh"), (CA_P256, "pkcs1"), (CA_P256, "openssh")],
)  # fmt: skip
def test_every_kind_of_ca_key_signs_what_openssh_and_cryptography_read(
    tmp_path: Path, key: Any, form: str
) -> None:
    """One certificate, three readers, the same values; and the signature holds."""
    password = None if form == "openssh" else PASSWORD  # encrypted, it needs a package
    told = ca(tmp_path, key=pem(key, form, password)).user(remote_usernames="ada,bob")[
        "certificate"
    ]

    text = listed(told, tmp_path)
    assert "Type: ssh-ed25519-cert-v01@openssh.com user certificate" in text
    assert "source-address 10.0.0.0/8" in text
    assert "Serial: 0" in text
    theirs: Any = load_ssh_public_identity(told.encode())
    theirs.verify_cert_signature()
    ours = read(blob(told)).certificate
    assert [each.decode() for each in theirs.valid_principals] == list(ours.principals)
    assert theirs.key_id.decode() == ours.key_id
    assert (theirs.valid_after, theirs.valid_before) == (ours.valid_after, ours.valid_before)
    assert [each.decode() for each in theirs.extensions] == list(ours.extensions)


def test_a_key_without_a_comment_gets_blesss(tmp_path: Path) -> None:
    """It names type, principals and id."""
    told = ca(tmp_path).user(public_key_to_sign=public(USER_ED25519, ""))["certificate"]
    comment = told.split(" ", 2)[2]
    assert comment.startswith("Certificate type[1] principals[ada] with the id[request[r-1] for")


def test_a_line_feed_after_the_key_is_left_out(tmp_path: Path) -> None:
    """As bless_client reads a file whole."""
    told = ca(tmp_path).user(public_key_to_sign=public(USER_ED25519) + "\n")["certificate"]
    assert told.endswith(" me@here")


def test_the_test_user_gets_a_certificate_that_is_never_valid(tmp_path: Path) -> None:
    """The canary: everything is tried, nothing is opened."""
    made = ca(tmp_path, "[Bless Options]\ntest_user = canary\n")
    for changed in ({"bastion_user": "canary"}, {"remote_usernames": "canary"}):
        told = made.user(**changed)["certificate"]
        seen = read(blob(told)).certificate
        assert (seen.valid_after, seen.valid_before) == (NOW + 1, NOW)


def test_extensions_are_the_configurations(tmp_path: Path) -> None:
    """Given ones in order, unknown ones too; an empty option is none."""
    some = ca(tmp_path, "[Bless Options]\ncertificate_extensions = permit-pty,,a@b\n").user()
    seen = read(blob(some["certificate"])).certificate
    assert list(seen.extensions) == ["a@b", "permit-pty"]
    none = ca(tmp_path, "[Bless Options]\ncertificate_extensions =\n").user()
    seen = read(blob(none["certificate"])).certificate
    assert seen.extensions == {}
