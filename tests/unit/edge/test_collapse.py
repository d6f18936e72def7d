"""One fill for all who wait: how many upstream calls, and who gets what."""

# ruff: noqa: ASYNC110 - the counts that these tests wait for have no event

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dynimo.web import message

FRESH = "max-age=60"


async def together(rig: Any, count: int, target: str = "/a", **headers: str) -> list[Any]:
    """Ask ``count`` times at once; the origin answers when all are waiting."""
    rig.origin.gate.clear()
    tasks = [asyncio.ensure_future(rig.get(target, **headers)) for _ in range(count)]
    async with asyncio.timeout(60):
        await rig.origin.asked.wait()
        while rig.cache.statistics()["collapsed"] + rig.origin.count < count:
            await asyncio.sleep(0.001)
    rig.origin.gate.set()
    return await asyncio.gather(*tasks)


async def test_a_thousand_misses_make_one_fill(rig: Any, reply: Any) -> None:
    """A thousand simultaneous misses of one key ask upstream once, and all have the answer."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    answers = await together(rig, 1000)
    accounts = [answer.headers.get("cache-status") for answer in answers]
    assert (1, {b"body"}) == (rig.origin.count, {answer.body for answer in answers})
    assert accounts.count("Dynimo; fwd=uri-miss; stored") == 1
    assert accounts.count("Dynimo; fwd=uri-miss; stored; collapsed") == 999


async def test_what_is_good_for_no_time_answers_whoever_asked_before_it_was_asked_for(
    rig: Any, reply: Any
) -> None:
    """Who came later waits for the next fill, together: it may have changed in between."""
    rig.origin.answers["/a"] = lambda _: reply(
        b"%d" % rig.origin.count, cache_control="max-age=0", etag=f'"{rig.origin.count}"'
    )
    answers = await together(rig, 1000)
    bodies = [answer.body for answer in answers]
    assert (bodies.count(b"1"), bodies.count(b"2"), rig.origin.count) == (1, 999, 2)


async def test_what_is_good_for_no_time_and_streamed_is_nobody_elses(rig: Any, reply: Any) -> None:
    """Nobody reads along who came after it was asked for; who came together does."""

    async def pieces(number: int) -> AsyncIterator[bytes]:
        yield b"%d" % number

    def streamed(_: message.Request) -> message.Response:
        answer = reply(b"", cache_control="max-age=0", etag=f'"{rig.origin.count}"')
        answer.pieces = pieces(rig.origin.count)
        return answer

    rig.origin.answers["/a"] = streamed
    answers = await together(rig, 10)
    bodies = [b"".join([piece async for piece in answer.pieces]) for answer in answers]
    assert (bodies.count(b"1"), bodies.count(b"2"), rig.origin.count) == (1, 9, 2)


async def test_failure_behind_a_stale_answer_is_everybodys(rig: Any, reply: Any) -> None:
    """The old answer in its place goes to all who waited; nobody asks again for it."""
    rig.origin.answers["/a"] = reply(cache_control="max-age=0, stale-if-error=60", etag='"1"')
    await rig.get("/a")
    rig.origin.answers["/a"] = reply(status=503)
    answers = await together(rig, 50)
    assert ({b"body"}, 2) == ({answer.body for answer in answers}, rig.origin.count)


async def test_a_thousand_misses_through_a_decision_make_two_calls(rig: Any, reply: Any) -> None:
    """Decision and object are each asked for once."""
    rig.origin.answers["/a"] = reply(dynimo_forward="/b", cache_control=FRESH)
    rig.origin.answers["/b"] = reply(cache_control=FRESH)
    await together(rig, 1000)
    assert rig.origin.count == 2


async def test_fill_survives_its_leader(rig: Any, reply: Any) -> None:
    """When the client that caused a fill goes, the others still get it."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    rig.origin.gate.clear()
    leader = asyncio.ensure_future(rig.get("/a"))
    await rig.origin.asked.wait()
    waiter = asyncio.ensure_future(rig.get("/a"))
    await asyncio.sleep(0)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    rig.origin.gate.set()
    assert ((await waiter).body, rig.origin.count) == (b"body", 1)
    assert await rig.account("/a") == "hit; ttl=60"


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_failing_fill_fails_all_who_waited_and_the_next_tries_again(
    rig: Any, reply: Any, status: int
) -> None:
    """Waiters share the failure; nobody after them does."""
    rig.origin.answers["/a"] = reply(status=status)
    answers = await together(rig, 50)
    assert ({status}, 1) == ({answer.status for answer in answers}, rig.origin.count)
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    assert (await rig.get("/a")).status == 200


async def test_raising_upstream_is_one_502_for_all(rig: Any) -> None:
    """An exception upstream becomes an answer, for the leader and the waiters."""
    answers = await together(rig, 20)
    assert ({502}, 1) == ({answer.status for answer in answers}, rig.origin.count)


async def test_private_answers_are_not_shared_and_do_not_queue(rig: Any, reply: Any) -> None:
    """Waiters of an answer that is not theirs ask for themselves, all at once, for a while."""
    rig.origin.answers["/a"] = lambda _: reply(
        str(rig.origin.count).encode(), cache_control="private"
    )
    answers = await together(rig, 10)
    assert rig.origin.count == 10
    assert 10 >= len({answer.body for answer in answers}) > 1
    rig.origin.gate.clear()
    tasks = [asyncio.ensure_future(rig.get("/a")) for _ in range(5)]
    while rig.origin.count < 15:
        await asyncio.sleep(0.001)
    rig.origin.gate.set()
    await asyncio.gather(*tasks)


async def test_key_found_uncacheable_collapses_again_later(make_rig: Any, reply: Any) -> None:
    """The marker ends after its time."""
    rig = await make_rig(hit_for_miss_seconds=5)
    rig.origin.answers["/a"] = reply(cache_control="no-store")
    await rig.get("/a")
    rig.clock.time += 6
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    await together(rig, 10)
    assert rig.origin.count == 2


async def test_waiters_are_limited(make_rig: Any, reply: Any) -> None:
    """Above ``waiters_max`` a request is answered 503 with Retry-After, at once."""
    rig = await make_rig(waiters_max=3)
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    rig.origin.gate.clear()
    tasks = [asyncio.ensure_future(rig.get("/a")) for _ in range(3)]
    await rig.origin.asked.wait()
    late = await rig.get("/a")
    assert (late.status, late.headers.get("retry-after")) == (503, "1")
    rig.origin.gate.set()
    assert {200} == {answer.status for answer in await asyncio.gather(*tasks)}


async def test_variants_are_filled_apart_when_the_waiter_differs(rig: Any, reply: Any) -> None:
    """A waiter whose headers the answer does not fit gets its own."""
    rig.origin.answers["/a"] = lambda request: reply(
        request.headers.get("x-kind").encode(), cache_control=FRESH, vary="X-Kind"
    )
    kinds = [str(number % 3) for number in range(30)]
    rig.origin.gate.clear()
    tasks = [asyncio.ensure_future(rig.get("/a", x_kind=kind)) for kind in kinds]
    await rig.origin.asked.wait()
    rig.origin.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [kind.encode() for kind in kinds] == [answer.body for answer in answers]
    assert rig.origin.count == 3


async def test_purge_during_a_fill_is_not_undone_by_it(rig: Any, reply: Any) -> None:
    """What was asked for before a purge is not stored after it."""
    rig.origin.answers["/a"] = reply(b"old", cache_control=FRESH)
    rig.origin.gate.clear()
    before = asyncio.ensure_future(rig.get("/a"))
    await rig.origin.asked.wait()
    await rig.cache.purge("/a")
    rig.origin.answers["/a"] = reply(b"new", cache_control=FRESH)
    after = asyncio.ensure_future(rig.get("/a"))
    while rig.origin.count < 2:
        await asyncio.sleep(0.001)
    rig.origin.gate.set()
    await asyncio.gather(before, after)
    assert ((await after).body, await rig.account("/a")) == (b"new", "hit; ttl=60")
    assert (await rig.get("/a")).body == b"new"


async def test_purge_during_a_revalidation_does_not_keep_the_old_body(rig: Any, reply: Any) -> None:
    """A 304 for a body that was purged meanwhile is not used: the whole answer is asked for."""
    rig.origin.answers["/a"] = reply(b"old", cache_control=FRESH, etag='"1"')
    await rig.get("/a")
    rig.clock.time += 61
    rig.origin.answers["/a"] = lambda request: (
        reply(b"", 304, cache_control=FRESH)
        if "if-none-match" in request.headers
        else reply(b"new", cache_control=FRESH)
    )
    rig.origin.asked.clear()
    rig.origin.gate.clear()
    asked = asyncio.ensure_future(rig.get("/a"))
    await rig.origin.asked.wait()
    await rig.cache.purge(everything=True)
    rig.origin.gate.set()
    assert (await asked).body == b"new"


@pytest.mark.parametrize(
    ("url", "prefix", "left"),
    [
        ("/a", False, ["/ab", "/b"]),
        ("http://a.example/a", False, ["/ab", "/b"]),
        ("/a", True, ["/b"]),
        ("https://A.example/", True, []),
        ("http://other.example/", True, ["/a", "/ab", "/b"]),
        ("/", True, []),
    ],
)
async def test_purge_takes_what_it_names(
    rig: Any, reply: Any, url: str, *, prefix: bool, left: list[str]
) -> None:
    """A purge drops one URL, or all that begin with it; with a host or for any."""
    for path in ("/a", "/ab", "/b"):
        rig.origin.answers[path] = reply(cache_control=FRESH)
        await rig.get(path)
    assert 3 - len(left) == await rig.cache.purge(url, prefix=prefix)
    found = [p for p in ("/a", "/ab", "/b") if "hit" in await rig.account(p)]
    assert left == found


async def test_purge_of_a_url_takes_the_object_its_decision_named(rig: Any, reply: Any) -> None:
    """Purging a URL purges what it forwards to, though spelled otherwise."""
    rig.origin.answers["/a"] = reply(dynimo_forward="/b", cache_control=FRESH)
    rig.origin.answers["/b"] = reply(b"old", cache_control=FRESH)
    await rig.get("/a")
    rig.origin.answers["/b"] = reply(b"new", cache_control=FRESH)
    assert await rig.cache.purge("/a") == 2
    assert (await rig.get("/a")).body == b"new"


async def test_purge_refuses_what_is_no_url(rig: Any) -> None:
    """A purge without a path is an error, not everything."""
    with pytest.raises(ValueError, match="names"):
        await rig.cache.purge("")
