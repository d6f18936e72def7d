"""An engine over AWS's KMS, or another that speaks its API: keys are made there and stay there.

botocore signs with what the server's environment gives it. What a ciphertext is bound to goes
there as a hash in the encryption context, for AWS limits a context's length. Nothing is kept here
but ARNs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from dynimo.identity.keys.specs import SPECS
from dynimo.ports import KeyMaterial, NotOpened, Unusable

NAME = "aws"
DELETION_DAYS = 7
WAIT_SECONDS = 5.0
TRIES_MAX = 3
CIPHERTEXT_BYTES_MAX = 6144
_BOUND = "dynimo:bound"
_NOT_OPENED = {"InvalidCiphertextException", "IncorrectKeyException"}


class Remote:
    """Makes and uses keys in another KMS. Safe for several threads, as botocore's clients are."""

    name = NAME
    waits = True

    def __init__(self, region: str, endpoint: str = "", **credentials: str) -> None:
        import botocore.config  # noqa: PLC0415 - it is slow, and few need it
        import botocore.session  # noqa: PLC0415

        self._client = botocore.session.get_session().create_client(
            "kms",
            region_name=region,
            endpoint_url=endpoint or None,
            config=botocore.config.Config(
                connect_timeout=WAIT_SECONDS,
                read_timeout=WAIT_SECONDS,
                retries={"total_max_attempts": TRIES_MAX},
            ),
            **credentials,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def make(self, key_id: str, spec: str, usage: str) -> tuple[bytes, bytes]:
        """Make a key there: its ARN, and its public half. Raises Unusable."""
        made = _asked(
            lambda: self._client.create_key(
                KeySpec=spec, KeyUsage=usage, Description=f"dynimo {key_id}"
            )
        )
        arn = str(made["KeyMetadata"]["Arn"])
        if not SPECS[spec].asymmetric:
            return arn.encode(), b""
        told = _asked(lambda: self._client.get_public_key(KeyId=arn))
        return arn.encode(), bytes(told["PublicKey"])

    def seal(self, key: KeyMaterial, plaintext: bytes, bound: bytes) -> bytes:
        """Encrypt, bound to ``bound``: a ciphertext of that KMS. Raises Unusable."""
        told = _asked(
            lambda: self._client.encrypt(
                KeyId=key.kept.decode(), Plaintext=plaintext, EncryptionContext=_context(bound)
            )
        )
        return bytes(told["CiphertextBlob"])

    def open(self, key: KeyMaterial, sealed: bytes, bound: bytes) -> bytes:
        """What ``seal`` was given. Raises NotOpened, Unusable."""
        if not 1 <= len(sealed) <= CIPHERTEXT_BYTES_MAX:
            raise NotOpened
        told = _asked(
            lambda: self._client.decrypt(
                KeyId=key.kept.decode(), CiphertextBlob=sealed, EncryptionContext=_context(bound)
            )
        )
        return bytes(told["Plaintext"])

    def sign(self, key: KeyMaterial, algorithm: str, message: bytes, *, digest: bool) -> bytes:
        """A signature: of a message, or of a digest. Raises Unusable."""
        told = _asked(
            lambda: self._client.sign(
                KeyId=key.kept.decode(),
                Message=message,
                MessageType="DIGEST" if digest else "RAW",
                SigningAlgorithm=algorithm,
            )
        )
        return bytes(told["Signature"])

    def decrypt(self, key: KeyMaterial, algorithm: str, ciphertext: bytes) -> bytes:
        """What was encrypted for the public half of an RSA key. Raises NotOpened, Unusable."""
        told = _asked(
            lambda: self._client.decrypt(
                KeyId=key.kept.decode(), CiphertextBlob=ciphertext, EncryptionAlgorithm=algorithm
            )
        )
        return bytes(told["Plaintext"])

    def forget(self, key: KeyMaterial) -> None:
        """Let a key that is erased here be deleted there, as soon as it can be. Raises Unusable."""
        _asked(
            lambda: self._client.schedule_key_deletion(
                KeyId=key.kept.decode(), PendingWindowInDays=DELETION_DAYS
            )
        )


def _context(bound: bytes) -> dict[str, str]:
    return {_BOUND: hashlib.sha256(bound).hexdigest()}


def _asked(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask, in the words of an engine's contract. Raises NotOpened, Unusable."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - it is slow

    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NOT_OPENED:
            raise NotOpened from None
        raise Unusable(f"the other KMS refuses: {code}") from None
    except BotoCoreError as error:
        raise Unusable(f"the other KMS cannot be reached: {type(error).__name__}") from None
