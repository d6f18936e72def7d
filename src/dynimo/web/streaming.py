"""An answer that comes in pieces, on the wire: chunked for HTTP/1.1, until the close for HTTP/1.0.

Frames and paces; the connection owns the transport, and decides what follows (RFC 9112 section 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dynimo.web import message, writing

_log = logging.getLogger("dynimo.web")

_LAST = b"0\r\n\r\n"


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
    extra = "" if http11 and keep else "connection: close\r\n"
    if http11 and not bodiless:
        extra += "transfer-encoding: chunked\r\n"
    try:
        head = writing.head(response.status, response.headers, None, date, extra=extra)
    except writing.UnsafeHeader as error:
        _log.error("Answer refused: %s: %s %s", error, request.method, request.path)
        return False
    transport.write(head)
    if request.method == "HEAD" or bodiless:
        return True
    async for piece in response.pieces:
        if piece:
            transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n") if http11 else (piece,))
        if not await room():
            return False
    if http11:
        transport.write(_LAST)
    return True
