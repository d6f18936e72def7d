"""The server sends an answer piece by piece, as its maker yields it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from dynimo.web.message import Headers, Request, Response
from dynimo.web.server import Server


async def _answer(server: Server, request: bytes, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    data = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return data


def _serving(pieces: AsyncGenerator[bytes, None]) -> Server:
    async def handler(request: Request) -> Response:
        return Response(headers=Headers([("content-type", "text/plain")]), pieces=pieces)

    return Server(handler)


async def test_pieces_go_out_in_chunks_and_the_connection_serves_on() -> None:
    """Each piece is a chunk; an empty piece is none; the end is told."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        yield b""
        yield b"two!"

    server = _serving(pieces())
    port = await server.start("127.0.0.1", 0)
    last = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    data = await _answer(server, last, port)
    await server.stop(0)

    head, _, body = data.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert body == b"3\r\none\r\n4\r\ntwo!\r\n0\r\n\r\n"


async def test_an_old_client_gets_plain_bytes_until_the_end() -> None:
    """HTTP/1.0 knows no chunks: the end of the connection is the end of the answer."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        yield b"two"

    server = _serving(pieces())
    port = await server.start("127.0.0.1", 0)
    data = await _answer(server, b"GET / HTTP/1.0\r\nhost: a\r\n\r\n", port)
    await server.stop(0)

    head, _, body = data.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b"onetwo"


async def test_a_stream_that_breaks_has_no_end() -> None:
    """A client must not take half an answer for a whole one."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise RuntimeError("broken")

    server = _serving(pieces())
    port = await server.start("127.0.0.1", 0)
    try:
        data = await _answer(server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", port)
    except ConnectionError:
        data = b""
    await server.stop(0)

    assert not data.endswith(b"0\r\n\r\n")


async def test_a_client_that_leaves_ends_the_maker() -> None:
    """What makes the pieces is closed when nobody reads them, and never runs far ahead."""
    made = 0
    closed = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal made
        try:
            while True:
                made += 1
                yield b"x" * 65536
        finally:
            closed.set()

    server = _serving(pieces())
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    await reader.readexactly(1000)
    await asyncio.sleep(0.3)
    ahead = made
    writer.transport.abort()
    await asyncio.wait_for(closed.wait(), 60)
    await server.stop(0)

    assert ahead < 200, "back-pressure held the maker"
