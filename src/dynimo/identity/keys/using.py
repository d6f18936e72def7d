"""A key at work: encrypt, decrypt, sign, verify, over the engine, in the KMS's errors.

Who may do it was decided before. What is slow (long RSA keys, an engine behind a device) runs in a
thread; the rest takes microseconds and runs at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from dynimo.identity.keys import envelope, signing
from dynimo.identity.keys.records import KmsKey
from dynimo.identity.keys.refusals import IncorrectKey, InvalidCiphertext, KeyUnavailable
from dynimo.identity.keys.specs import DIGEST_BYTES
from dynimo.model.errors import ValidationFailed
from dynimo.ports import KeyEngine, NotOpened, Unusable

T = TypeVar("T")
log = logging.getLogger("dynimo.kms")

QUICK_BITS_MAX = 256
"""Keys longer than that take milliseconds."""


class Using:
    """Uses keys. The states of keys and the rights of callers are checked by who calls it."""

    def __init__(self, engine_of: Callable[[KmsKey], KeyEngine | None]) -> None:
        self._engine_of = engine_of

    async def encrypt(
        self, key: KmsKey, algorithm: str, plaintext: bytes, context: Mapping[str, str]
    ) -> bytes:
        """A ciphertext. Raises ValidationFailed, KeyUnavailable."""
        if key.kind.asymmetric:
            return await self._encrypt_for(key, algorithm, plaintext)
        bound = envelope.bound(key.id, context)
        sealed = await self._run(key, lambda engine: engine.seal(key.material, plaintext, bound))
        return envelope.header(key.id) + sealed

    async def decrypt(
        self, key: KmsKey, algorithm: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> bytes:
        """What was encrypted. Raises InvalidCiphertext, IncorrectKey, KeyUnavailable."""
        if key.kind.asymmetric:
            return await self._run(
                key, lambda engine: engine.decrypt(key.material, algorithm, ciphertext)
            )
        key_id, sealed = opened(ciphertext)
        if key_id != key.id:
            raise IncorrectKey
        bound = envelope.bound(key.id, context)
        return await self._run(key, lambda engine: engine.open(key.material, sealed, bound))

    async def sign(self, key: KmsKey, algorithm: str, message: bytes, *, digest: bool) -> bytes:
        """A signature. Raises ValidationFailed, KeyUnavailable."""
        check_message(algorithm, message, digest=digest)
        return await self._run(
            key, lambda engine: engine.sign(key.material, algorithm, message, digest=digest)
        )

    async def verify(
        self, key: KmsKey, algorithm: str, message: bytes, signature: bytes, *, digest: bool
    ) -> bool:
        """Whether the signature is of this message and key. Raises ValidationFailed."""
        check_message(algorithm, message, digest=digest)
        return await self._run(
            key,
            lambda _: signing.verifies(key.public, algorithm, message, signature, digest=digest),
        )

    async def _encrypt_for(self, key: KmsKey, algorithm: str, plaintext: bytes) -> bytes:
        try:
            return await self._run(
                key, lambda _: signing.encrypted(key.public, algorithm, plaintext)
            )
        except ValueError:
            raise ValidationFailed(
                f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data of"
                f" {len(plaintext)} bytes."
            ) from None

    async def _run(self, key: KmsKey, use: Callable[[KeyEngine], T]) -> T:
        engine = self._engine_of(key)
        if engine is None:
            raise KeyUnavailable(f"{key.arn} is of the engine {key.engine}, which is not here.")
        try:
            if engine.waits or key.kind.bits > QUICK_BITS_MAX:
                return await asyncio.to_thread(use, engine)
            return use(engine)
        except NotOpened:
            raise InvalidCiphertext from None
        except Unusable as error:
            log.error("%s cannot be used: %s", key.arn, error)
            raise KeyUnavailable(
                f"{key.arn} cannot be used now; the platform's log says why."
            ) from None


def opened(ciphertext: bytes) -> tuple[str, bytes]:
    """(the key's id, the rest) of a symmetric ciphertext. Raises InvalidCiphertext."""
    try:
        return envelope.read(ciphertext)
    except envelope.NotAnEnvelope:
        raise InvalidCiphertext from None


def check_message(algorithm: str, message: bytes, *, digest: bool) -> None:
    """Raise ValidationFailed unless a message (or digest) is one that the algorithm takes."""
    if not digest:
        return
    length = DIGEST_BYTES.get(algorithm)
    if length is None:
        raise ValidationFailed(f"Algorithm {algorithm} takes the MessageType RAW only.")
    if len(message) != length:
        raise ValidationFailed(
            f"Digest is invalid length for algorithm {algorithm}: it has {len(message)} bytes, not"
            f" {length}."
        )
