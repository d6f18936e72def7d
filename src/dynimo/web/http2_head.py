"""A header block of HTTP/2 as a ``Request``, and an answer's headers as such a block. Pure.

The same limits and the same strictness as for HTTP/1.1 (``parsing``); what is peculiar to HTTP/2 is
RFC 9113 section 8. Compression and the order of pseudo-headers are the library's work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from dynimo.web import faults, forwarding, message, parsing, writing
from dynimo.web.config import Config

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_TARGET = re.compile(r"/[!-\"$-~]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DROPPED = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding",
     "upgrade"}
)  # fmt: skip
_ENTRY_BYTES = 32
"""What a header counts beside its text (RFC 9113 section 6.5.2)."""


def request(
    block: Iterable[tuple[bytes, bytes]],
    peer: str,
    limits: Config,
    *,
    trust: forwarding.Trust = forwarding.NOBODY,
    slow_names: frozenset[str] = frozenset(),
) -> message.Request:
    """Read one header block.

    Raises:
        faults.Fault: 400, 414, 431 or 501, for this request alone.
    """
    pseudo: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    cookies: list[str] = []
    size = 0
    for raw_name, raw_value in block:
        size += len(raw_name) + len(raw_value) + _ENTRY_BYTES
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name.startswith(":"):
            pseudo[name] = value
        elif not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise faults.bad_request("A header holds what may not stand there.")
        elif name == "cookie":
            cookies.append(value)
        else:
            pairs.append((name, value.strip(" \t")))
    if cookies:
        pairs.append(("cookie", "; ".join(cookies)))  # RFC 9113 section 8.2.3
    if len(pairs) > limits.headers_max or size > limits.head_bytes_max:
        raise faults.Fault(431, "HeadersTooLarge", "The request's headers are too large.")
    method, path, query = _target(pseudo, limits)
    headers = message.Headers.__new__(message.Headers)
    headers.pairs = [("host", _host(pseudo, pairs)), *(p for p in pairs if p[0] != "host")]
    made = message.Request(
        method=method, path=path, query=query, headers=headers, peer=peer,
        arrived_ns=time.monotonic_ns(), scheme="https", version="2.0",
        marked=any(name in slow_names for name, _ in pairs),
    )  # fmt: skip
    forwarding.settle(made, trust)
    return made


def answer(status: int, headers: message.Headers, date: str) -> list[tuple[str, str]]:
    """An answer's header block, but for its length.

    Raises:
        writing.UnsafeHeader: a name or value may not stand there.
    """
    block = [(":status", str(status))]
    dated = False
    for name, value in headers.pairs:
        if name in _DROPPED:
            continue
        if not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise writing.UnsafeHeader("A response header holds what may not stand there.")
        dated = dated or name == "date"
        block.append((name, value.strip(" \t")))
    if not dated and status >= 200:
        block.append(("date", date))
    return block


def _target(pseudo: dict[str, str], limits: Config) -> tuple[str, str, str]:
    """Method, path and query."""
    method, target = pseudo.get(":method", ""), pseudo.get(":path", "")
    if method == "CONNECT":
        raise faults.Fault(501, "NotImplemented", "This is not a proxy: no CONNECT.")
    if not _METHOD.fullmatch(method):
        raise faults.Fault(501, "NotImplemented", "This method is not known.")
    if len(target) > limits.request_line_bytes_max:
        raise faults.Fault(414, "UriTooLong", "The path is too long.")
    if target == "*" and method == "OPTIONS":
        return method, "*", ""
    if not _TARGET.fullmatch(target):
        raise faults.bad_request("The path must begin with a slash and be plain ASCII.")
    path, _, query = target.partition("?")
    return method, path, query


def _host(pseudo: dict[str, str], pairs: list[tuple[str, str]]) -> str:
    """The one host that was named, as ``:authority``, as Host or as both."""
    named = {value.lower() for name, value in pairs if name == "host"}
    if ":authority" in pseudo:
        named.add(pseudo[":authority"].lower())
    if len(named) != 1 or sum(name == "host" for name, _ in pairs) > 1:
        raise faults.bad_request("Exactly one host is needed.")
    return parsing.checked_host(named.pop())
