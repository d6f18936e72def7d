"""The ladder: each step where the one above cannot be had, marked, for a short time, not stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from dynimo.edge import degraded, upstream
from dynimo.model.stand_ins import StandIns
from dynimo.web import message

STAND_INS = StandIns(
    content_type="image/png", size=("w",), bodies=(((64,), b"small"), ((640,), b"large"))
)
DECISION = {
    "dynimo_forward": "/_made/400", "cache_control": "max-age=60, stale-if-error=600",
    "vary": "accept", "dynimo_group": "boats", "dynimo_rank": "400",
    "dynimo_fallback": "cheaper=/_cheap/400 tiny=/_tiny/400",
}  # fmt: skip
PICTURE = {
    "cache_control": "max-age=600, stale-if-error=600",
    "content_type": "type/one",
    "etag": '"1"',
}


@pytest.fixture
async def scene(make_rig: Any, reply: Any) -> Any:
    """A decision whose object fails, on a path with stand-ins."""
    rig = await make_rig(step_wait_seconds=5.0)
    rig.cache._stand_ins = lambda path: STAND_INS if path.startswith("/choice") else None
    rig.origin.answers["/choice"] = reply(b"", **DECISION)
    rig.origin.answers["/_made/400"] = reply(b'{"error":"no"}', status=503)
    rig.origin.answers["/_cheap/400"] = reply(status=503)
    rig.origin.answers["/_tiny/400"] = reply(status=503)
    return rig


def _asked(rig: Any) -> list[str]:
    return [request.path for request in rig.origin.requests]


async def _store(rig: Any, reply: Any, path: str, rank: str, **more: str) -> None:
    """Let a form of the same thing be stored."""
    headers = PICTURE | {"dynimo_group": "boats", "dynimo_rank": rank} | more
    rig.origin.answers[path] = reply(path.encode(), **headers)
    await rig.get(path, accept="type/one")


async def test_the_file_stands_in_when_nothing_else_can(scene: Any) -> None:
    """By the decision's rank; 200, of its own kind, for a few seconds, and said to be none."""
    answer = await scene.get("/choice", accept="type/one, image/*")
    assert (answer.status, answer.body) == (200, b"large")
    assert answer.headers.get("content-type") == "image/png"
    assert answer.headers.get("dynimo-step") == "placeholder"
    assert answer.headers.get("cache-control") == "max-age=5"
    assert answer.headers.get("vary") == "Accept"
    told = answer.headers.get("cache-status")
    assert told == "Dynimo; fwd=uri-miss; fwd-status=503; detail=placeholder"
    assert "etag" not in answer.headers


async def test_without_a_decision_the_query_says_the_rank(scene: Any, reply: Any) -> None:
    """Nothing of the app works: the size is read from the URL, and any will do without one."""
    del scene.origin.answers["/choice"]  # it raises now
    assert (await scene.get("/choice?w=90")).body == b"small"
    assert (await scene.get("/choice?w=9999999")).body == b"large"
    assert (await scene.get("/choice?w=x")).status == 200


async def test_a_path_may_say_the_group(scene: Any, reply: Any) -> None:
    """Who decides is gone: what was learnt of the path holds for its other queries, if it may."""
    await _store(scene, reply, "/a", "100")
    scene.cache._stand_ins = lambda _: replace(STAND_INS, by_path=True)
    await scene.get("/choice?w=400", accept="type/one, */*")
    scene.origin.answers["/choice"] = reply(status=502)
    known = await scene.get("/choice?w=50", accept="type/one, */*")
    assert (known.body, known.headers.get("dynimo-step")) == (b"/a", "nearest")
    strange = await scene.get("/choice/other?w=50", accept="type/one, */*")
    assert strange.headers.get("dynimo-step") == "placeholder"


async def test_a_failure_is_met_once_and_forgotten_soon(scene: Any, reply: Any) -> None:
    """Who asks meanwhile gets the same without asking; then the real one comes by itself."""
    await scene.get("/choice")
    before = len(_asked(scene))
    scene.clock.time += 3
    again = await scene.get("/choice")
    assert (len(_asked(scene)), again.body) == (before, b"large")
    assert again.headers.get("cache-control") == "max-age=2"
    assert again.headers.get("cache-status").endswith("detail=placeholder-held")
    scene.origin.answers["/_made/400"] = reply(b"real", **PICTURE)
    scene.clock.time += 3
    fresh = await scene.get("/choice")
    assert (fresh.body, "dynimo-step" in fresh.headers) == (b"real", False)


async def test_what_the_app_names_is_asked_for_in_order(scene: Any, reply: Any) -> None:
    """The first that answers 200; it is not what is stored for the request."""
    scene.origin.answers["/_tiny/400"] = reply(b"tiny", content_type="image/jpeg")
    answer = await scene.get("/choice")
    assert _asked(scene) == ["/choice", "/_made/400", "/_cheap/400", "/_tiny/400"]
    assert (answer.body, answer.headers.get("dynimo-step")) == (b"tiny", "tiny")
    assert all(request.internal for request in scene.origin.requests[1:])


async def test_a_failure_may_say_that_nothing_else_will_do(scene: Any, reply: Any) -> None:
    """``dynimo-fallback`` of the failure itself stands in place of the decision's."""
    scene.origin.answers["/_made/400"] = reply(status=502, dynimo_fallback="none")
    assert (await scene.get("/choice")).headers.get("dynimo-step") == "placeholder"
    assert _asked(scene) == ["/choice", "/_made/400"]


async def test_the_nearest_stored_form_comes_first(scene: Any, reply: Any) -> None:
    """Without asking anybody; nothing that lets it pass for the real one goes along."""
    await _store(scene, reply, "/a", "100")
    await _store(scene, reply, "/b", "500")
    answer = await scene.get("/choice", accept="type/one, */*")
    assert (answer.body, answer.headers.get("dynimo-step")) == (b"/b", "nearest")
    assert answer.headers.get("content-type") == "type/one"
    assert not {"etag", "age", "expires", "dynimo-group"} & {name for name, _ in answer.headers}
    assert _asked(scene) == ["/a", "/b", "/choice", "/_made/400"]


async def test_a_form_that_the_client_cannot_read_is_none(scene: Any, reply: Any) -> None:
    """A media type between which the route negotiates goes only to who asked for it."""
    await _store(scene, reply, "/a", "400")
    await _store(scene, reply, "/b", "100", content_type="image/jpeg")
    assert (await scene.get("/choice", accept="type/two, */*")).body == b"/b"


async def test_a_purged_form_is_none(scene: Any, reply: Any) -> None:
    """Neither from the store nor from what is held."""
    await _store(scene, reply, "/a", "400")
    assert (await scene.get("/choice", accept="type/one, */*")).body == b"/a"
    await scene.cache.purge("/a")
    assert (await scene.get("/choice", accept="type/one, */*")).body == b"large"


async def test_forms_are_found_on_disk(make_rig: Any, reply: Any, tmp_path: Any) -> None:
    """With no memory at all, the group is in the index and the body is read."""
    rig = await make_rig(disk_folder=tmp_path / "cache", memory_bytes=0)
    rig.cache._stand_ins = lambda _: STAND_INS
    await _store(rig, reply, "/a", "100")
    await _store(rig, reply, "/b", "300")
    await rig.cache._disk.settled()
    rig.origin.answers["/choice"] = reply(b"", **DECISION)
    rig.origin.answers["/_made/400"] = reply(status=504)
    answer = await rig.get("/choice", accept="type/one, */*")
    assert (answer.body, answer.headers.get("dynimo-step")) == (b"/b", "nearest")


async def test_stale_is_marked_and_not_asked_for_again_at_once(scene: Any, reply: Any) -> None:
    """The old answer itself comes before all stand-ins, for as short a time."""
    scene.origin.answers["/_made/400"] = reply(b"old", **PICTURE)
    await scene.get("/choice")
    scene.origin.answers["/_made/400"] = reply(status=503)
    scene.clock.time += 601
    answer = await scene.get("/choice")
    assert (answer.body, answer.headers.get("dynimo-step")) == (b"old", "stale")
    assert (answer.headers.get("cache-control"), answer.headers.get("etag")) == ("max-age=5", '"1"')
    before = len(_asked(scene))
    assert (await scene.get("/choice")).headers.get("dynimo-step") == "stale"
    assert len(_asked(scene)) == before
    scene.clock.time += 5
    await scene.get("/choice")
    assert len(_asked(scene)) > before


async def test_a_decision_that_cannot_be_renewed_is_used_on(scene: Any, reply: Any) -> None:
    """Who decides is gone; what it decided still leads to what is stored, which is fresh."""
    scene.origin.answers["/_made/400"] = reply(b"real", **PICTURE)
    await scene.get("/choice")
    scene.origin.answers["/choice"] = reply(status=502)
    scene.clock.time += 61
    answer = await scene.get("/choice")
    assert (answer.body, "dynimo-step" in answer.headers) == (b"real", False)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 422])
async def test_a_wrong_request_is_told_so(scene: Any, reply: Any, status: int) -> None:
    """The app's own no is no failure."""
    scene.origin.answers["/_made/400"] = reply(status=status)
    assert (await scene.get("/choice")).status == status


@pytest.mark.parametrize("accept", ["application/json", "image/png;q=0, */*", "image/*;q=0.0"])
async def test_who_takes_no_such_thing_gets_the_error(scene: Any, accept: str) -> None:
    """An error is better than what the client says it cannot read."""
    assert (await scene.get("/choice", accept=accept)).status == 503


async def test_elsewhere_failures_stay_failures(scene: Any, reply: Any) -> None:
    """Only a route that declares it has a ladder."""
    scene.origin.answers["/other"] = reply(status=503)
    assert (await scene.get("/other")).status == 503


async def test_only_if_cached_is_no_failure(scene: Any) -> None:
    """Who wants only what is stored is told that it is not."""
    assert (await scene.get("/choice", cache_control="only-if-cached")).status == 504


async def test_patience_ends_and_the_fill_goes_on(make_rig: Any, reply: Any) -> None:
    """Something stands in for what takes too long, which is stored when it comes."""
    rig = await make_rig(step_patience_seconds=0.01)
    rig.cache._stand_ins = lambda _: STAND_INS
    rig.origin.answers["/slow"] = reply(b"real", **PICTURE)
    rig.origin.gate.clear()
    assert (await rig.get("/slow?w=1")).headers.get("dynimo-step") == "placeholder"
    rig.origin.gate.set()
    fills = [flight.task for flight in rig.cache._fetcher.flights._active]
    await asyncio.gather(*fills)
    rig.clock.time += 6
    assert ((await rig.get("/slow?w=1")).body, rig.origin.count) == (b"real", 1)


async def test_patience_ends_with_the_old_answer(scene: Any, reply: Any) -> None:
    """What there was comes before what is only near."""
    scene.origin.answers["/_made/400"] = reply(b"old", **PICTURE)
    await scene.get("/choice")
    scene.clock.time += 601
    scene.origin.gate.clear()
    scene.cache._settings = replace(scene.cache._settings, step_patience_seconds=0.01)
    answer = await scene.get("/choice")
    assert (answer.body, answer.headers.get("dynimo-step")) == (b"old", "stale")


async def test_all_who_wait_share_one_search(scene: Any, reply: Any) -> None:
    """A hundred at once cost the app what one does."""
    answers = await asyncio.gather(*(scene.get("/choice") for _ in range(100)))
    assert {answer.body for answer in answers} == {b"large"}
    assert len(_asked(scene)) == 4


async def test_few_are_asked_for_at_once(make_rig: Any, reply: Any) -> None:
    """The ladder's own load has a limit: beyond it a step is passed over, not waited for."""
    rig = await make_rig(steps_at_once=0)
    rig.cache._stand_ins = lambda _: STAND_INS
    rig.origin.answers["/choice"] = reply(b"", **DECISION)
    rig.origin.answers["/_made/400"] = reply(status=503)
    assert (await rig.get("/choice")).body == b"large"
    assert _asked(rig) == ["/choice", "/_made/400"]


async def test_what_is_held_has_a_budget(make_rig: Any, reply: Any) -> None:
    """Of bytes: the oldest goes first."""
    rig = await make_rig(steps_held_bytes=12)
    rig.cache._stand_ins = lambda _: STAND_INS
    for path in ("/1", "/2", "/3"):
        rig.origin.answers[path] = reply(status=503)
        await rig.get(path + "?w=640")
    assert rig.cache._ladder._held_bytes == 10
    before = rig.origin.count
    await rig.get("/3?w=640")
    assert rig.origin.count == before
    await rig.get("/1?w=640")
    assert rig.origin.count == before + 1


async def test_who_may_read_it_is_said_of_the_stand_in_too(scene: Any, reply: Any) -> None:
    """Pages of other origins are let in as by the answer that it stands for."""
    scene.origin.answers["/_made/400"] = reply(
        status=503, access_control_allow_origin="*", vary="origin", retry_after="1"
    )
    answer = await scene.get("/choice")
    assert answer.headers.get("access-control-allow-origin") == "*"
    assert answer.headers.get("vary") == "Accept, Origin"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("a=/1 b=/2?x=1", [("a", "/1"), ("b", "/2?x=1")]),
        ("none", []),
        ("A=/1 b=//x c= =/2 d", [("b", "//x")]),
        ("a=/1 " * 9, [("a", "/1")] * 4),
    ],
)
def test_links_are_read_or_left_out(told: str, found: list[tuple[str, str]]) -> None:
    """Each is ``STEP=PATH``; a few at most."""
    assert list(degraded.links(told)) == found


def test_a_step_of_a_cache_behind_us_is_passed_on() -> None:
    """Two of our kind in a row: the outer one's clients see the mark."""
    headers = message.Headers([("dynimo-step", "nearest"), ("dynimo-x", "1")])
    assert upstream.clean(headers).pairs == [("dynimo-step", "nearest")]


async def test_who_only_prefetches_may_fail(scene: Any) -> None:
    """Nobody looks at it yet; and what stood in for it would be held for who does."""
    headers = message.Headers([("host", "a.example")])
    request = message.Request(
        method="GET", path="/choice", headers=headers, priority=message.Priority.PREFETCH
    )
    assert (await scene.cache(request)).status == 503


async def test_nginx_in_front_stores_no_stand_in(make_rig: Any, reply: Any) -> None:
    """It may have the real one, old as it is."""
    rig = await make_rig(expiry_shown=True)
    rig.cache._stand_ins = lambda _: STAND_INS
    rig.origin.answers["/a"] = reply(b"real", **PICTURE)
    rig.origin.answers["/b"] = reply(status=503)
    await rig.get("/a")
    rig.origin.answers["/a"] = reply(status=503)
    rig.clock.time += 601
    for path, step in (("/a", "stale"), ("/b", "placeholder")):
        given = await rig.get(path)
        assert given.headers.get("dynimo-step") == step
        assert given.headers.get_all("x-accel-expires") == ["0"]
