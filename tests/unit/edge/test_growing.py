"""Answers that are still coming: who waits reads along, and what is stored is whole."""

# ruff: noqa: ASYNC110 - the counts that these tests wait for have no event

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dynimo.edge import growing
from dynimo.edge.growing import BrokenOff
from dynimo.web import message

FRESH = "max-age=60"
SECONDS = 60.0


@dataclass
class Source:
    """An answer whose pieces come when a test says so; None ends it, an exception breaks it."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("cache-control", FRESH)])
    pieces: asyncio.Queue[bytes | Exception | None] = field(default_factory=asyncio.Queue)
    taken: int = 0
    closed: bool = False

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            while (piece := await self.pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                self.taken += 1
                yield piece
        finally:
            self.closed = True

    def answer(self, request: message.Request) -> message.Response:
        """The answer, its body to come."""
        headers = message.Headers(self.headers)
        return message.Response(status=self.status, headers=headers, pieces=self._pieces())

    def put(self, *pieces: bytes | Exception | None) -> None:
        """Let these come."""
        for piece in pieces:
            self.pieces.put_nowait(piece)


async def rest(answer: message.Response) -> bytes:
    """What is left of a body."""
    if answer.pieces is None:
        return answer.body
    return b"".join([piece async for piece in answer.pieces])


async def settled(rig: Any) -> None:
    """Wait until no fill is under way."""
    async with asyncio.timeout(SECONDS):
        while rig.cache.statistics()["fills"]:
            await asyncio.sleep(0)  # its task has the next turn


async def test_who_waits_reads_along(rig: Any) -> None:
    """Leader and waiter have the first piece before the last has come; it is asked for once."""
    source = Source()
    rig.origin.answers["/a"] = source.answer
    source.put(b"one ")
    leader, waiter = await asyncio.gather(rig.get("/a"), rig.get("/a"))
    assert (await anext(leader.pieces), await anext(waiter.pieces)) == (b"one ", b"one ")
    late = await rig.get("/a")
    source.put(b"two", None)
    assert [await rest(each) for each in (leader, waiter, late)] == [b"two", b"two", b"one two"]
    assert "collapsed" in waiter.headers.get("cache-status")
    await settled(rig)
    stored = await rig.get("/a")
    assert (stored.body, rig.origin.count) == (b"one two", 1)
    assert stored.headers.get("cache-status") == "Dynimo; hit; ttl=60"


async def test_a_client_gone_does_not_stop_the_fill(rig: Any) -> None:
    """What others may want is finished: the next one finds it stored."""
    source = Source()
    rig.origin.answers["/a"] = source.answer
    source.put(b"one ")
    leader = await rig.get("/a")
    assert await anext(leader.pieces) == b"one "
    await leader.pieces.aclose()
    source.put(b"two", None)
    await settled(rig)
    assert ((await rig.get("/a")).body, rig.origin.count) == (b"one two", 1)


async def test_what_breaks_off_is_told_and_not_stored(rig: Any) -> None:
    """Every reader learns that the end is missing; the next one asks anew."""
    source = Source()
    rig.origin.answers["/a"] = source.answer
    source.put(b"one ")
    leader, waiter = await asyncio.gather(rig.get("/a"), rig.get("/a"))
    source.put(RuntimeError("gone"))
    for answer in (leader, waiter):
        with pytest.raises(BrokenOff):
            await rest(answer)
    await settled(rig)
    source.put(b"whole", None)
    assert (await rest(await rig.get("/a")), rig.origin.count) == (b"whole", 2)


async def test_a_purge_reaches_what_is_still_coming(rig: Any) -> None:
    """Whoever has it reads on; it is not stored."""
    source = Source()
    rig.origin.answers["/a"] = source.answer
    source.put(b"old")
    leader = await rig.get("/a")
    await rig.cache.purge("/a")
    source.put(None)
    assert await rest(leader) == b"old"
    await settled(rig)
    source.put(b"new", None)
    assert (await rest(await rig.get("/a")), rig.origin.count) == (b"new", 2)


async def test_what_grows_too_large_is_passed_on(make_rig: Any) -> None:
    """It is not stored, memory is bounded by the slowest reader, and all of it arrives."""
    rig = await make_rig(object_bytes_max=growing.WINDOW_BYTES)
    source = Source()
    rig.origin.answers["/a"] = source.answer
    piece = b"x" * (growing.WINDOW_BYTES // 4)
    source.put(*[piece] * 40, None)
    leader = await rig.get("/a")
    for _ in range(100):
        await asyncio.sleep(0)  # however long the reader rests, the writer gets no further
    assert source.taken < 20
    assert len(await rest(leader)) == 40 * len(piece)
    await settled(rig)
    source.put(b"again", None)
    assert (await rest(await rig.get("/a")), rig.origin.count) == (b"again", 2)


async def test_all_that_is_still_coming_has_one_bound(make_rig: Any) -> None:
    """Beyond it a body is passed on and not stored; when the others are done, bodies are again."""
    rig = await make_rig(filling_bytes_max=100)
    one, two = Source(), Source()
    rig.origin.answers |= {"/a": one.answer, "/b": two.answer}
    one.put(b"x" * 80)
    first = await rig.get("/a")
    assert await anext(first.pieces) == b"x" * 80
    two.put(b"y" * 30, None)
    assert await rest(await rig.get("/b")) == b"y" * 30
    one.put(None)
    assert await rest(first) == b""
    await settled(rig)
    assert (await rig.get("/a")).body == b"x" * 80
    two.put(b"z" * 90, None)
    assert (await rest(await rig.get("/b")), rig.origin.count) == (b"z" * 90, 3)


async def test_nobody_reads_what_is_too_large_to_keep(make_rig: Any) -> None:
    """When its only reader leaves, the upstream is let go."""
    rig = await make_rig(object_bytes_max=10)
    source = Source()
    rig.origin.answers["/a"] = source.answer
    source.put(b"x" * 20)
    leader = await rig.get("/a")
    assert await anext(leader.pieces) == b"x" * 20
    await leader.pieces.aclose()
    source.put(b"y" * 20)
    await settled(rig)
    assert source.closed


async def test_an_answer_for_one_is_passed_on_as_it_comes(rig: Any) -> None:
    """What may not be stored goes to its asker alone; others ask for themselves."""
    one, two = Source(headers=[]), Source(headers=[])
    sources = iter((one, two))
    rig.origin.answers["/a"] = lambda request: next(sources).answer(request)
    first, second = await asyncio.gather(rig.get("/a"), rig.get("/a"))
    one.put(b"one", None)
    two.put(b"two", None)
    assert [await rest(first), await rest(second)] == [b"one", b"two"]


async def test_a_failure_is_shared_as_it_comes(rig: Any) -> None:
    """All who waited read the same failure, which is not stored."""
    source = Source(status=500, headers=[])
    rig.origin.answers["/a"] = source.answer
    first, second = await asyncio.gather(rig.get("/a"), rig.get("/a"))
    source.put(b"sorry", None)
    assert [await rest(first), await rest(second)] == [b"sorry", b"sorry"]
    assert rig.origin.count == 1


async def test_a_condition_is_answered_without_the_body(rig: Any) -> None:
    """304 as soon as the head is here; the fill goes on. A range is given the whole."""
    source = Source(headers=[("cache-control", FRESH), ("etag", '"1"')])
    rig.origin.answers["/a"] = source.answer
    answer = await rig.get("/a", if_none_match='"1"')
    assert (answer.status, answer.pieces) == (304, None)
    part = await rig.get("/a", range="bytes=0-0")
    source.put(b"whole", None)
    assert (part.status, await rest(part)) == (200, b"whole")
    await settled(rig)
    part = await rig.get("/a", range="bytes=0-0")
    assert (part.status, part.body, rig.origin.count) == (206, b"w", 1)
