"""Cache and server together: the hot path as a client sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dynimo.web import message, server

HOST = b"Host: a.example\r\n"


async def ask(port: int, data: bytes) -> bytes:
    """Send bytes, return all that comes."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.fixture
async def port(rig: Any, reply: Any) -> Any:
    """Serve a cache that holds one object behind a decision."""
    rig.origin.answers["/choice"] = reply(
        dynimo_forward="/made", cache_control="max-age=60", vary="Accept"
    )
    rig.origin.answers["/made"] = reply(b"x" * 200_000, cache_control="max-age=60", etag='"1"')
    await rig.get("/choice")
    served = server.Server(rig.cache, fast=rig.cache.lookup_nowait)
    yield await served.start("127.0.0.1", 0)
    await served.stop(1)


async def test_hit_get_head_and_304_on_one_connection(rig: Any, port: int) -> None:
    """Pipelined hits of each kind are framed right and ask nothing upstream."""
    answer = await ask(
        port,
        b"GET /choice HTTP/1.1\r\n" + HOST + b"\r\n"
        b"HEAD /choice HTTP/1.1\r\n" + HOST + b"\r\n"
        b"GET /choice HTTP/1.1\r\n" + HOST + b'If-None-Match: "1"\r\n\r\n'
        b"GET /choice HTTP/1.0\r\n" + HOST + b"\r\n",
    )
    parts = answer.split(b"HTTP/1.1 ")[1:]
    heads = [part.partition(b"\r\n\r\n")[0] for part in parts]
    bodies = [len(part.partition(b"\r\n\r\n")[2]) for part in parts]
    assert [head[:3] for head in heads] == [b"200", b"200", b"304", b"200"]
    assert bodies == [200_000, 0, 0, 200_000]
    assert all(b"cache-status: Dynimo; hit; ttl=60" in head for head in heads)
    assert all(b"vary: Accept" in head for head in heads)
    assert [b"connection: close" in head for head in heads] == [False, False, False, True]
    assert rig.origin.count == 2
    assert rig.cache.statistics()["hits_nowait"] + 1 >= 5


async def test_clients_that_go_do_not_stop_a_fill(rig: Any, port: int, reply: Any) -> None:
    """A client that hangs up in the middle of a miss leaves a stored answer behind."""
    rig.origin.answers["/slow"] = reply(cache_control="max-age=60")
    rig.origin.asked.clear()
    rig.origin.gate.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await rig.origin.asked.wait()
    writer.close()
    await writer.wait_closed()
    rig.origin.gate.set()
    answer = await ask(port, b"GET /slow HTTP/1.0\r\n" + HOST + b"\r\n")
    assert answer.endswith(b"body")
    assert rig.origin.count == 3


async def test_header_that_cannot_be_sent_is_500_every_time(
    rig: Any, port: int, reply: Any
) -> None:
    """A stored header with a line break never leaves, hit or miss."""
    rig.origin.answers["/bad"] = message.Response(
        headers=message.Headers([("cache-control", "max-age=60"), ("x", "a\r\nb")])
    )
    for _ in range(2):
        answer = await ask(port, b"GET /bad HTTP/1.0\r\n" + HOST + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 500 ")
