"""An answer that comes in pieces, on the wire, and the informational ones that come ahead.

By its length if it says one, else chunked for HTTP/1.1 and until the close for HTTP/1.0.

Frames and paces; the connection owns the transport, and decides what follows (RFC 9112 section 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dynimo.web import message, writing

_log = logging.getLogger("dynimo.web")

_LAST = b"0\r\n\r\n"


def inform(transport: asyncio.Transport, status: int, headers: message.Headers, date: str) -> None:
    """Send an informational answer (1xx, RFC 9110 15.2); the real one follows."""
    try:
        transport.write(writing.head(status, headers, None, date))
    except writing.UnsafeHeader:
        _log.error("A %d answer was dropped: its headers were not valid.", status)


async def send(
    transport: asyncio.Transport,
    request: message.Request,
    response: message.Response,
    date: str,
    *,
    http11: bool,
    keep: bool,
    room: Callable[[], Awaitable[bool]],
) -> bool:
    """Write head and pieces; whether that was a whole answer.

    ``room`` waits until what was written has left, and says whether anybody still reads.
    """
    assert response.pieces is not None
    bodiless = writing.bodiless(response.status)
    said = response.headers.get("content-length")
    length = int(said) if said.isdigit() and not bodiless else None
    chunked = http11 and length is None
    extra = "" if http11 and keep else "connection: close\r\n"
    if chunked and not bodiless:
        extra += "transfer-encoding: chunked\r\n"
    try:
        head = writing.head(response.status, response.headers, length, date, extra=extra)
    except writing.UnsafeHeader as error:
        _log.error("Answer refused: %s: %s %s", error, request.method, request.path)
        return False
    transport.write(head)
    if request.method == "HEAD" or bodiless:
        return True
    sent = 0
    async for piece in response.pieces:
        sent += len(piece)
        if length is not None and sent > length:
            break
        if piece:
            transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n") if chunked else (piece,))
        if not await room():
            return False
    if chunked:
        transport.write(_LAST)
    return length is None or sent == length
