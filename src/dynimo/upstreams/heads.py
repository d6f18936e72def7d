"""A request's head as bytes, and an answer's bytes as a head (RFC 9112). Pure.

Here is the list of what never passes: hop-by-hop headers both ways, and what a stranger might use
to make the upstream believe in another address, path or method than those asked for.
Strict on purpose: an answer that could be read in two ways is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dynimo.upstreams.failures import Broken
from dynimo.web import forwarding, message

HOPS_MAX = 8
"""How often a request may pass through servers of one name (Via)."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_UNSAFE = re.compile(r"[\r\n\0]")
_HOP = frozenset(
    {"connection", "expect", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Head(NamedTuple):
    """One answer's head. ``length`` is None when the body is chunked or lasts until the close."""

    status: int
    headers: message.Headers
    length: int | None
    chunked: bool
    reusable: bool


def request_bytes(request: message.Request, target: str, host: str, via: str) -> bytes:
    """Return a request's head for ``target`` (path and query, already percent-encoded).

    Raises:
        ValueError: a header or the target would break the framing.
    """
    lines = [f"{request.method} {target} HTTP/1.1", f"host: {host}"]
    named = _named(request.headers)
    for name, value in request.headers.pairs:
        if (
            name in _HOP or name in named or name == "host" or name == "content-length"
            or name == "via" or forwarding.is_claim(name)
        ):  # fmt: skip
            continue
        lines.append(f"{name}: {value}")
    passed = request.headers.get("via")
    if passed.count(f" {via}") >= HOPS_MAX:
        raise ValueError(f"A request came by here {HOPS_MAX} times: it goes in a circle.")
    lines.append(f"via: {passed}, 1.1 {via}" if passed else f"via: 1.1 {via}")
    lines += [f"{name}: {value}" for name, value in forwarding.told(request).items() if value]
    if request.body or request.method in _WITH_BODY:
        lines.append(f"content-length: {len(request.body)}")
    if any(_UNSAFE.search(line) for line in lines) or lines[0].count(" ") != 2:
        raise ValueError("A request's target or header holds what would break its line.")
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("A request's header holds characters outside Latin-1.") from None


def parse(data: bytes, method: str, headers_max: int) -> Head:
    """Read one head, from the status line to the empty line.

    Raises:
        Broken: it is not one, or says the body's length in more than one way.
    """
    first, *rest = data[:-4].split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise Broken("The upstream's status line is not HTTP/1.x.")
    if len(rest) > headers_max:
        raise Broken(f"The upstream sent more than {headers_max} header lines.")
    pairs: list[tuple[str, str]] = []
    for line in rest:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise Broken("The upstream sent a malformed header line.")
        pairs.append((name.lower(), value.strip(" \t")))
    headers = message.Headers.__new__(message.Headers)
    headers.pairs = pairs
    return _framed(int(match[2]), headers, method, http11=match[1] == b"1")


def _framed(status: int, headers: message.Headers, method: str, *, http11: bool) -> Head:
    """Decide how the body ends (RFC 9112 section 6.3), and drop what is between two hops only."""
    tokens = _named(headers)
    reusable = http11 and "close" not in tokens
    codings = headers.get("transfer-encoding").lower()
    lengths = headers.get_all("content-length")
    if (codings and (lengths or not http11)) or (codings and codings != "chunked"):
        raise Broken("The upstream says the body's length in a way that is not clear.")
    if len(set(lengths)) > 1 or not all(_LENGTH.fullmatch(each) for each in lengths):
        raise Broken("The upstream's Content-Length is not one decimal number.")
    headers.pairs = [
        pair for pair in headers.pairs if pair[0] not in _HOP and pair[0] not in tokens
    ]
    if method == "HEAD" or status in {204, 304} or status < 200:
        return Head(status, headers, 0, chunked=False, reusable=reusable)
    if codings:
        return Head(status, headers, None, chunked=True, reusable=reusable)
    if lengths:
        return Head(status, headers, int(lengths[0]), chunked=False, reusable=reusable)
    return Head(status, headers, None, chunked=False, reusable=False)


def _named(headers: message.Headers) -> set[str]:
    """Return what the Connection header names: that too is for one hop only."""
    return {
        token.strip().lower()
        for name, value in headers.pairs
        if name == "connection"
        for token in value.split(",")
    }
