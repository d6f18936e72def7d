"""AWS's Signature Version 4 for one POST with a JSON body, over the standard library. Pure.

Source: AWS's IAM user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose signature it is. ``token`` is empty for a user's own keys."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def headers(
    credentials: Credentials, now: float, *, host: str, region: str, service: str, body: bytes,
    given: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """``given`` (lower-case names) and those that sign a POST to ``/``, all of them signed."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**given, "host": host, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    told = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), told):
        key = hmac.digest(key, part.encode(), "sha256")
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={names}, Signature={key.hex()}"
    )
    return signed
