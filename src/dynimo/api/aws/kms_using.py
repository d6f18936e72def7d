"""AWS KMS's operations with keys: encrypt, decrypt, data keys, random bytes, sign, verify.

Each one: which key, may the caller, is it for that and enabled, then the engine. A key's secret
half is never seen here.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from dynimo.api.aws import kms_answering
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.kms_access import Facts, KmsAccess, of_context
from dynimo.api.aws.kms_asked import (
    CIPHERTEXT_BYTES_MAX,
    PLAINTEXT_BYTES_MAX,
    RANDOM_BYTES_MAX,
    Asked,
)
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.records import KmsKey
from dynimo.identity.keys.references import Reference
from dynimo.identity.keys.refusals import (
    DryRun,
    IncorrectKey,
    InvalidCiphertext,
    InvalidKmsSignature,
    UnsupportedOperation,
)
from dynimo.identity.keys.specs import ENCRYPT, SIGN, SYMMETRIC
from dynimo.identity.keys.using import Using, opened
from dynimo.model.errors import ValidationFailed

_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}
_MESSAGE_TYPES = ("RAW", "DIGEST")


class KmsUsing:
    """The operations that use keys."""

    def __init__(self, keys: Keys, access: KmsAccess) -> None:
        self._keys = keys
        self._access = access
        self._using = Using(keys.engine_of)

    def operations(self) -> list[Operation]:
        """What the door is to know."""
        return kms_answering.operations(
            {
                "Encrypt": self._encrypt,
                "Decrypt": self._decrypt,
                "ReEncrypt": self._re_encrypt,
                "GenerateDataKey": self._data_key,
                "GenerateDataKeyWithoutPlaintext": self._data_key_without_plaintext,
                "GenerateRandom": self._random,
                "Sign": self._sign,
                "Verify": self._verify,
                "GetPublicKey": self._public_key,
            }
        )

    # Encrypting.

    async def _encrypt(self, asked: Asked) -> dict[str, Any]:
        plaintext = asked.blob("Plaintext", PLAINTEXT_BYTES_MAX)
        context = asked.context()
        algorithm = asked.text("EncryptionAlgorithm", SYMMETRIC)
        facts = of_context(context) | {"kms:encryptionalgorithm": [algorithm]}
        key = self._access.to_key(asked, "Encrypt", facts=facts)
        _check(asked, key, ENCRYPT, "Encrypt", algorithm, context)
        sealed = await self._using.encrypt(key, algorithm, plaintext, context)
        return {
            "CiphertextBlob": _told(sealed),
            "KeyId": key.arn,
            "EncryptionAlgorithm": algorithm,
        }

    async def _decrypt(self, asked: Asked) -> dict[str, Any]:
        ciphertext = asked.blob("CiphertextBlob", CIPHERTEXT_BYTES_MAX)
        context = asked.context()
        algorithm = asked.text("EncryptionAlgorithm", SYMMETRIC)
        facts = of_context(context) | {"kms:encryptionalgorithm": [algorithm]}
        key = self._key_of(asked, "Decrypt", "KeyId", ciphertext, facts)
        _check(asked, key, ENCRYPT, "Decrypt", algorithm, context)
        plaintext = await self._using.decrypt(key, algorithm, ciphertext, context)
        return {
            "KeyId": key.arn,
            "Plaintext": _told(plaintext),
            "EncryptionAlgorithm": algorithm,
        }

    async def _re_encrypt(self, asked: Asked) -> dict[str, Any]:
        ciphertext = asked.blob("CiphertextBlob", CIPHERTEXT_BYTES_MAX)
        before = asked.context("SourceEncryptionContext")
        after = asked.context("DestinationEncryptionContext")
        old = asked.text("SourceEncryptionAlgorithm", SYMMETRIC)
        new = asked.text("DestinationEncryptionAlgorithm", SYMMETRIC)
        facts = of_context(before) | {"kms:encryptionalgorithm": [old]}
        source = self._key_of(asked, "ReEncryptFrom", "SourceKeyId", ciphertext, facts)
        facts = of_context(after) | {"kms:encryptionalgorithm": [new]}
        key = self._access.to_key(asked, "ReEncryptTo", member="DestinationKeyId", facts=facts)
        source.check_use(ENCRYPT, "ReEncrypt", old)
        source.check_enabled()
        _check_context(source, before)
        _check(asked, key, ENCRYPT, "ReEncrypt", new, after)
        plaintext = await self._using.decrypt(source, old, ciphertext, before)
        return {
            "CiphertextBlob": _told(await self._using.encrypt(key, new, plaintext, after)),
            "SourceKeyId": source.arn,
            "KeyId": key.arn,
            "SourceEncryptionAlgorithm": old,
            "DestinationEncryptionAlgorithm": new,
        }

    async def _data_key(self, asked: Asked) -> dict[str, Any]:
        return await self._new_data_key(asked, "GenerateDataKey", plain=True)

    async def _data_key_without_plaintext(self, asked: Asked) -> dict[str, Any]:
        return await self._new_data_key(asked, "GenerateDataKeyWithoutPlaintext", plain=False)

    async def _new_data_key(self, asked: Asked, operation: str, *, plain: bool) -> dict[str, Any]:
        if asked.has("KeySpec") == asked.has("NumberOfBytes"):
            raise ValidationFailed("Please specify either number of bytes or key spec.")
        spec = asked.text("KeySpec", "AES_256", allowed=_DATA_KEY_BYTES)
        length = asked.number("NumberOfBytes", _DATA_KEY_BYTES[spec], 1, RANDOM_BYTES_MAX)
        context = asked.context()
        facts = of_context(context) | {"kms:encryptionalgorithm": [SYMMETRIC]}
        key = self._access.to_key(asked, operation, facts=facts)
        _check(asked, key, ENCRYPT, operation, SYMMETRIC, context)
        data_key = secrets.token_bytes(length)
        sealed = await self._using.encrypt(key, SYMMETRIC, data_key, context)
        shown = {"Plaintext": _told(data_key)} if plain else {}
        return {"CiphertextBlob": _told(sealed), **shown, "KeyId": key.arn}

    async def _random(self, asked: Asked) -> dict[str, Any]:
        self._access.to_all(asked, "GenerateRandom")
        if asked.has("CustomKeyStoreId"):
            raise UnsupportedOperation("Dynimo has no custom key stores.")
        if not asked.has("NumberOfBytes"):
            raise ValidationFailed("NumberOfBytes is required.")
        length = asked.number("NumberOfBytes", 1, 1, RANDOM_BYTES_MAX)
        return {"Plaintext": _told(secrets.token_bytes(length))}

    def _key_of(
        self, asked: Asked, operation: str, member: str, ciphertext: bytes, facts: Facts
    ) -> KmsKey:
        """The key that ``member`` names, or that a symmetric ciphertext names itself.

        Raises:
            AccessDenied, InvalidCiphertext, IncorrectKey: as the words say.
        """
        if asked.has(member):
            key = self._access.to_key(asked, operation, member=member, facts=facts)
            if not key.kind.asymmetric and opened(ciphertext)[0] != key.id:
                raise IncorrectKey
            return key
        key_id, _ = opened(ciphertext)
        found = self._keys.get(key_id)
        if found is None:
            self._access.to_absent(asked, operation, Reference(asked.place, key_id), facts)
            raise InvalidCiphertext
        self._access.to_this(asked, operation, found, facts)
        return found

    # Signing.

    async def _sign(self, asked: Asked) -> dict[str, Any]:
        key, algorithm, message, digest = self._message(asked, "Sign")
        signature = await self._using.sign(key, algorithm, message, digest=digest)
        return {
            "KeyId": key.arn,
            "Signature": _told(signature),
            "SigningAlgorithm": algorithm,
        }

    async def _verify(self, asked: Asked) -> dict[str, Any]:
        signature = asked.blob("Signature", CIPHERTEXT_BYTES_MAX)
        key, algorithm, message, digest = self._message(asked, "Verify")
        if not await self._using.verify(key, algorithm, message, signature, digest=digest):
            raise InvalidKmsSignature
        return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}

    def _message(self, asked: Asked, operation: str) -> tuple[KmsKey, str, bytes, bool]:
        """(key, algorithm, message, whether it is a digest), allowed and checked."""
        message = asked.blob("Message", PLAINTEXT_BYTES_MAX)
        kind = asked.text("MessageType", "RAW", allowed=_MESSAGE_TYPES)
        algorithm = asked.text("SigningAlgorithm", None)
        facts = {"kms:signingalgorithm": [algorithm], "kms:messagetype": [kind]}
        key = self._access.to_key(asked, operation, facts=facts)
        _check(asked, key, SIGN, operation, algorithm)
        return key, algorithm, message, kind == "DIGEST"

    async def _public_key(self, asked: Asked) -> dict[str, Any]:
        key = self._access.to_key(asked, "GetPublicKey")
        if not key.public:
            raise UnsupportedOperation(f"{key.arn} is symmetric: it has no public key.")
        key.check_enabled()
        which = "EncryptionAlgorithms" if key.usage == ENCRYPT else "SigningAlgorithms"
        return {
            "KeyId": key.arn,
            "PublicKey": _told(key.public),
            "CustomerMasterKeySpec": key.spec,
            "KeySpec": key.spec,
            "KeyUsage": key.usage,
            which: list(key.algorithms),
        }


def _check(
    asked: Asked,
    key: KmsKey,
    usage: str,
    operation: str,
    algorithm: str,
    context: dict[str, str] | None = None,
) -> None:
    """Raise unless the key may be used for that now; and if it was only asked whether it may."""
    key.check_use(usage, operation, algorithm)
    key.check_enabled()
    _check_context(key, context or {})
    if asked.flag("DryRun"):
        raise DryRun


def _check_context(key: KmsKey, context: dict[str, str]) -> None:
    if context and key.kind.asymmetric:
        raise ValidationFailed(
            f"{key.arn} is asymmetric: it cannot bind a ciphertext to an EncryptionContext."
        )


def _told(data: bytes) -> str:
    return base64.b64encode(data).decode()
