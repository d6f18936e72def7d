"""SSHSIG: what ssh-keygen signs is taken, what we make of soft tokens it takes, the rest is not."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from possession import armour
from possession.armour import ArmourError, Envelope
from possession.proof import Policy, ProofError, proved
from sshca.public_key import PublicKey, from_blob, parse
from sshca.wire import mpint, string

MESSAGE = b"certify me\n"
POLICY = Policy(namespace="dynimo-ssh")
KINDS = {"rsa": ("rsa", "2048"), "ecdsa256": ("ecdsa", "256"), "ecdsa384": ("ecdsa", "384"),
         "ecdsa521": ("ecdsa", "521"), "ed25519": ("ed25519", "256")}  # fmt: skip
SOFT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SOFT_EC = ec.derive_private_key(4711, ec.SECP256R1())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key of each kind that ssh-keygen makes without a token, and the message."""
    folder = tmp_path_factory.mktemp("signing")
    (folder / "message").write_bytes(MESSAGE)
    for name, (kind, bits) in KINDS.items():
        _keygen(folder, "-q", "-t", kind, "-b", bits, "-N", "", "-f", name, "-C", name)
    return folder


def _keygen(folder: Path, *arguments: str) -> bool:
    return not subprocess.run(
        ["ssh-keygen", *arguments], cwd=folder, capture_output=True, timeout=60,
        input=MESSAGE,
    ).returncode  # fmt: skip


def _signed(folder: Path, name: str, *more: str, namespace: str = "dynimo-ssh") -> str:
    (folder / "message.sig").unlink(missing_ok=True)
    assert _keygen(folder, "-q", "-Y", "sign", "-n", namespace, "-f", name, *more, "message")
    return (folder / "message.sig").read_text()


def _keygen_takes(folder: Path, text: str) -> bool:
    (folder / "ours.sig").write_text(text)
    return _keygen(folder, "-Y", "check-novalidate", "-n", "dynimo-ssh", "-s", "ours.sig")


def _key(folder: Path, name: str) -> PublicKey:
    return parse((folder / f"{name}.pub").read_text())


def _ed25519() -> PublicKey:
    raw = SOFT.public_key().public_bytes_raw()
    return from_blob(string(b"ssh-ed25519") + string(raw))


def _token(kind: str) -> PublicKey:
    """The public key of a token that is made in software."""
    if kind == "sk-ssh-ed25519@openssh.com":
        raw = string(SOFT.public_key().public_bytes_raw())
    else:
        point = SOFT_EC.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        raw = string(b"nistp256") + string(point)
    return from_blob(string(kind.encode()) + raw + string(b"ssh:"))


TOKENS = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"]


def _by_token(kind: str, flags: int, counter: int = 7, application: bytes = b"ssh:") -> str:
    """What such a token answers, in an envelope."""
    key = _token(kind)
    envelope = Envelope(key, "dynimo-ssh", "sha512", b"")
    data = envelope.signed(hashlib.sha512(MESSAGE).digest())
    told = bytes([flags]) + counter.to_bytes(4, "big")
    signed = hashlib.sha256(application).digest() + told + hashlib.sha256(data).digest()
    if kind == "sk-ssh-ed25519@openssh.com":
        made = SOFT.sign(signed)
    else:
        r, s = decode_dss_signature(SOFT_EC.sign(signed, ec.ECDSA(hashes.SHA256())))
        made = mpint(r) + mpint(s)
    signature = string(kind.encode()) + string(made) + told
    return armour.written(replace(envelope, signature=signature))


@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
@pytest.mark.parametrize("name", KINDS)
def test_what_keygen_signs_is_proved(folder: Path, name: str, hashed: str) -> None:
    """Every kind of key, both hashes; and we write the envelope byte for byte as it does."""
    text = _signed(folder, name, "-O", f"hashalg={hashed}")
    key = _key(folder, name)

    assert proved(text, MESSAGE, key, POLICY).key == key
    assert armour.written(armour.read(text)) == text


@pytest.mark.parametrize("kind", TOKENS)
def test_security_keys_are_checked_as_keygen_checks_them(folder: Path, kind: str) -> None:
    """Both take the signature; both refuse it for another application."""
    good, other = _by_token(kind, 1), _by_token(kind, 1, application=b"ssh:other")
    found = proved(good, MESSAGE, _token(kind), POLICY)

    assert _keygen_takes(folder, good)
    assert (found.hardware, found.touched, found.verified, found.counter) == (True, True, False, 7)
    assert not _keygen_takes(folder, other)
    with pytest.raises(ProofError, match="not by this key"):
        proved(other, MESSAGE, _token(kind), POLICY)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize(
    ("flags", "touch", "verify", "problem"),
    [(0, True, False, "not touched"), (0, False, False, ""), (1, True, True, "verify its owner"),
     (5, True, True, ""), (4, True, True, "not touched"), (4, False, True, "")],
)  # fmt: skip
def test_flags_are_held_against_the_policy(
    kind: str, flags: int, *, touch: bool, verify: bool, problem: str
) -> None:
    """Touch, and a PIN or a finger: each where it is asked for."""
    policy = replace(POLICY, touch=touch, verify=verify)
    if problem:
        with pytest.raises(ProofError, match=problem):
            proved(_by_token(kind, flags), MESSAGE, _token(kind), policy)
    else:
        assert proved(_by_token(kind, flags), MESSAGE, _token(kind), policy).hardware


def test_keys_in_files_are_refused_where_hardware_is_asked_for(folder: Path) -> None:
    """They cannot say what their owner did."""
    text = _signed(folder, "ed25519")
    with pytest.raises(ProofError, match="hardware"):
        proved(text, MESSAGE, _key(folder, "ed25519"), replace(POLICY, hardware=True))


def test_another_key_message_or_purpose_is_no_proof(folder: Path) -> None:
    """Each is said by its name."""
    text, key = _signed(folder, "ed25519"), _key(folder, "ed25519")
    with pytest.raises(ProofError, match="another key"):
        proved(text, MESSAGE, _key(folder, "rsa"), POLICY)
    with pytest.raises(ProofError, match="not over this message"):
        proved(text, MESSAGE + b"!", key, POLICY)
    with pytest.raises(ProofError, match="-n dynimo-ssh"):
        proved(_signed(folder, "ed25519", namespace="git"), MESSAGE, key, POLICY)
    bent = replace(armour.read(_signed(folder, "ed25519", namespace="git")), namespace="dynimo-ssh")
    with pytest.raises(ProofError, match="not by this key"):
        proved(armour.written(bent), MESSAGE, key, POLICY)


def test_a_token_and_a_file_are_not_each_other() -> None:
    """The same Ed25519 point in both is two keys."""
    token = _by_token("sk-ssh-ed25519@openssh.com", 1)
    with pytest.raises(ProofError, match="another key"):
        proved(token, MESSAGE, _ed25519(), POLICY)


def _envelope(key: PublicKey, name: str, made: Callable[[bytes], bytes], after: bytes = b"") -> str:
    envelope = Envelope(key, "dynimo-ssh", "sha512", b"")
    raw = made(envelope.signed(hashlib.sha512(MESSAGE).digest()))
    return armour.written(replace(envelope, signature=string(name.encode()) + string(raw) + after))


def _rsa(bits: int) -> tuple[PublicKey, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, bits)
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return parse(line.decode()), key


def test_rsa_is_taken_with_sha2_and_enough_bits_only() -> None:
    """SHA-1 under either name, a short key, a shortened signature: refused."""
    key, private = _rsa(2048)
    small, small_private = _rsa(1024)

    def by(private: rsa.RSAPrivateKey, algorithm: hashes.HashAlgorithm) -> Callable[[bytes], bytes]:
        return lambda data: private.sign(data, padding.PKCS1v15(), algorithm)

    sha1, sha512 = hashes.SHA1(), hashes.SHA512()
    assert proved(_envelope(key, "rsa-sha2-512", by(private, sha512)), MESSAGE, key, POLICY)
    for name, made, subject in (
        ("ssh-rsa", by(private, sha1), key),
        ("rsa-sha2-256", by(private, sha1), key),
        ("rsa-sha2-256", by(private, sha512), key),
        ("ssh-ed25519", by(private, sha512), key),
        ("rsa-sha2-512", by(small_private, sha512), small),
        ("rsa-sha2-512", lambda data: by(private, sha512)(data) + b"\0", key),
        ("rsa-sha2-512", lambda data: b"\0" + by(private, sha512)(data), key),
    ):
        with pytest.raises(ProofError):
            proved(_envelope(subject, name, made), MESSAGE, subject, POLICY)


def test_a_key_that_anybody_can_sign_with_proves_nothing() -> None:
    """Of small order: this one signature holds for every message."""
    weak = from_blob(string(b"ssh-ed25519") + string(b"\1" + bytes(31)))
    with pytest.raises(ProofError, match="small order"):
        proved(_envelope(weak, "ssh-ed25519", lambda _: b"\1" + bytes(63)), MESSAGE, weak, POLICY)


def test_bytes_after_a_signature_are_refused() -> None:
    """Also those that would be the flags of a security key."""
    for after in (b"\1", b"\1\0\0\0\7"):
        with pytest.raises(ProofError, match="left over"):
            proved(_envelope(_ed25519(), "ssh-ed25519", SOFT.sign, after), MESSAGE, _ed25519(),
                   POLICY)  # fmt: skip


def test_bytes_after_the_numbers_of_ecdsa_are_refused() -> None:
    """Within the signature: r, s and nothing."""
    point = SOFT_EC.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    key = from_blob(string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(point))

    def made(data: bytes) -> bytes:
        r, s = decode_dss_signature(SOFT_EC.sign(data, ec.ECDSA(hashes.SHA256())))
        return mpint(r) + mpint(s)

    good = _envelope(key, "ecdsa-sha2-nistp256", made)
    assert proved(good, MESSAGE, key, POLICY).key == key
    more = _envelope(key, "ecdsa-sha2-nistp256", lambda data: made(data) + b"\0")
    with pytest.raises(ProofError, match="left over"):
        proved(more, MESSAGE, key, POLICY)


GOOD = _envelope(_ed25519(), "ssh-ed25519", SOFT.sign)
LINES = GOOD.split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 20_000,
        " " + GOOD,
        GOOD + "\n",
        GOOD + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("BEGIN", "begin"),
        GOOD.replace("SSH SIGNATURE", "PGP SIGNATURE"),
        "\n".join([LINES[0], "Comment: x", *LINES[1:]]),
        "\n".join([LINES[0], LINES[1] + " ", *LINES[2:]]),
        "\n".join([LINES[0], "", *LINES[1:]]),
        "\n".join([LINES[0], LINES[1][:-4], LINES[1][-4:] + LINES[2], *LINES[3:]]),
        "\n".join([LINES[0], *LINES[1:-3], LINES[-3] + "=", *LINES[-2:]]),
        "\n".join([LINES[0], "\u0661" * 70, *LINES[2:]]),
        "\n".join([LINES[0], LINES[-2], ""]),
    ],
)
def test_armour_has_one_form(text: str) -> None:
    """Anything beside, between or in other letters is refused."""
    with pytest.raises(ArmourError):
        armour.read(text)


BLOB = base64.b64decode("".join(LINES[1:-2]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2"),
        (b"SSHSIG", b"SSHSIH"),
        (string(b"dynimo-ssh"), string(b"")),
        (string(b"dynimo-ssh"), string(b"\xff")),
        (string(b"") + string(b"sha512"), string(b"x") + string(b"sha512")),
        (string(b"sha512"), string(b"sha1")),
        (string(b"sha512"), string(b"SHA512")),
        (string(_ed25519().blob), string(string(b"ssh-ed25519-cert-v01@openssh.com"))),
        (string(_ed25519().blob), string(_ed25519().blob + b"\0")),
    ],
)
def test_envelopes_that_say_something_else_are_refused(old: bytes, new: bytes) -> None:
    """Version, purpose, hash and key are as defined."""
    assert old in BLOB
    with pytest.raises(ArmourError):
        armour.from_bytes(BLOB.replace(old, new))


@given(st.integers(0, len(BLOB) * 8 - 1))
def test_a_flipped_bit_is_no_proof(bit: int) -> None:
    """Wherever it is."""
    bent = (int.from_bytes(BLOB, "big") ^ 1 << bit).to_bytes(len(BLOB), "big")
    body = base64.b64encode(bent).decode()
    lines = [body[at : at + 70] for at in range(0, len(body), 70)]
    with pytest.raises(ProofError):
        proved("\n".join([LINES[0], *lines, LINES[-2]]), MESSAGE, _ed25519(), POLICY)


@given(st.sampled_from(TOKENS), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_of_a_tokens_answer_is_no_proof(kind: str, place: int, change: int) -> None:
    """Flags and counter are signed too."""
    envelope = armour.read(_by_token(kind, 1))
    at = place % len(envelope.signature)
    bent = bytearray(envelope.signature)
    bent[at] ^= change
    with pytest.raises(ProofError):
        proved(armour.written(replace(envelope, signature=bytes(bent))), MESSAGE, _token(kind),
               replace(POLICY, touch=False))  # fmt: skip


@given(st.binary(max_size=300), st.integers(0, len(BLOB)))
def test_any_bytes_are_judged(data: bytes, at: int) -> None:
    """Never another error, whole or after a good beginning."""
    for blob in (data, BLOB[:at] + data):
        if blob != BLOB:
            body = base64.b64encode(blob).decode() or "="
            with pytest.raises(ProofError):
                proved(f"{LINES[0]}\n{body}\n{LINES[-2]}", MESSAGE, _ed25519(), POLICY)


@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    """Never another error."""
    with pytest.raises(ArmourError):
        armour.read(text)
    with pytest.raises(ArmourError):
        armour.read(f"{LINES[0]}\n{text}\n{LINES[-2]}\n")


def test_a_policy_names_its_purpose() -> None:
    """A signature for nothing is one for everything."""
    with pytest.raises(ValueError, match="namespace"):
        Policy(namespace="")
