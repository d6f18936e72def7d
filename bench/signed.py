"""Ready-made requests for AWS's API: signed beforehand with botocore's own signer, as bytes.

Signing costs more than a light client may spend while it measures, so requests are made before.
Each has a payload of its own, hence a signature of its own: no server can answer from memory. They
are good for a quarter of an hour, as AWS has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

VALID_SECONDS = 600.0
"""After this a bench signs anew, well before the servers refuse (900 s)."""
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret."""

    access_key: str
    secret: str


def request(
    keys: Keys, port: int, method: str, path: str, payload: bytes = b"", service: str = "lambda"
) -> bytes:
    """One signed HTTP/1.1 request for 127.0.0.1, whole."""
    unsigned = AWSRequest(
        method=method,
        url=f"http://127.0.0.1:{port}{path}",
        data=payload,
        headers={"Content-Length": str(len(payload))} if payload else {},
    )
    credentials = Credentials(keys.access_key, keys.secret)
    SigV4Auth(credentials, service, REGION).add_auth(unsigned)
    headers = {"Host": f"127.0.0.1:{port}", **dict(unsigned.headers.items())}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def invocations(keys: Keys, port: int, function: str, payloads: list[bytes]) -> list[bytes]:
    """One Invoke request for each payload."""
    path = f"/2015-03-31/functions/{function}/invocations"
    return [request(keys, port, "POST", path, payload) for payload in payloads]
