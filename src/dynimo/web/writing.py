"""A response's head as bytes. Values in, bytes out.

The server alone says Date, Content-Length and Connection; a handler's other hop-by-hop headers are
dropped (RFC 9110 7.6.1). A header that would split the response is refused.
"""

from __future__ import annotations

import email.utils
import http
import time

from dynimo.web import message

_DROPPED = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
_BODILESS = frozenset({204, 304})


class UnsafeHeader(ValueError):
    """A header holds a line break, NUL or a character outside Latin-1."""


class DateText:
    """The Date header's value, made once a second (RFC 9110 5.6.7)."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Return the present time as an IMF-fixdate."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._text = email.utils.formatdate(second, usegmt=True)
        return self._text


def bodiless(status: int) -> bool:
    """Say whether an answer of this status never has a body."""
    return status in _BODILESS or status < 200


def head(
    status: int, headers: message.Headers, length: int | None, date: str, extra: str = ""
) -> bytes:
    """Serialise a head, to the empty line.

    ``length`` is the Content-Length, None for no such line; ``date`` is used unless the headers
    have one; ``extra`` is whole further lines, each with its CRLF.

    Raises:
        UnsafeHeader: a name or value would break the framing.
    """
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}"]
    dated = False
    for name, value in headers.pairs:
        if name in _DROPPED:
            continue
        if name == "date":
            dated = True
        lines.append(f"{name}: {value}")
    if not dated:
        lines.append(f"date: {date}")
    if length is not None:
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise UnsafeHeader("A response header holds a line break or NUL.")
    try:
        return f"{text}\r\n{extra}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise UnsafeHeader("A response header holds characters outside Latin-1.") from None


def content_length(request_method: str, response: message.Response) -> int | None:
    """Return what Content-Length to send: of the body, or for HEAD of what GET would send."""
    if bodiless(response.status):
        return None
    if request_method == "HEAD" and not response.body:
        said = response.headers.get("content-length")
        if said.isdigit():
            return int(said)
    return len(response.body)


def encode(
    request_method: str, response: message.Response, date: str, *, extra: str = ""
) -> tuple[bytes, bytes]:
    """Return head and body as they go out.

    Raises:
        UnsafeHeader: see ``head``.
    """
    length = content_length(request_method, response)
    without_body = length is None or request_method == "HEAD"
    start = head(response.status, response.headers, length, date, extra)
    return start, b"" if without_body else response.body
