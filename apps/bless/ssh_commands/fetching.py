"""Keeps a file equal to an address: asked with the tag of what is there, checked, then replaced.

On any failure the file stays as it was. Where plain HTTP could be bent on its way it is refused.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from dynimo.sdk.commands import CommandError
from ssh_commands import printing
from ssh_commands.options import FAILED, UNAVAILABLE, USAGE
from ssh_commands.replacing import PUBLIC, replace

ANSWER_SECONDS = 30.0
FETCH_SECONDS_MAX = 300.0
"""Of a whole answer, however slowly it drips: a timer's next call should find this one gone."""
CHUNK_BYTES = 1 << 20
ETAG_CHARACTERS_MAX = 256
SAID_BYTES_MAX = 300
AGE_DIGITS_MAX = 10
AGE_SECONDS_MAX = 60
"""An answer that is older was given because the CA could not be asked: that is said."""
Check = Callable[[bytes, bytes | None], None]
"""Raises CommandError when the new content, or the step from the old to it, is not to be taken."""


@dataclass(frozen=True, slots=True)
class Source:
    """An address; ``plain`` allows HTTP that is neither encrypted nor on this machine."""

    url: str
    plain: bool = False
    bytes_max: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """Whether the file changed, and how long ago the CA itself was asked (RFC 9111 section 5.1)."""

    changed: bool
    age_seconds: int = 0


class _Answer(NamedTuple):
    """``data`` is None when it is what the tag says."""

    data: bytes | None
    tag: str
    age_seconds: int


def fetch(source: Source, path: Path, check: Check) -> Fetched:
    """Fetch and replace.

    Raises:
        CommandError: it cannot be had, or is not to be taken.
        OSError: it cannot be written.
    """
    old = path.read_bytes() if path.exists() else None
    beside = path.with_name(f"{path.name}.etag")
    try:
        got = _asked(source, tag_of(beside, source.url, old))
    except CommandError as error:
        if old is None or error.code == USAGE:
            raise
        raise CommandError(f"{error}; {path} is as it was", error.code) from None
    if got.age_seconds > AGE_SECONDS_MAX:
        printing.hint(
            f"{source.url}: the CA did not answer there; this is what it said"
            f" {got.age_seconds // 60} min ago."
        )
    data = got.data
    if data is None:
        return Fetched(False, got.age_seconds)
    if data != old:
        check(data, old)
        replace(path, data, PUBLIC)
    kept = {"url": source.url, "etag": got.tag, "sha256": hashlib.sha256(data).hexdigest()}
    replace(beside, json.dumps(kept).encode() + b"\n", PUBLIC)
    return Fetched(data != old, got.age_seconds)


def tag_of(beside: Path, url: str, data: bytes | None) -> str:
    """The tag of what is there, if it is still what was fetched from this address."""
    if data is None:
        return ""
    try:
        kept = json.loads(beside.read_text())
        same = (kept["url"], kept["sha256"]) == (url, hashlib.sha256(data).hexdigest())
        tag = kept["etag"] if same else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    usable = isinstance(tag, str) and tag.isascii() and tag.isprintable()
    return tag if usable and len(tag) <= ETAG_CHARACTERS_MAX else ""


def _asked(source: Source, tag: str) -> _Answer:
    connection, target = _connection(source)
    try:
        connection.request("GET", target, headers={"if-none-match": tag} if tag else {})
        answer = connection.getresponse()
        said = answer.headers.get("age", "")
        age = int(said[:AGE_DIGITS_MAX]) if said.isascii() and said.isdigit() else 0
        if answer.status == 304 and tag:
            return _Answer(None, tag, age)
        if answer.status != 200:
            told = f"{source.url} answered {answer.status} {answer.reason}"
            if answer.headers.get_content_type() == "text/plain":
                told += f": {_said(answer)}"
            raise CommandError(told, FAILED)
        return _Answer(_body(source, answer), answer.headers.get("etag", ""), age)
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"{source.url} does not answer ({_why(error)})", UNAVAILABLE) from None
    finally:
        connection.close()


def _said(answer: http.client.HTTPResponse) -> str:
    """The first line of why not, as of somebody else's."""
    text = answer.read(SAID_BYTES_MAX).decode(errors="replace")
    return printing.printable(text.partition("\n")[0].strip().rstrip("."))


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; SSL_CERT_FILE names a CA"
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}; does it speak https?"
    return getattr(error, "strerror", None) or str(error)


def _body(source: Source, answer: http.client.HTTPResponse) -> bytes:
    deadline, parts, size = time.monotonic() + FETCH_SECONDS_MAX, [], 0
    while part := answer.read1(CHUNK_BYTES):
        size += len(part)
        if size > source.bytes_max:
            raise CommandError(f"{source.url} gives more than {source.bytes_max} bytes", FAILED)
        if time.monotonic() > deadline:
            raise CommandError(f"{source.url} answers too slowly", UNAVAILABLE)
        parts.append(part)
    if answer.length:
        raise CommandError(f"{source.url} ended before its end", UNAVAILABLE)
    return b"".join(parts)


def _connection(source: Source) -> tuple[http.client.HTTPConnection, str]:
    try:
        parts = urlsplit(source.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in {"http", "https"} or parts.username:
        raise CommandError(f"{source.url} is no address such as https://ca.example/ssh/krl", USAGE)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "https":
        context = ssl.create_default_context()
        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=ANSWER_SECONDS, context=context
        )
        return made, target
    if not (source.plain or here(host)):
        text = f"{source.url} can be bent on its way: use https, or say --plain-http"
        raise CommandError(text, USAGE)
    return http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS), target


def here(host: str) -> bool:
    """Whether a host's name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
