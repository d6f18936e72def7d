"""Signs our own requests, for the command line. Standard library only, for it must start at once.

Checked against botocore's signer and our own door in the tests.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dynimo.identity import canonical

_UNSIGNED_HEADERS = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"}
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A key, with its session's token if it is one of a session. Not shown by ``repr``."""

    access_key: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key}>"


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str = "lambda",
    now: float | None = None,
) -> dict[str, str]:
    """The headers (lower-case) with Host, the time, the token and the signature. ``now``: epoch."""
    parts = urlsplit(url)
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
    given = {name.lower(): value for name, value in headers.items()}
    given |= {"host": _host(url), "x-amz-date": timestamp}
    if credentials.token:
        given["x-amz-security-token"] = credentials.token
    names = sorted(name for name in given if name not in _UNSIGNED_HEADERS)
    text = canonical.request(
        method,
        canonical.normalised(parts.path),
        canonical.joined(canonical.pairs(parts.query)),
        list(given.items()),
        names,
        hashlib.sha256(body).hexdigest(),
    )
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    to_sign = canonical.string_to_sign(timestamp, scope, text.encode())
    signature = canonical.signature(credentials.secret, scope, to_sign)
    given["authorization"] = (
        f"{canonical.ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return given


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    if parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"{host}:{parts.port}"
