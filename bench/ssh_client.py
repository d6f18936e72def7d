"""One boto3 client that asks for certificates, in a process of its own.

``python -m bench.ssh_client PORT ACCESS_KEY COUNT``; the secret comes on stdin, then ``go``. With
``found`` in place of the count it makes the CA of a fresh server. Else it
makes its requests and their proofs first, says ``ready``, and at the end when it began and ended
(monotonic time, which is one for all processes) and the milliseconds of each call.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from typing import Any

from bench import aws, ssh_kit
from bench.setting import Unavailable
from bench.signed import Keys

FUNCTION = "bless-ca"


def found(port: int, access_key: str) -> None:
    """Make the CA of a fresh server. Raises Unavailable."""
    keys = Keys(access_key, sys.stdin.readline().strip())
    policy = ssh_kit.issuing_kit.POLICY.replace("user/ada", "user/*").replace(
        "{caller.name}", "ada"
    )
    told = _asked(aws.client(port, keys), {"do": "init", "policy": policy})
    if "error" in told:
        raise Unavailable(f"the CA was not made: {told}")


def main(port: int, access_key: str, count: int) -> None:
    """Ask ``count`` times, one after the other."""
    client = aws.client(port, Keys(access_key, sys.stdin.readline().strip()))
    key, events = ssh_kit.issuing_kit.Key(), []
    for _ in range(count + 1):
        request = {
            "type": "user", "public_key": key.line, "principals": ["ada"],
            "nonce": secrets.token_hex(16), "at": int(time.time()) + 60,
        }  # fmt: skip
        events.append({"do": "issue", "request": request, "proof": key.proof(request)})
    _certified(client, events.pop())
    print("ready", flush=True)
    sys.stdin.readline()
    began, last, samples = time.monotonic(), time.monotonic(), []
    for event in events:
        _certified(client, event)
        now = time.monotonic()
        samples.append((now - last) * 1e3)
        last = now
    print(json.dumps({"began": began, "ended": last, "ms": samples}), flush=True)


def _certified(client: Any, event: dict[str, Any]) -> None:
    told = _asked(client, event)
    if "certificate" not in told:
        raise Unavailable(f"no certificate: {told}")


def _asked(client: Any, event: dict[str, Any]) -> dict[str, Any]:
    answer = client.invoke(FunctionName=FUNCTION, Payload=json.dumps(event).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    return told


if __name__ == "__main__":
    if sys.argv[3] == "found":
        found(int(sys.argv[1]), sys.argv[2])
    else:
        main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
