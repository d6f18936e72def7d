"""The canonical form of a request and the keys of Signature Version 4. Pure; for both sides.

Source: AWS's reference, "Create a signed AWS API request", for services other than S3: the path is
normalised and encoded once more, the query is sorted, header values are trimmed.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_SPACES = re.compile(r"[ \t]+")
_KEYS_KEPT = 256
_BLOCK_BYTES = 64
"""Of SHA-256; a signing key is 32 bytes."""


def request(
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    signed: Sequence[str],
    payload: str,
) -> str:
    """The canonical request. ``path`` and ``query`` are canonical already; names lower-case.

    ``payload`` is the body's SHA-256 in hexadecimal, or ``UNSIGNED-PAYLOAD``.
    """
    once = dict(headers)
    if len(once) == len(headers):  # no name is there twice
        lines = "".join([f"{name}:{_trimmed(once.get(name, ''))}\n" for name in signed])
    else:
        lines = "".join([f"{name}:{value(headers, name)}\n" for name in signed])
    return "\n".join((method, path, query, lines, ";".join(signed), payload))


def value(headers: Iterable[tuple[str, str]], name: str) -> str:
    """All values of a header in their order, joined by commas, runs of blanks made one."""
    return ",".join([_trimmed(each) for key, each in headers if key == name])


def _trimmed(text: str) -> str:
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    return text.strip(" ")


def encoded(path: str) -> str:
    """A path as sent, percent-encoded once more; nothing in it is taken away."""
    return quote(path or "/", safe="/~")


def normalised(path: str) -> str:
    """A path without ``.``, ``..`` and doubled slashes (RFC 3986 5.2.4), encoded once more."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    tail = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{tail}", safe="/~")


def pairs(query: str) -> list[tuple[str, str]]:
    """The parameters of a query, each part decoded and encoded anew, in the query's order.

    A plus is a blank, as it is for those who read the query's meaning; were it anything else here,
    a request could be changed from one to the other under the same signature.
    """
    found: list[tuple[str, str]] = []
    for part in query.split("&"):
        name, _, text = part.partition("=")
        if part:
            found.append((_part(name), _part(text)))
    return found


def joined(parameters: Iterable[tuple[str, str]]) -> str:
    """Parameters (encoded) in their canonical order."""
    return "&".join(f"{name}={text}" for name, text in sorted(parameters))


def raw_pairs(query: str) -> list[tuple[str, str]]:
    """The parameters exactly as sent, empty ones too."""
    parts = (part.partition("=") for part in query.split("&"))
    return [(name, text) for name, _, text in parts]


def string_to_sign(timestamp: str, scope: str, canonical: bytes) -> str:
    """What is signed. ``scope`` is DATE/REGION/SERVICE/aws4_request."""
    return "\n".join((ALGORITHM, timestamp, scope, hashlib.sha256(canonical).hexdigest()))


def signature(secret: str, scope: str, text: str) -> str:
    """The signature of a string to sign, in hexadecimal."""
    inner, outer = _signing_states(secret, scope)
    made, told = inner.copy(), outer.copy()
    made.update(text.encode())
    told.update(made.digest())
    return told.hexdigest()


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _signing_states(secret: str, scope: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Both hashes of HMAC (RFC 2104) with a signing key taken in; copied for each request.

    Making an HMAC anew costs more than the rest of a signature.
    """
    date, region, service, _ = scope.split("/")
    key = _signing_key(secret, date, region, service).ljust(_BLOCK_BYTES, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
    return hashlib.sha256(inner), hashlib.sha256(outer)


def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one secret for one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _part(text: str) -> str:
    plain = text.replace("+", " ")
    if "%" not in plain:
        return quote(plain, safe="-_.~")
    return quote(unquote_to_bytes(plain), safe="-_.~")
