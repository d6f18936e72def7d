"""The master key of a data folder, and what is encrypted under it. The only place with ciphers.

AES-256-GCM. Signature Version 4 needs the secret itself, so a hash cannot serve. Every use has a
key of its own, derived from the master key; every text is bound to what it belongs to.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dynimo.model.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_FILE = "master.key"
KEY_BYTES = 32
_NONCE_BYTES = 12


class Undecipherable(Exception):
    """It was not encrypted here, not for this, or has been changed."""


class Vault:
    """Encrypts and opens texts under the master key, which is made on first use."""

    def __init__(self, folder: Path) -> None:
        self._master = _master_key(folder)
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, purpose: str, owner: str, text: bytes) -> bytes:
        """Encrypt ``text``; only ``open`` with the same purpose and owner gives it back."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(purpose).encrypt(nonce, text, owner.encode())

    def open(self, purpose: str, owner: str, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made.

        Raises:
            Undecipherable: it is not of this vault, purpose and owner, or was changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - `dynimo env` starts fast

        try:
            nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._cipher(purpose).decrypt(nonce, text, owner.encode())
        except (InvalidTag, ValueError):
            raise Undecipherable from None

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

            key = hmac.new(self._master, f"dynimo {purpose}".encode(), hashlib.sha256).digest()
            cipher = self._ciphers[purpose] = AESGCM(key)
        return cipher


def _master_key(folder: Path) -> bytes:
    """Read the key, or make it; of several who make it at once, one wins and all read that one."""
    path = folder / KEY_FILE
    try:
        with contextlib.suppress(FileExistsError):
            if not path.exists():
                _make(path)
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4 * KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others; `chmod 600 {path}`, or make a new one.")
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} is no key of {KEY_BYTES} bytes; restore it from a backup.")
    return key


def _make(path: Path) -> None:
    """Write a new key whole under another name, then give it its own: no reader sees a part."""
    scratch = path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(scratch, flags, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(scratch, path)  # fails if somebody else was first
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        scratch.unlink(missing_ok=True)
