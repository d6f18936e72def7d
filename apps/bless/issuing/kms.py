"""A lean client of AWS KMS's API: one connection kept for each thread, no library but Python's own.

It fills `contract.cloud.Cloud`, and makes the CA's keys. Credentials and address come from the
environment with each call, as boto3 has them. It decides nothing.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from contract.cloud import CloudError, Decrypted
from issuing import sigv4
from issuing.sigv4 import Credentials

TIMEOUT_SECONDS = 5
ANSWER_BYTES_MAX = 1 << 20
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
"""What a connection ends with that the other side had closed while it was idle."""
_WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
_ARN = re.compile(r"<Arn>([^<]+)</Arn>")


class Kms:
    """Asks the KMS that ``AWS_ENDPOINT_URL_KMS`` names, or AWS's own. For any number of threads."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._kept = threading.local()

    def sign(self, key: str, message: bytes, algorithm: str, *, digest: bool) -> bytes:
        """As `contract.cloud.Cloud`."""
        told = self._call(
            "Sign", KeyId=key, Message=_text(message), SigningAlgorithm=algorithm,
            MessageType="DIGEST" if digest else "RAW",
        )  # fmt: skip
        return _bytes(told, "Signature")

    def public_key(self, key: str) -> bytes:
        """As `contract.cloud.Cloud`."""
        return _bytes(self._call("GetPublicKey", KeyId=key), "PublicKey")

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> Decrypted:
        """As `contract.cloud.Cloud`."""
        told = self._call(
            "Decrypt", CiphertextBlob=_text(ciphertext), EncryptionContext=dict(context)
        )
        return Decrypted(str(told.get("KeyId", "")), _bytes(told, "Plaintext"))

    def key_arn(self, key: str) -> str:
        """As `contract.cloud.Cloud`."""
        return str(self._call("DescribeKey", KeyId=key).get("KeyMetadata", {}).get("Arn", ""))

    def groups(self, user: str) -> frozenset[str]:
        """No IAM is asked here. Raises CloudError."""
        raise CloudError(f"The groups of {user} cannot be asked for here.")

    def create_key(self, spec: str, description: str, tags: Mapping[str, str], policy: str) -> str:
        """A new key for signatures; its ARN. An empty policy is the KMS's default."""
        told = self._call(
            "CreateKey", KeySpec=spec, KeyUsage="SIGN_VERIFY", Description=description,
            Tags=[{"TagKey": name, "TagValue": value} for name, value in tags.items()],
            **({"Policy": policy} if policy else {}),
        )  # fmt: skip
        return str(told.get("KeyMetadata", {}).get("Arn", ""))

    def create_alias(self, alias: str, key: str) -> None:
        """A name for a key."""
        self._call("CreateAlias", AliasName=alias, TargetKeyId=key)

    def schedule_deletion(self, key: str, days: int) -> None:
        """The key signs no more from now on, and is gone in so many days."""
        self._call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=days)

    def close(self) -> None:
        """Close the connection of the thread that calls."""
        kept = getattr(self._kept, "connection", None)
        self._kept.connection = None
        if kept is not None:
            kept[2].close()

    def identity(self) -> str:
        """The ARN of whose credentials these are (sts:GetCallerIdentity). Raises CloudError."""
        given = {"content-type": "application/x-www-form-urlencoded"}
        status, data = self._post("sts", "GetCallerIdentity", given, _WHO)
        found = _ARN.search(data.decode("utf-8", "replace"))
        if status != http.client.OK or found is None:
            raise CloudError(f"The CA's own role cannot be told: GetCallerIdentity says {status}.")
        return found[1]

    def _call(self, operation: str, **asked: Any) -> dict[str, Any]:
        """Raises CloudError, without what we sent."""
        given = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"TrentService.{operation}",
        }
        body = json.dumps(asked, separators=(",", ":")).encode()
        status, data = self._post("kms", operation, given, body)
        return _answer(operation, status, data)

    def _post(
        self, service: str, operation: str, given: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Ask, once more where the connection was stale.

        A request that is sent twice signs twice at worst, which changes nothing.
        """
        address = urlsplit(self._address(service))
        headers = sigv4.headers(
            self._credentials(), time.time(), host=address.netloc, region=self._region(),
            service=service, body=body, given=given,
        )  # fmt: skip
        for fresh in (False, True):
            connection = self._connection(address.scheme, address.netloc, fresh=fresh)
            try:
                return self._exchanged(connection, headers, body)
            except (OSError, http.client.HTTPException) as error:
                self._kept.connection = None
                connection.close()
                if not isinstance(error, _STALE) or fresh:
                    raise CloudError(
                        f"The KMS cannot be reached for {operation} ({type(error).__name__})."
                    ) from None
        raise AssertionError("the second connection answers or fails")

    def _exchanged(
        self, connection: http.client.HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Head and body in one packet, as `http.client` does not send them."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        connection.send(head.encode("latin-1") + body)
        with connection.response_class(connection.sock, method="POST") as answer:
            answer.begin()
            data = answer.read(ANSWER_BYTES_MAX)
            if answer.will_close or len(data) == ANSWER_BYTES_MAX:
                self.close()
            return answer.status, data

    def _connection(self, scheme: str, place: str, *, fresh: bool) -> http.client.HTTPConnection:
        kept = getattr(self._kept, "connection", None)
        if kept is not None and not fresh and kept[:2] == (scheme, place):
            return cast("http.client.HTTPConnection", kept[2])
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        made = kind(place, timeout=TIMEOUT_SECONDS)
        self._kept.connection = (scheme, place, made)
        return made

    def _region(self) -> str:
        return self._environment.get("AWS_REGION") or "us-east-1"

    def _address(self, service: str) -> str:
        found = self._environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        found = found or self._environment.get("AWS_ENDPOINT_URL")
        return found or f"https://{service}.{self._region()}.amazonaws.com"

    def _credentials(self) -> Credentials:
        key = self._environment.get("AWS_ACCESS_KEY_ID", "")
        secret = self._environment.get("AWS_SECRET_ACCESS_KEY", "")
        if not key or not secret:
            raise CloudError("The CA has no credentials for its KMS: see its role's permissions.")
        return Credentials(key, secret, self._environment.get("AWS_SESSION_TOKEN", ""))


def _answer(operation: str, status: int, data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data) if data else {}
    except ValueError:
        told = None
    if status == http.client.OK and isinstance(told, dict):
        return told
    kind = str(told.get("__type", "")).rpartition("#")[2][:64] if isinstance(told, dict) else ""
    raise CloudError(f"The KMS refuses {operation}: {kind or status}.")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(told: Mapping[str, Any], member: str) -> bytes:
    try:
        return base64.b64decode(told[member], validate=True)
    except (KeyError, TypeError, ValueError):
        raise CloudError(f"The KMS's answer has no {member}.") from None
