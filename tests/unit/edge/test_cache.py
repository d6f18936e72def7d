"""What the cache answers, from outside: through one Handler and ``lookup_nowait``."""

# ruff: noqa: ASYNC110 - the counts that these tests wait for have no event

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dynimo.web import message

FRESH = "max-age=60"


async def test_second_request_is_a_hit(rig: Any, reply: Any) -> None:
    """A fresh answer is served again, with its age and what is left of its life."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, etag='"1"')
    assert await rig.account("/a") == "fwd=uri-miss; stored"
    rig.clock.time += 10
    answer = await rig.get("/a")
    assert answer.headers.get("cache-status") == "Dynimo; hit; ttl=50"
    assert (answer.headers.get("age"), answer.body, rig.origin.count) == ("10", b"body", 1)


async def test_query_and_host_are_part_of_the_key(rig: Any, reply: Any) -> None:
    """Another query, or another host, is another object."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    await rig.get("/a?x")
    await rig.get("/a?y")
    other = message.Request(
        method="GET", path="/a", query="x", headers=message.Headers([("host", "b.example")])
    )
    await rig.cache(other)
    assert rig.origin.count == 3


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cache_control": "no-store, max-age=60"},
        {"cache_control": "private, max-age=60"},
        {"cache_control": "max-age=60", "set_cookie": "a=b"},
        {"cache_control": "max-age=60", "vary": "*"},
        {"cache_control": "max-age=0"},
        {"expires": "0"},
    ],
)
async def test_what_may_not_be_stored_is_not(rig: Any, reply: Any, headers: Any) -> None:
    """No freshness, no-store, private, Set-Cookie and Vary: * pass through."""
    rig.origin.answers["/a"] = reply(**headers)
    await rig.get("/a")
    assert await rig.account("/a") == "fwd=uri-miss"
    assert rig.origin.count == 2


async def test_failure_is_not_stored_even_if_it_says_so(rig: Any, reply: Any) -> None:
    """A 5xx is never kept; a 404 is when it says how long."""
    rig.origin.answers["/500"] = reply(status=500, cache_control=FRESH)
    rig.origin.answers["/404"] = reply(status=404, cache_control=FRESH)
    for path in ("/500", "/500", "/404", "/404"):
        await rig.get(path)
    assert [request.path for request in rig.origin.requests] == ["/500", "/500", "/404"]


async def test_authorization_needs_permission(rig: Any, reply: Any) -> None:
    """An answer to Authorization is stored only if it is public (RFC 9111 3.5)."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    rig.origin.answers["/b"] = reply(cache_control="public, max-age=60")
    for path in ("/a", "/a", "/b", "/b"):
        await rig.get(path, authorization="Basic eA==")
    assert rig.origin.count == 3


async def test_conditions_are_answered_here(rig: Any, reply: Any) -> None:
    """If-None-Match and If-Modified-Since give 304 from the stored answer, miss or hit."""
    date = "Sun, 09 Sep 2001 01:46:40 GMT"
    rig.origin.answers["/a"] = reply(cache_control=FRESH, etag='"1"', last_modified=date)
    for _ in range(2):
        answer = await rig.get("/a", if_none_match='W/"0", W/"1"')
        assert (answer.status, answer.body, answer.headers.get("etag")) == (304, b"", '"1"')
        assert "content-type" not in answer.headers
        assert (await rig.get("/a", if_modified_since=date)).status == 304
        both = await rig.get("/a", if_none_match='"2"', if_modified_since=date)
        assert both.status == 200
    assert rig.origin.count == 1
    assert "if-none-match" not in rig.origin.requests[0].headers


async def test_head_is_served_from_a_get_and_fills_as_one(rig: Any, reply: Any) -> None:
    """HEAD and GET share a key; a HEAD's miss asks upstream for a GET, without body."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    await rig.get("/a", "HEAD")
    assert rig.origin.requests[0].method == "GET"
    assert await rig.account("/a") == "hit; ttl=60"


async def test_stale_answer_is_revalidated_and_freshened(rig: Any, reply: Any) -> None:
    """A 304 renews a stored answer: its body stays, its headers are updated."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, etag='"1"', x_old="1")
    await rig.get("/a")
    rig.clock.time += 61
    rig.origin.answers["/a"] = reply(b"", 304, cache_control="max-age=100", x_new="2")
    answer = await rig.get("/a")
    assert rig.origin.requests[1].headers.get("if-none-match") == '"1"'
    assert answer.headers.get("cache-status") == "Dynimo; fwd=stale; fwd-status=304; stored"
    seen = [answer.headers.get(name) for name in ("x-old", "x-new", "cache-control", "age")]
    assert [answer.body, *seen] == [b"body", "1", "2", "max-age=100", "0"]
    assert await rig.account("/a") == "hit; ttl=100"


async def test_changed_answer_replaces_the_stale_one(rig: Any, reply: Any) -> None:
    """When revalidation brings a 200, that is what is served and stored."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, etag='"1"')
    await rig.get("/a")
    rig.clock.time += 61
    rig.origin.answers["/a"] = reply(b"new", cache_control=FRESH, etag='"2"')
    assert (await rig.get("/a")).body == b"new"
    assert (await rig.get("/a")).body == b"new"


@pytest.mark.parametrize("failure", [500, 503, 429, None])
async def test_stale_if_error(rig: Any, reply: Any, failure: int | None) -> None:
    """Within its window a stale answer is served when upstream fails; after it, the failure."""
    rig.origin.answers["/a"] = reply(cache_control="max-age=60, stale-if-error=100")
    await rig.get("/a")
    rig.clock.time += 100
    if failure:
        rig.origin.answers["/a"] = reply(status=failure)
    else:
        del rig.origin.answers["/a"]
    code = failure or 502
    assert f"fwd=stale; fwd-status={code}; ttl=-41; detail=stale-if-error" == (
        await rig.account("/a")
    )
    rig.clock.time += 61
    assert code == (await rig.get("/a")).status


async def test_must_revalidate_forbids_stale(rig: Any, reply: Any) -> None:
    """must-revalidate outweighs stale-if-error (RFC 9111 5.2.2.2)."""
    control = "max-age=60, stale-if-error=100, must-revalidate"
    rig.origin.answers["/a"] = reply(cache_control=control)
    await rig.get("/a")
    rig.clock.time += 61
    rig.origin.answers["/a"] = reply(status=503)
    assert (await rig.get("/a")).status == 503


async def test_stale_while_revalidate_does_not_wait(make_rig: Any, reply: Any) -> None:
    """Within its window a stale answer is served at once, and one request renews it behind."""
    rig = await make_rig()
    rig.origin.answers["/a"] = reply(cache_control="max-age=60, stale-while-revalidate=100")
    await rig.get("/a")
    rig.clock.time += 61
    rig.origin.gate.clear()
    for _ in range(3):
        assert await rig.account("/a") == "hit; ttl=-2; detail=stale-while-revalidate"
    while rig.origin.count < 2:
        await asyncio.sleep(0)
    rig.origin.gate.set()
    while rig.cache.statistics()["fills"]:
        await asyncio.sleep(0)
    assert await rig.account("/a") == "hit; ttl=60"
    assert rig.origin.count == 2


async def test_vary_keeps_variants_apart(rig: Any, reply: Any) -> None:
    """Requests whose selected headers differ have different answers (RFC 9111 4.1)."""
    rig.origin.answers["/a"] = lambda request: reply(
        request.headers.get("x-kind").encode(), cache_control=FRESH, vary="X-Kind"
    )
    assert await rig.account("/a", x_kind="1") == "fwd=uri-miss; stored"
    assert await rig.account("/a", x_kind="2") == "fwd=vary-miss; stored"
    for kind in ("1", "2"):
        answer = await rig.get("/a", x_kind=kind)
        assert kind.encode() == answer.body
        assert answer.headers.get("vary") == "X-Kind"
    assert rig.origin.count == 2


async def test_accept_is_reduced_to_what_is_offered(rig: Any, reply: Any) -> None:
    """Spellings of one preference share one stored answer, and upstream sees the short form."""
    rig.origin.answers["/choice"] = reply(cache_control=FRESH, vary="Accept")
    for accept in ("type/two, type/one;q=0.5, */*", "type/one;q=0.1,TYPE/TWO;q=.9;q=1.0,x/y"):
        await rig.get("/choice", accept=accept)
    await rig.get("/choice", accept="text/html, type/*")
    assert ["type/two, type/one;q=0.999", "type/one", ""][::2] == [
        request.headers.get("accept") for request in rig.origin.requests
    ][::2]


async def test_only_if_cached(rig: Any, reply: Any) -> None:
    """only-if-cached is a hit or 504, and never asks upstream."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    assert (await rig.get("/a", cache_control="only-if-cached")).status == 504
    await rig.get("/a")
    assert (await rig.get("/a", cache_control="only-if-cached")).status == 200
    assert rig.origin.count == 1


async def test_no_cache_of_a_client_is_ignored_unless_configured(make_rig: Any, reply: Any) -> None:
    """A stranger cannot force a fill, unless the setting says so."""
    for honoured, asked in ((False, 1), (True, 2)):
        rig = await make_rig(honour_request_directives=honoured)
        rig.origin.answers["/a"] = reply(cache_control=FRESH)
        await rig.get("/a")
        await rig.get("/a", cache_control="no-cache")
        assert asked == rig.origin.count


async def test_other_methods_pass_and_invalidate(rig: Any, reply: Any) -> None:
    """POST goes through; its success drops what is stored (RFC 9111 4.4), its failure does not."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    await rig.get("/a")
    answer = await rig.get("/a", "POST")
    assert answer.headers.get("cache-status") == "Dynimo; fwd=method"
    assert await rig.account("/a") == "fwd=uri-miss; stored"
    rig.origin.answers["/a"] = reply(status=500)
    await rig.get("/a", "DELETE")
    assert await rig.account("/a") == "hit; ttl=60"


async def test_object_over_the_limit_is_not_stored(make_rig: Any, reply: Any) -> None:
    """A body above ``object_bytes_max`` passes through."""
    rig = await make_rig(object_bytes_max=10)
    rig.origin.answers["/a"] = reply(b"x" * 11, cache_control=FRESH)
    await rig.get("/a")
    assert await rig.account("/a") == "fwd=uri-miss"


async def test_what_made_an_answer_is_told(rig: Any, reply: Any) -> None:
    """``dynimo-engine`` leaves, fresh or stored."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, dynimo_engine="v1")
    for _ in range(2):
        answer = await rig.get("/a")
        assert answer.headers.get("dynimo-engine") == "v1"


async def test_nothing_private_or_hop_by_hop_leaves(rig: Any, reply: Any) -> None:
    """``dynimo-*`` and hop-by-hop headers cross the edge in neither direction."""
    rig.origin.answers["/a"] = reply(
        cache_control=FRESH, dynimo_secret="1", connection="x-hop", x_hop="2", keep_alive="3"
    )
    for _ in range(2):
        answer = await rig.get(
            "/a", dynimo_forward="/b", connection="x-mine", x_mine="1", range="bytes=0-1"
        )
        names = {name for name, _ in answer.headers}
        assert set() == names & {"dynimo-secret", "x-hop", "keep-alive", "connection"}
        assert (answer.status, answer.body, rig.origin.count) == (206, b"bo", 1)
    assert {"host"} == {name for name, _ in rig.origin.requests[0].headers}


async def test_server_timing_belongs_to_the_fill(rig: Any, reply: Any) -> None:
    """Server-Timing goes to who caused the fill, and is not stored."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, server_timing="encode;dur=1")
    assert (await rig.get("/a")).headers.get("server-timing") == "encode;dur=1"
    assert "server-timing" not in (await rig.get("/a")).headers


@pytest.mark.parametrize("header", ["location", "content_location"])
@pytest.mark.parametrize(
    ("named", "gone"),
    [
        ("/b", True), ("b", True), ("http://a.example/b", True), ("//A.example/b", True),
        ("http://b.example/b", False), ("http://[", False),
    ],
)  # fmt: skip
async def test_a_change_drops_what_its_answer_names(
    rig: Any, reply: Any, header: str, named: str, *, gone: bool
) -> None:
    """Location and Content-Location too, of the same host only (RFC 9111 4.4)."""
    rig.origin.answers["/b"] = reply(cache_control=FRESH)
    rig.origin.answers["/a"] = reply(**{header: named})
    await rig.get("/b")
    await rig.get("/a", "POST")
    await rig.get("/b")
    assert rig.origin.count == (3 if gone else 2)


async def test_an_answer_to_post_may_be_that_of_a_get(rig: Any, reply: Any) -> None:
    """If it says so by Content-Location, and how long it is fresh (RFC 9110 9.3.3)."""
    rig.origin.answers["/a"] = reply(cache_control=FRESH, content_location="/a")
    rig.origin.answers["/b"] = reply(cache_control=FRESH, content_location="/c")
    for path in ("/a", "/b"):
        await rig.get(path, "POST")
        await rig.get(path)
    assert [request.method for request in rig.origin.requests] == ["POST", "POST", "GET"]


async def test_crowded_is_a_reason_to_be_stale(make_rig: Any, reply: Any) -> None:
    """With no place for another fill, what is stale is given, if it may be; else 503."""
    rig = await make_rig(fills_max=1)
    rig.origin.answers["/a"] = reply(cache_control="max-age=1, stale-if-error=60")
    rig.origin.answers["/b"] = reply(cache_control="max-age=1")
    for path in ("/a", "/b"):
        await rig.get(path)
    rig.clock.time += 5
    rig.origin.answers["/held"] = reply(cache_control=FRESH)
    rig.origin.gate.clear()
    rig.origin.asked.clear()
    held = asyncio.create_task(rig.get("/held"))
    await rig.origin.asked.wait()
    stale = await rig.get("/a")
    assert (stale.status, stale.body) == (200, b"body")
    assert "detail=crowded" in stale.headers.get("cache-status")
    assert (await rig.get("/b")).status == 503
    rig.origin.gate.set()
    assert (await held).status == 200


async def test_caches_behind_are_told_of_first(rig: Any, reply: Any) -> None:
    """An answer that is passed on keeps the account of the caches nearer the origin (RFC 9211)."""
    rig.origin.answers["/a"] = reply(cache_status="Other; hit")
    answer = await rig.get("/a")
    assert answer.headers.get("cache-status") == "Other; hit, Dynimo; fwd=uri-miss"


async def test_what_cannot_be_stored_is_asked_for_as_the_client_asks(
    make_rig: Any, reply: Any
) -> None:
    """Its range and conditions go through, once it was found that there is nothing to keep."""
    rig = await make_rig(pass_ranges=True)
    rig.origin.answers["/a"] = reply(etag='"1"')
    await rig.get("/a", range="bytes=0-1")
    rig.origin.answers["/a"] = reply(b"bo", 206, content_range="bytes 0-1/4", cache_control=FRESH)
    part = await rig.get("/a", range="bytes=0-1", if_range='"1"')
    rig.origin.answers["/a"] = reply(b"", 304, etag='"1"')
    unchanged = await rig.get("/a", if_none_match='"1"')
    assert [part.status, part.body, unchanged.status] == [206, b"bo", 304]
    first, second, third = (dict(request.headers) for request in rig.origin.requests)
    assert "range" not in first
    assert (second["range"], second["if-range"], third["if-none-match"]) == (
        "bytes=0-1",
        '"1"',
        '"1"',
    )


async def test_a_part_is_stored_for_the_range_that_asked_for_it(make_rig: Any, reply: Any) -> None:
    """By the letter: another range, If-Range or the whole is asked for anew."""
    rig = await make_rig(store_parts=True)
    rig.origin.answers["/a"] = reply(b"bo", 206, content_range="bytes 0-1/4", cache_control=FRESH)
    for _ in range(2):
        part = await rig.get("/a", range="bytes=0-1")
        assert (part.status, part.body, rig.origin.count) == (206, b"bo", 1)
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    assert (await rig.get("/a", range="bytes=0-1", if_range='"2"')).status == 200
    whole = await rig.get("/a", range="bytes=2-3")
    assert (whole.status, whole.body, rig.origin.count) == (206, b"dy", 2)
    await rig.cache.purge("/a")
    await rig.get("/a", range="bytes=0-1")
    assert rig.origin.count == 3


async def test_what_is_said_to_us_alone_governs_and_does_not_leave(rig: Any, reply: Any) -> None:
    """Dynimo-Cache-Control (RFC 9213), on a hit and after a 304 as well."""
    rig.origin.answers["/a"] = reply(
        cache_control="no-store", dynimo_cache_control="max-age=9", etag='"1"'
    )
    for _ in range(2):
        answer = await rig.get("/a")
        assert "dynimo-cache-control" not in answer.headers
        assert answer.headers.get("cache-control") == "no-store"
    assert rig.origin.count == 1
    rig.clock.time += 10
    rig.origin.answers["/a"] = reply(b"", 304, etag='"1"')
    await rig.get("/a")
    assert await rig.account("/a") == "hit; ttl=9"
