"""Decisions: a forward is followed once, both halves are stored apart, nothing of it leaks."""

from __future__ import annotations

from typing import Any

import pytest

from dynimo.web import message

FORWARD = {"dynimo_forward": "/_made/1?x", "cache_control": "max-age=60", "vary": "Accept"}


@pytest.fixture
def ready(rig: Any, reply: Any) -> Any:
    """A rig whose origin decides and makes."""
    rig.origin.answers["/choice"] = reply(b"", **FORWARD, server_timing="decide;dur=1")
    rig.origin.answers["/_made/1"] = reply(
        cache_control="max-age=600", etag='"1"', server_timing="make;dur=2"
    )
    return rig


async def test_forward_is_followed_internally(ready: Any) -> None:
    """The second request is internal, and has nothing of the client's but Accept."""
    answer = await ready.get("/choice", accept="type/two, x/y", cookie="a=b", user_agent="c")
    first, second = ready.origin.requests
    assert (first.internal, second.internal) == (False, True)
    assert (second.target, second.headers.pairs) == ("/_made/1?x", [("accept", "type/two")])
    assert (answer.body, answer.headers.get("vary")) == (b"body", "Accept")
    assert answer.headers.get("cache-status") == "Dynimo; fwd=uri-miss; stored"
    assert answer.headers.get("server-timing") == "decide;dur=1, make;dur=2"
    assert answer.headers.get("cache-control") == "max-age=600"
    assert "dynimo-forward" not in answer.headers


async def test_hit_through_a_decision_needs_no_waiting(ready: Any) -> None:
    """Both halves in memory are enough for ``lookup_nowait``, also for a 304."""
    await ready.get("/choice", accept="type/two")
    headers = message.Headers([("host", "a.example"), ("accept", "type/two;q=0.3, a/b")])
    request = message.Request(method="GET", path="/choice", headers=headers)
    answer = ready.cache.lookup_nowait(request)
    assert isinstance(answer, message.Prepared)
    assert answer.headers.get("cache-status") == "Dynimo; hit; ttl=600"
    assert b"vary: Accept\r\n" in answer.head
    headers.add("if-none-match", '"1"')
    assert ready.cache.lookup_nowait(request).status == 304


async def test_decision_and_object_expire_apart(ready: Any) -> None:
    """An expired decision is made anew; the object it names is still a hit."""
    await ready.get("/choice")
    ready.clock.time += 61
    assert await ready.account("/choice") == "hit; ttl=539"
    assert [r.path for r in ready.origin.requests] == ["/choice", "/_made/1", "/choice"]


async def test_spellings_share_the_object(ready: Any, reply: Any) -> None:
    """Two URLs whose decisions agree share one stored object."""
    await ready.get("/choice?a")
    await ready.get("/choice?b")
    assert sum(request.internal for request in ready.origin.requests) == 1


async def test_outsider_cannot_reach_internal_objects(ready: Any, reply: Any) -> None:
    """The internal namespace is apart from every host's, whatever host is claimed."""
    await ready.get("/choice")
    ready.origin.answers["/_made/1"] = reply(status=404)
    for host in ("a.example", "|", ""):
        headers = message.Headers([("host", host)])
        request = message.Request(method="GET", path="/_made/1", query="x", headers=headers)
        answer = ready.cache.lookup_nowait(request) or await ready.cache(request)
        if host != "|":
            assert answer.status == 404


@pytest.mark.parametrize("target", ["//x", "relative", "http://b/", "/choice"])
async def test_forward_that_forwards_or_is_no_path_is_502(
    rig: Any, reply: Any, target: str
) -> None:
    """Exactly one forward is followed, to a path."""
    rig.origin.answers["/choice"] = reply(**{**FORWARD, "dynimo_forward": target})
    assert (await rig.get("/choice")).status == 502


async def test_failed_object_is_not_stored_with_the_decision(ready: Any, reply: Any) -> None:
    """A failing second half reaches the client, with Vary; the next request tries again."""
    made = ready.origin.answers["/_made/1"]
    ready.origin.answers["/_made/1"] = reply(status=504)
    answer = await ready.get("/choice")
    assert (answer.status, answer.headers.get("vary")) == (504, "Accept")
    ready.origin.answers["/_made/1"] = made
    assert (await ready.get("/choice")).status == 200


async def test_decision_without_lifetime_is_used_once(ready: Any, reply: Any) -> None:
    """A forward that may not be kept is followed, and asked for again."""
    ready.origin.answers["/choice"] = reply(dynimo_forward="/_made/1?x")
    await ready.get("/choice")
    assert await ready.account("/choice") == "hit; ttl=600"
    assert ready.origin.count == 3


async def test_a_decision_may_say_how_little_of_a_header_mattered(ready: Any, reply: Any) -> None:
    """Thousands of values are a handful of variants; clients are told the whole name."""
    ready.origin.answers["/choice"] = reply(
        b"", dynimo_forward="/_made/1?x", cache_control="max-age=60",
        vary="Accept-Language, User-Agent",
        dynimo_vary="accept-language=de fr, user-agent=device",
    )  # fmt: skip
    languages = [f"{best}-{n},fr;q=0.{n % 9}1" for n in range(99) for best in ("de", "en")]
    for number, language in enumerate(languages):
        agent = f"{'Mobile' if number % 2 else 'Desk'}/{number}"
        answer = await ready.get("/choice", accept_language=language, user_agent=agent)
        assert answer.headers.get("vary") == "Accept-Language, User-Agent"
        assert "dynimo-vary" not in answer.headers
    decisions = [each for each in ready.origin.requests if not each.internal]
    assert len(decisions) == 2
    held = await ready.cache.inspect("http://a.example/choice")
    assert sorted(tuple(each["variant"].values()) for each in held) == [
        ("de,fr", "desktop"), ("und,fr", "phone")
    ]  # fmt: skip


async def test_another_edge_is_told_how_little_of_a_header_mattered(
    make_rig: Any, reply: Any
) -> None:
    """With its 200 and its 304; of what the object itself looked at whole, nothing is said."""
    rig = await make_rig(vary_shown=True)
    rig.origin.answers["/choice"] = reply(
        b"", dynimo_forward="/_made/1?x", cache_control="max-age=60",
        vary="Accept-Language, DPR, Cookie, Accept",
        dynimo_vary="accept-language=de fr, dpr=1 2, user-agent=device",
    )  # fmt: skip
    rig.origin.answers["/_made/1"] = reply(
        cache_control="max-age=600", etag='"1"', vary="Cookie, DPR", dynimo_vary="dpr=1.5 3"
    )
    rig.origin.answers["/plain"] = reply(
        cache_control="max-age=600", vary="User-Agent", dynimo_vary="user-agent=device"
    )
    for headers in ({}, {}, {"if_none_match": '"1"'}):
        answer = await rig.get("/choice", **headers)
        told = sorted(answer.headers.get("dynimo-vary").split(", "))
        assert told == [
            "accept-language=de fr", "accept=type/one type/two", "dpr=1 1.5 2 3"
        ]  # fmt: skip
    assert answer.status == 304
    for _ in range(2):
        answer = await rig.get("/plain")
        assert answer.headers.get("dynimo-vary") == "user-agent=device"


async def test_a_304_with_another_vary_is_not_told_apart_as_before(rig: Any, reply: Any) -> None:
    """What was said of the Vary of the whole answer says nothing of the new one."""
    rig.origin.answers["/a"] = reply(
        cache_control="max-age=0", etag='"1"', vary="User-Agent", dynimo_vary="user-agent=device"
    )
    await rig.get("/a", user_agent="x Mobile")
    rig.origin.answers["/a"] = reply(
        b"", status=304, cache_control="max-age=60", etag='"1"', vary="User-Agent"
    )
    await rig.get("/a", user_agent="x Mobile")
    held = await rig.cache.inspect("http://a.example/a")
    assert [each["variant"]["user-agent"] for each in held if each["fresh_seconds"] > 0] == [
        "x Mobile"
    ]


async def test_a_post_is_handed_over_with_what_it_is_told(rig: Any, reply: Any) -> None:
    """Asked once, by an internal POST that has nothing of the client's; nothing is stored."""
    rig.origin.answers["/many"] = reply(
        b"told", dynimo_forward="/_made/1?x", content_type="a/b", access_control_allow_origin="*"
    )
    rig.origin.answers["/_made/1"] = reply(cache_control="max-age=600", dynimo_group="g")
    for _ in range(2):
        answer = await rig.get("/many", method="POST", cookie="a=b", accept="x/y")
        assert (answer.status, answer.body) == (200, b"body")
        assert answer.headers.get("access-control-allow-origin") == "*"
        assert not any(name.startswith("dynimo-") for name, _ in answer.headers.pairs)
    first, second, *_ = rig.origin.requests
    assert (first.internal, second.internal, rig.origin.count) == (False, True, 4)
    assert (second.method, second.target, second.body) == ("POST", "/_made/1?x", b"told")
    assert second.headers.pairs == [("content-type", "a/b")]


async def test_what_asks_without_changing_is_handed_over_to_nobody(rig: Any, reply: Any) -> None:
    """OPTIONS is answered by whom it was sent to, and clients see no forward."""
    rig.origin.answers["/many"] = reply(b"", dynimo_forward="/_made/1")
    answer = await rig.get("/many", method="OPTIONS")
    assert (answer.status, rig.origin.count) == (200, 1)
    assert "dynimo-forward" not in answer.headers


@pytest.mark.parametrize("target", ["relative", "http://b/", "/many"])
async def test_handing_over_in_a_circle_is_502(rig: Any, reply: Any, target: str) -> None:
    """As for what is fetched: once, to a path."""
    rig.origin.answers["/many"] = reply(b"", dynimo_forward=target)
    assert (await rig.get("/many", method="POST")).status == 502


async def test_who_may_read_it_is_the_decisions_to_say(ready: Any, reply: Any) -> None:
    """CORS of the client's route holds for what is made, a hit, a 304 and a failure alike."""
    ready.origin.answers["/choice"] = reply(**FORWARD, access_control_allow_origin="*")
    ready.origin.answers["/plain"] = reply(**FORWARD)
    ready.origin.answers["/_made/1"].headers.add("access-control-allow-origin", "http://a.example")
    for headers in ({}, {}, {"if_none_match": '"1"'}):
        answer = await ready.get("/choice", **headers)
        assert answer.headers.get_all("access-control-allow-origin") == ["*"]
    plain = await ready.get("/plain")
    assert plain.headers.get("access-control-allow-origin") == "http://a.example"
    assert (await ready.get("/choice")).headers.get("access-control-allow-origin") == "*"
    await ready.cache.purge(everything=True)
    ready.origin.answers["/_made/1"] = reply(status=504)
    answer = await ready.get("/choice")
    assert (answer.status, answer.headers.get("access-control-allow-origin")) == (504, "*")


async def test_a_decision_says_headers_of_its_own_answer(ready: Any, reply: Any) -> None:
    """They come with every answer to that URL, stored or not, and with no other's."""
    words = {**FORWARD, "dynimo_said": "note=one, two"}
    ready.origin.answers["/other"] = reply(b"", **words)
    for _ in range(2):
        assert (await ready.get("/other")).headers.get("note") == "one, two"
        assert "note" not in (await ready.get("/choice")).headers
    headers = message.Headers([("host", "a.example")])
    hit = ready.cache.lookup_nowait(message.Request(method="GET", path="/other", headers=headers))
    assert isinstance(hit, message.Prepared)
    assert b"note: one, two\r\n" in hit.head
    assert b"dynimo-said" not in hit.head


@pytest.mark.parametrize(
    "words", ["content-length=1", "connection=close", "dynimo-forward=/x", "etag=1", "a b=1", "=1"]
)
async def test_a_decision_cannot_say_everything(ready: Any, reply: Any, words: str) -> None:
    """What frames or describes the bytes, or is ours, is not said."""
    plain = await ready.get("/choice")
    ready.origin.answers["/other"] = reply(b"", **FORWARD, dynimo_said=words)
    given = await ready.get("/other")
    assert {name for name, _ in given.headers.pairs} <= {name for name, _ in plain.headers.pairs}
