"""`Cloud` over boto3, and what makes its first call quick.

Nothing here decides anything. Where the services are is boto3's own matter: ``AWS_ENDPOINT_URL``,
the region, and the credentials of the function's role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.cloud import CloudError, Decrypted

CONNECT_SECONDS, READ_SECONDS, TRIES = 2, 5, 2
_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"total_max_attempts": TRIES},
)


class _Nothing:
    """The body of an answer that nobody gave."""

    def stream(self) -> Iterator[bytes]:
        """An object without members."""
        yield b"{}"


def warm() -> None:
    """Have boto3 do once, before environments are forked, what it does at its first call.

    The call ends before the network: its answer is made here.
    """
    nobody = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    client = boto3.client("kms", region_name="us-east-1", config=_CONFIG, **nobody)
    client.meta.events.register(
        "before-send.kms.Decrypt",
        lambda request, **_: AWSResponse(request.url, 200, {}, _Nothing()),
    )
    client.decrypt(CiphertextBlob=b"none")
    client.close()


class Boto:
    """`Cloud` over boto3. Clients are made on first use and kept."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._clients: dict[str, Any] = {}

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> Decrypted:
        """As `Cloud`."""
        asked = {"EncryptionContext": dict(context)} if context else {}
        answer = self._call("kms", "decrypt", CiphertextBlob=ciphertext, **asked)
        return Decrypted(answer["KeyId"], answer["Plaintext"])

    def key_arn(self, key: str) -> str:
        """As `Cloud`."""
        return str(self._call("kms", "describe_key", KeyId=key)["KeyMetadata"]["Arn"])

    def public_key(self, key: str) -> bytes:
        """As `Cloud`."""
        return bytes(self._call("kms", "get_public_key", KeyId=key)["PublicKey"])

    def sign(self, key: str, message: bytes, algorithm: str, *, digest: bool) -> bytes:
        """As `Cloud`."""
        answer = self._call(
            "kms", "sign", KeyId=key, Message=message, SigningAlgorithm=algorithm,
            MessageType="DIGEST" if digest else "RAW",
        )  # fmt: skip
        return bytes(answer["Signature"])

    def groups(self, user: str) -> frozenset[str]:
        """As `Cloud`; every page of them."""
        found: set[str] = set()
        marker: dict[str, str] = {}
        while True:
            answer = self._call("iam", "list_groups_for_user", UserName=user, **marker)
            found |= {each["GroupName"] for each in answer["Groups"]}
            if not answer.get("IsTruncated"):
                return frozenset(found)
            marker = {"Marker": answer["Marker"]}

    def _call(self, service: str, operation: str, **asked: Any) -> Any:
        try:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service, region_name=self._region, config=_CONFIG
                )
            return getattr(self._clients[service], operation)(**asked)
        except (ClientError, BotoCoreError) as error:
            raise CloudError(str(error)) from None
