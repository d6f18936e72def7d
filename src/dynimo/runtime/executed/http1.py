"""As much of HTTP/1.1 as the Runtime API needs: reading requests with bodies, writing answers.

Bodies come by length or in chunks with trailers, and are handed on piece by piece. What paths mean
is not known here. Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 2 * 1024 * 1024
"""Clients put up to 1 MiB of X-Ray cause into a header (awslambdaric does)."""

HEADERS_MAX = 100
PIECE_BYTES_MAX = 64 * 1024
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}


class BadRequest(Exception):
    """What came is no HTTP request; the connection is of no further use."""


class Truncated(Exception):
    """The body ended before its end."""


@dataclass(slots=True, kw_only=True)
class Request:
    """One request's head, and its body still to be read. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    trailers: dict[str, str] = field(default_factory=dict)
    unread: bool = True

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to go on with this connection."""
        return self.headers.get("connection", "").lower() != "close"

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, at most ``PIECE_BYTES_MAX`` at a time; then ``trailers`` are there.

        Raises:
            Truncated: the connection ended before the body did.
            BadRequest: its framing cannot be understood.
        """
        self.unread = False
        if "100-continue" in self.headers.get("expect", "").lower():
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        try:
            async for piece in self._chunks() if chunked else self._counted():
                yield piece
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Truncated from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise BadRequest(str(error)) from error

    async def _counted(self) -> AsyncIterator[bytes]:
        left = int(self.headers.get("content-length") or 0)
        if left < 0:
            raise BadRequest("a negative length")
        while left:
            piece = await self.reader.read(min(left, PIECE_BYTES_MAX))
            if not piece:
                raise Truncated
            left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            line = await self.reader.readuntil(b"\r\n")
            left = int(line.partition(b";")[0], 16)
            if not left:
                break
            while left:
                piece = await self.reader.read(min(left, PIECE_BYTES_MAX))
                if not piece:
                    raise Truncated
                left -= len(piece)
                yield piece
            if await self.reader.readexactly(2) != b"\r\n":
                raise BadRequest("a chunk without its end")
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            if len(self.trailers) >= HEADERS_MAX:
                raise BadRequest("too many trailers")
            name, _, value = line.decode("utf-8", "replace").partition(":")
            self.trailers[name.strip().lower()] = value.strip()


async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request's head; None when the client has closed.

    Raises:
        BadRequest: what came is none.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest("the head is too long") from error
    line, *rest = head[:-4].decode("utf-8", "replace").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(rest) > HEADERS_MAX:
        raise BadRequest("no request line, or too many headers")
    headers: dict[str, str] = {}
    for text in rest:
        name, colon, value = text.partition(":")
        if not colon:
            raise BadRequest("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    path = words[1].partition("?")[0]
    return Request(method=words[0], path=path, headers=headers, reader=reader, writer=writer)


def answer(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, keep_alive: bool = True
) -> bytes:
    """A whole response. Values of headers may hold any characters but line ends, as UTF-8."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"]
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        lines.append(f"{name}: {''.join(c for c in value if c not in _LINE_ENDS)}")
    lines.append(f"Content-Length: {len(body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + body


_LINE_ENDS = frozenset("\r\n\0")
