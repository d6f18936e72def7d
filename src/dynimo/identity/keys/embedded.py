"""The engine of a platform without any hardware: keys sealed under the data folder's master key.

AES-256-GCM for all that is kept; each message is encrypted under a key of its own, derived with a
random salt, so that no number of messages wears a key out. Keys in clear live in this object only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dynimo.identity.keys import signing
from dynimo.identity.keys.specs import SPECS
from dynimo.identity.vault import Undecipherable, Vault
from dynimo.ports import KeyMaterial, NotOpened, Unusable

NAME = "embedded"
OPENED_MAX = 1024
"""Keys that are kept open; the one that was not used for longest goes first."""
_PURPOSE = "kms key"
_DERIVED = b"dynimo kms message "
_KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12


class Embedded:
    """Makes and uses keys in this process. Safe for several threads."""

    name = NAME
    waits = False

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._opened: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def make(self, key_id: str, spec: str, usage: str) -> tuple[bytes, bytes]:  # noqa: ARG002
        """Make a key: what is to be kept of it, and its public half (DER; empty if it has none)."""
        kind = SPECS[spec]  # which usage it is for, its record says
        if not kind.asymmetric:
            return self._vault.seal(_PURPOSE, key_id, secrets.token_bytes(_KEY_BYTES)), b""
        key = signing.made(kind.family, kind.bits)
        clear = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._vault.seal(_PURPOSE, key_id, clear), signing.public_der(key)

    def seal(self, key: KeyMaterial, plaintext: bytes, bound: bytes) -> bytes:
        """Encrypt, bound to ``bound``: salt, nonce, ciphertext and tag. Raises Unusable."""
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        return salt + nonce + self._cipher(key, salt).encrypt(nonce, plaintext, bound)

    def open(self, key: KeyMaterial, sealed: bytes, bound: bytes) -> bytes:
        """What ``seal`` was given. Raises NotOpened, Unusable."""
        salt, rest = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
        nonce, text = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            return self._cipher(key, salt).decrypt(nonce, text, bound)
        except (InvalidTag, ValueError):
            raise NotOpened from None

    def sign(self, key: KeyMaterial, algorithm: str, message: bytes, *, digest: bool) -> bytes:
        """A signature: of a message, or of a digest. Raises Unusable."""
        return signing.sign(self._clear(key), algorithm, message, digest=digest)

    def decrypt(self, key: KeyMaterial, algorithm: str, ciphertext: bytes) -> bytes:
        """What was encrypted for the public half of an RSA key. Raises NotOpened, Unusable."""
        private = self._clear(key)
        assert isinstance(private, rsa.RSAPrivateKey)
        try:
            return private.decrypt(ciphertext, signing.oaep(algorithm))
        except ValueError:
            raise NotOpened from None

    def forget(self, key: KeyMaterial) -> None:
        """Keep nothing of a key that is erased."""
        with self._lock:
            self._opened.pop(key.key_id, None)

    def _cipher(self, key: KeyMaterial, salt: bytes) -> AESGCM:
        clear: bytes = self._clear(key)
        return AESGCM(hmac.new(clear, _DERIVED + salt, hashlib.sha256).digest())

    def _clear(self, key: KeyMaterial) -> Any:
        """The key itself: bytes, or a private key."""
        with self._lock:
            found = self._opened.get(key.key_id)
            if found is not None:
                self._opened.move_to_end(key.key_id)
                return found
        try:
            clear = self._vault.open(_PURPOSE, key.key_id, key.kept)
        except Undecipherable:
            raise Unusable(
                "it was sealed under another master key; restore master.key from a backup"
            ) from None
        asymmetric = SPECS[key.spec].asymmetric
        found = serialization.load_der_private_key(clear, None) if asymmetric else clear
        with self._lock:
            self._opened[key.key_id] = found
            while len(self._opened) > OPENED_MAX:
                self._opened.popitem(last=False)
        return found
