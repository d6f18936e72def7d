"""The key that is to be certified: made for this one login, or somebody's own; and its proofs.

A key of one's own is signed with by `ssh-keygen -Y sign`, which asks for its passphrase, its touch,
or the agent, as it always does. One that is made here is in memory only.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from dynimo.sdk.commands import CommandError
from possession.armour import Envelope, written
from ssh_commands.options import FAILED, NOT_FOUND, USAGE, content
from sshca.public_key import KeyLineError, PublicKey, parse
from sshca.signers import InMemory

NAMESPACE = "issue@dynimo-ssh"
SIGN_SECONDS_MAX = 300
"""Somebody may have to find their token and touch it."""
_HASH = "sha512"
_CERTIFICATE = "-cert"
"""What ssh puts behind a key's name, before ``.pub``."""
_PRIVATE = b"PRIVATE KEY"
_BEGIN_BYTES = 64


class Subject(Protocol):
    """A key: its public half, and a proof that the other is at hand."""

    @property
    def public_key(self) -> PublicKey:
        """What is to be certified."""

    def prove(self, message: bytes) -> str:
        """An armoured SSHSIG over the message. Raises CommandError."""


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """An Ed25519 key of this process. Not shown by ``repr``."""

    key: Ed25519PrivateKey = field(repr=False)
    public_key: PublicKey

    def prove(self, message: bytes) -> str:
        """Sign as ``ssh-keygen -Y sign`` does."""
        digest = hashlib.new(_HASH, message).digest()
        bare = Envelope(self.public_key, NAMESPACE, _HASH, b"")
        signature = InMemory(self.key, self.public_key).sign(bare.signed(digest))
        return written(Envelope(self.public_key, NAMESPACE, _HASH, signature))

    def private(self) -> bytes:
        """As OpenSSH keeps it, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def made() -> Ephemeral:
    """A new key."""
    return _held(Ed25519PrivateKey.generate())


def kept(path: Path) -> Ephemeral:
    """A key that an earlier call made and left in a file. Raises CommandError."""
    if not path.exists():
        text = f"there is no {path}: what is collected, once, has the --out or --key of its request"
        raise CommandError(text, NOT_FOUND)
    try:
        key = load_ssh_private_key(content(str(path)).encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CommandError(f"{path} holds no key of `dynimo ssh login`", USAGE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandError(f"{path} holds no key of `dynimo ssh login`", USAGE)
    return _held(key)


def _held(key: Ed25519PrivateKey) -> Ephemeral:
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return Ephemeral(key, parse(line.decode()))


@dataclass(frozen=True, slots=True)
class InFile:
    """A key pair in files, or a public key whose private half is in the agent.

    ``path`` is the one without ``.pub``, whether it is there or not.
    """

    path: Path
    public_key: PublicKey

    @property
    def certificate_path(self) -> Path:
        """Where ssh and sshd look for its certificate."""
        return self.path.with_name(f"{self.path.name}-cert.pub")

    @property
    def public_path(self) -> Path:
        """The key's line."""
        return self.path.with_name(f"{self.path.name}.pub")

    def prove(self, message: bytes) -> str:
        """Have ssh-keygen sign; it may ask at the terminal."""
        with tempfile.TemporaryDirectory(prefix="dynimo-ssh-") as folder:
            asked = Path(folder) / "request"
            asked.write_bytes(message)
            signer = self.path if self.path.exists() else self.public_path
            try:
                ran = subprocess.run(
                    ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", signer, asked],
                    stderr=subprocess.PIPE, text=True, timeout=SIGN_SECONDS_MAX, check=False,
                )  # fmt: skip
            except FileNotFoundError:
                text = "ssh-keygen is not here: apt-get install openssh-client"
                raise CommandError(text, NOT_FOUND) from None
            except subprocess.TimeoutExpired:
                raise CommandError("the key was not touched in time", FAILED) from None
            if ran.returncode:
                raise CommandError(f"{signer} does not sign: {ran.stderr.strip()}", FAILED)
            return (Path(folder) / "request.sig").read_text()


def in_file(path: Path) -> InFile:
    """A key by the name of its file, with or without ``.pub``.

    Raises:
        CommandError: there is none, or it is no public key.
    """
    if path.is_dir():
        raise CommandError(f"{path} is a folder: name a key in it", USAGE)
    private = path.with_name(path.name.removesuffix(".pub"))
    if private.name.endswith(_CERTIFICATE):
        key = private.with_name(private.name.removesuffix(_CERTIFICATE))
        raise CommandError(f"{path} is a certificate: name its key, {key}", USAGE)
    public = private.with_name(f"{private.name}.pub")
    if not public.exists():
        told = f"there is no {public}"
        if private.exists():
            if not _is_private(private):
                raise CommandError(f"{private} is no private key, and {told}", USAGE)
            told += f": ssh-keygen -y -f {private} > {public} makes it"
        raise CommandError(told, NOT_FOUND)
    try:
        return InFile(private, parse(content(str(public))))
    except KeyLineError as error:
        raise CommandError(f"{public}: {error}", USAGE) from None


def _is_private(path: Path) -> bool:
    with path.open("rb") as file:
        return _PRIVATE in file.read(_BEGIN_BYTES)
