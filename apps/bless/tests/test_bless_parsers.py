"""The parsers take what they wrote, and refuse anything else without falling over."""

from __future__ import annotations

import base64
import contextlib
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bless_kit import (
    CA_ED25519,
    NONCE,
    USER_ED25519,
    USER_RSA,
    Ca,
    Context,
    blob,
    ca,
    event,
    listed,
    pem,
    public,
)
from sshca.certificate import (
    HOST,
    USER,
    Certificate,
    CertificateError,
    line,
    read,
    signed,
)
from sshca.kinds import KINDS
from sshca.public_key import KeyLineError, parse
from sshca.signers import load
from sshca.weakness import weakness
from sshca.wire import Reader, WireError, mpint, string, strings
from tests.e2e.sshds import keygen

CA = load(pem(CA_ED25519, "pkcs8", None), None)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
LINES = [public(USER_ED25519), public(USER_RSA), public(ec.generate_private_key(ec.SECP521R1()))]


@given(st.integers(min_value=0, max_value=2**300))
def test_numbers_come_back(number: int) -> None:
    """In their one form."""
    assert Reader(mpint(number)).mpint() == number


@pytest.mark.parametrize("data", [b"\0", b"\0\x01", b"\xff", b"\x80"])
def test_a_number_in_another_form_is_refused(data: bytes) -> None:
    """Negative, or with a zero too many."""
    with pytest.raises(WireError):
        Reader(string(data)).mpint()


@given(st.binary(max_size=200))
def test_any_bytes_are_strings_or_refused(data: bytes) -> None:
    """Never more than there is."""
    with contextlib.suppress(WireError):
        assert strings(Reader(data).strings()) == data


SEEMING = st.builds(
    lambda name, blob: f"{name} {base64.b64encode(blob).decode()}",
    st.sampled_from(list(KINDS)), st.binary(max_size=200),
)  # fmt: skip


@given(st.text(max_size=200) | SEEMING)
def test_any_line_is_a_key_or_refused(text: str) -> None:
    """A key that is taken is written as it was read."""
    with contextlib.suppress(KeyLineError):
        key = parse(text)
        assert text.startswith(f"{key.kind.name} {base64.b64encode(key.blob).decode()}")


@given(st.sampled_from(LINES), st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_a_damaged_key_is_another_key_or_refused(text: str, at: int, value: int) -> None:
    """Weakness is asked of whatever was read, and answers."""
    name, encoded, _ = text.split(" ")
    blob = bytearray(base64.b64decode(encoded))
    blob[at % len(blob)] = value
    with contextlib.suppress(KeyLineError):
        weakness(parse(f"{name} {base64.b64encode(blob).decode()}"))


@given(
    st.sampled_from(LINES), st.sampled_from([USER, HOST]), TEXT,
    st.lists(TEXT, min_size=1, max_size=5), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1),
    st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=9), TEXT),
    st.integers(0, 2**64 - 1),
)  # fmt: skip
def test_a_certificate_comes_back(
    text: str, type_: int, key_id: str, principals: list[str], after: int, before: int,
    options: dict[str, str], serial: int,
) -> None:  # fmt: skip
    """Every field of it."""
    made = Certificate(
        key=parse(text), type=type_, key_id=key_id, principals=tuple(principals),
        valid_after=after, valid_before=before, critical=options, extensions={}, nonce=NONCE,
        serial=serial,
    )  # fmt: skip
    seen = read(signed(made, CA))
    got = seen.certificate
    assert (got.key.blob, got.type, got.key_id) == (made.key.blob, type_, key_id)
    assert (got.principals, got.serial) == (made.principals, serial)
    assert (got.valid_after, got.valid_before) == (after, before)
    assert (got.critical, got.nonce, seen.ca.blob) == (options, NONCE, CA.public_key.blob)


def _made(text: str) -> Certificate:
    return Certificate(
        key=parse(text), type=USER, key_id="k", principals=("a",), valid_after=1, valid_before=2,
        critical={"source-address": "10.0.0.0/8"}, extensions={"permit-pty": ""}, nonce=NONCE,
    )  # fmt: skip


GOOD = signed(_made(LINES[0]), CA)


@given(st.integers(min_value=0), st.binary(max_size=6))
def test_a_damaged_certificate_is_refused_or_another(at: int, put: bytes) -> None:
    """Never an exception of another kind."""
    at %= len(GOOD)
    with contextlib.suppress(CertificateError):
        read(GOOD[:at] + put + GOOD[at + len(put) :])


def test_a_ca_that_is_a_certificate_is_refused() -> None:
    """The signer of a certificate is a key (CVE-2025-49825 was a server that took one)."""
    body = _made(LINES[0]).to_be_signed(CA.public_key)
    ca = string(CA.public_key.blob)
    assert body.endswith(ca)
    with pytest.raises(CertificateError):
        read(body[: -len(ca)] + string(GOOD) + string(b"x"))


def test_options_out_of_order_are_refused() -> None:
    """Or twice."""
    packed = string(string(b"b") + string(b"") + string(b"a") + string(b""))
    right = string(string(b"permit-pty") + string(b""))
    assert right in GOOD
    with pytest.raises(CertificateError):
        read(GOOD.replace(right, packed))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_ssh_keygen_are_read_as_it_reads_them(tmp_path: Path, kind: str) -> None:
    """And certified: ``ssh-keygen -L`` names the same fingerprint."""
    text = keygen(tmp_path / "id", kind)
    key = parse(text)
    made = _made(text)
    told = listed(line(made, signed(made, CA), "c"), tmp_path)
    assert key.sha256 in told
    assert weakness(key) == ""


def test_a_key_in_a_token_stays_one(tmp_path: Path) -> None:
    """Its application is part of its certificate (a builder that loses it makes another key)."""
    name = b"sk-ssh-ed25519@openssh.com"
    blob = string(name) + string(bytes(range(32))) + string(b"ssh:")
    made = _made(f"{name.decode()} {base64.b64encode(blob).decode()} t")
    told = listed(line(made, signed(made, CA), "c"), tmp_path)
    assert "Type: sk-ssh-ed25519-cert-v01@openssh.com user certificate" in told
    assert made.key.sha256 in told


WORDS = st.text(max_size=20) | st.sampled_from(["ada", "root", "10.0.0.1", "::1/128", "a.com", ","])
VALUES = WORDS | st.none() | st.integers() | st.lists(WORDS, max_size=2) | st.sampled_from(LINES)
FIELDS = ["bastion_ips", "bastion_user", "bastion_user_ip", "command", "public_key_to_sign",
          "remote_usernames", "kmsauth_token", "hostnames", "x"]  # fmt: skip


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Ca:
    return ca(tmp_path_factory.mktemp("ca"), key=pem(CA_ED25519, "pkcs8", None))


@given(changed=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
def test_any_request_is_certified_as_it_stands_or_refused(
    issuer: Ca, changed: dict[str, object]
) -> None:
    """By a plain model: a certificate names what was asked for, all of it, and nothing else."""
    asked = event(**changed)
    told = issuer.issuer.user(asked, Context())
    if "certificate" not in told:
        assert told["errorType"] == "InputValidationError"
        return
    assert set(asked) <= set(FIELDS[:7])
    seen = read(blob(told["certificate"])).certificate
    assert ",".join(seen.principals) == asked["remote_usernames"]
    assert seen.critical == {"source-address": asked["bastion_ips"]}
    assert all(re.fullmatch(r"[!-~]+", each) for each in seen.principals)
    parts = re.fullmatch(
        r"request\[r-1\] for\[(.*)\] from\[(.*)\] command\[(.*)\] ssh_key\[.*\]  ca\[.*\]"
        r" valid_to\[.*\]", seen.key_id,
    )  # fmt: skip
    assert parts is not None
    assert parts.groups() == (asked["bastion_user"], asked["bastion_user_ip"], asked["command"])
