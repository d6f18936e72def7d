"""The handler between a real cache and whatever is behind: who waits, who is told no, and how."""

from __future__ import annotations

import asyncio
import json

from dynimo.backends.clocks import SystemClock
from dynimo.edge.cache import Cache
from dynimo.edge.config import Config as EdgeConfig
from dynimo.shedding.config import Config
from dynimo.shedding.shedder import KIN_TOGETHER_MAX, Classified, Shedder
from dynimo.web.message import Headers, Priority, Request, Response

KEY = "operator"
PREFETCH = [("purpose", "prefetch")]


class Rig:
    """Classes, cache and shedder before one function that takes one request at a time."""

    def __init__(self, **config: float) -> None:
        self.seen: list[Request] = []
        self.shed: list[tuple[str, str]] = []
        self.control = "max-age=60"
        self.gate = asyncio.Event()
        self.shedder = Shedder(
            self._function,
            config=Config(**config),  # type: ignore[arg-type]
            clock=SystemClock(),
            lane_of=lambda request: (
                {"/f/": "f", "/le": "lead"}.get(request.path[:3], ""),
                request.path.partition("kin=")[2],
            ),
            places=lambda _: 1,
            on_shed=lambda priority, reason: self.shed.append((priority, reason)),
        )
        cache = Cache(self.shedder, settings=EdgeConfig(), clock=SystemClock(), offers=lambda _: ())
        self.door = Classified(cache, KEY)

    async def _function(self, request: Request) -> Response:
        self.seen.append(request)
        if request.path.startswith("/lead"):
            forward = request.path.replace("/lead", "/f")
            return Response(headers=Headers([("dynimo-forward", forward)]))
        if request.path != "/fast":
            await self.gate.wait()
        headers = Headers([("cache-control", self.control)])
        return Response(headers=headers, body=request.path.encode())

    def ask(self, path: str, *pairs: tuple[str, str]) -> asyncio.Task[Response]:
        """Ask in a task of its own, as a connection does."""
        request = Request(method="GET", path=path, headers=Headers([("host", "a"), *pairs]))
        return asyncio.ensure_future(self.door(request))

    async def settled(self, running: int, waiting: int) -> None:
        """Wait until the lane holds so many."""
        async with asyncio.timeout(60):
            while True:
                lane = self.shedder.statistics().get("f", {"running": 0, "waiting": 0})
                if (lane["running"], lane["waiting"]) == (running, waiting):
                    return
                await asyncio.sleep(0)


async def test_a_refusal_says_when_to_come_again_and_is_not_kept() -> None:
    """503, Retry-After, no-store, JSON that says what to do; nothing private leaves the edge."""
    rig = Rig(queue_max=1)
    first, second = rig.ask("/f/1"), rig.ask("/f/2")
    await rig.settled(1, 1)

    refused = await rig.ask("/f/3")

    assert (refused.status, refused.headers.get("cache-control")) == (503, "no-store")
    assert int(refused.headers.get("retry-after")) >= 1
    assert json.loads(refused.body)["error"] == "Overloaded"
    assert not [name for name, _ in refused.headers if name.startswith("dynimo-")]
    assert rig.shed == [("live", "full")]
    rig.gate.set()
    assert [(await each).status for each in (first, second)] == [200, 200]


async def test_a_live_request_goes_before_what_waits_and_matters_less() -> None:
    """A prefetch and a warm-up were there first; the live one is served first."""
    rig = Rig()
    asked = [rig.ask("/f/1")]
    await rig.settled(1, 0)
    warm = (("dynimo-priority", "warm"), ("x-dynimo-key", KEY))
    for path, pairs in (("/f/2", warm), ("/f/3", PREFETCH), ("/f/4", ())):
        asked.append(rig.ask(path, *pairs))
        await rig.settled(1, len(asked) - 1)
    rig.gate.set()
    await asyncio.gather(*asked)

    assert [request.path for request in rig.seen] == ["/f/1", "/f/4", "/f/3", "/f/2"]


async def test_a_live_request_does_not_share_the_refusal_of_a_prefetch() -> None:
    """Whoever joined a fill that was turned away for its class asks for itself."""
    rig = Rig(deadline_seconds=0.1)
    running = rig.ask("/f/1")
    await rig.settled(1, 0)
    prefetch = rig.ask("/f/2", *PREFETCH)
    await rig.settled(1, 1)
    joined = rig.ask("/f/2")
    refused = await prefetch
    rig.gate.set()
    await asyncio.gather(running, joined)

    assert (refused.status, joined.result().status) == (503, 200)
    assert rig.shed == [("prefetch", "late")]
    assert [request.path for request in rig.seen] == ["/f/1", "/f/2"]


async def test_what_nobody_waits_for_any_more_never_begins() -> None:
    """The clients of a fill in the queue leave; it is dropped, and the next is served."""
    rig = Rig()
    running = rig.ask("/f/1")
    await rig.settled(1, 0)
    leaves = rig.ask("/f/2")
    await rig.settled(1, 1)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    stays = rig.ask("/f/3")
    await rig.settled(1, 2)
    rig.gate.set()
    await asyncio.gather(running, stays)

    assert [request.path for request in rig.seen] == ["/f/1", "/f/3"]
    assert rig.shed == [("live", "gone")]


async def test_a_refresh_behind_a_stale_answer_is_of_its_own_class() -> None:
    """Stale-while-revalidate asks again at a lower priority than whoever waits."""
    rig = Rig()
    rig.control = "max-age=0, stale-while-revalidate=60"
    rig.gate.set()
    for _ in range(2):
        assert (await rig.ask("/f/1")).status == 200
    await rig.settled(0, 0)

    assert [request.priority for request in rig.seen] == [Priority.LIVE, Priority.REVALIDATE]


async def test_a_function_that_fails_gives_its_place_back() -> None:
    """An exception, and a client that leaves while it runs, free the place."""
    rig = Rig()
    post = Request(method="POST", path="/f/1", headers=Headers([("host", "a")]))
    running = asyncio.ensure_future(rig.door(post))
    await rig.settled(1, 0)
    running.cancel()
    await rig.settled(0, 0)
    rig.gate.set()

    assert (await rig.ask("/f/2")).status == 200


async def test_what_no_function_serves_never_waits() -> None:
    """Without a lane, or switched off, requests pass."""
    rig, off = Rig(queue_max=0), Rig(enabled=False)
    rig.gate.set()
    off.gate.set()

    assert (await rig.ask("/elsewhere")).status == 200
    assert [(await off.ask("/f/1")).status, off.shedder.statistics()] == [200, {}]


async def test_those_who_wait_too_long_are_told_in_time() -> None:
    """The deadline passes while the function is busy."""
    rig = Rig(deadline_seconds=0.05)
    running = rig.ask("/f/1")
    await rig.settled(1, 0)

    assert (await rig.ask("/f/2")).status == 503
    assert rig.shed == [("live", "late")]
    rig.gate.set()
    await running


async def test_what_leads_to_a_refusal_is_not_begun() -> None:
    """A prefetch whose decision would lead to a crowded function is turned away before it."""
    rig = Rig()
    rig.gate.set()
    assert (await rig.ask("/lead/1")).body == b"/f/1"
    rig.gate.clear()
    lane = rig.shedder._lanes["f"]
    lane.typical = 1.0
    asked = [rig.ask(f"/f/{number}") for number in range(2, 5)]
    await rig.settled(1, 2)

    assert (await rig.ask("/lead/9", *PREFETCH)).status == 503
    assert [request.path for request in rig.seen].count("/lead/9") == 0
    assert rig.shed == [("prefetch", "yield")]
    rig.gate.set()
    await asyncio.gather(*asked)


async def test_kin_need_one_place_together() -> None:
    """Sizes of one source that come together are hardly more work than one; strangers wait."""
    rig = Rig()
    first = rig.ask("/f/1kin=cat")
    await rig.settled(1, 0)
    others = [rig.ask(f"/f/{number}kin=cat") for number in range(2, KIN_TOGETHER_MAX + 3)]
    stranger = rig.ask("/f/kin=dog")
    await rig.settled(1, 3)
    assert len(rig.seen) == KIN_TOGETHER_MAX
    rig.gate.set()
    for each in (first, *others, stranger):
        assert (await each).status == 200
    assert rig.shedder.statistics()["f"]["running"] == 0


async def test_kin_of_what_waits_waits_too() -> None:
    """Only what is in progress can be shared."""
    rig = Rig()
    first, waiting = rig.ask("/f/1"), rig.ask("/f/2kin=cat")
    await rig.settled(1, 1)
    kin = rig.ask("/f/3kin=cat")
    await rig.settled(1, 2)
    assert len(rig.seen) == 1
    rig.gate.set()
    assert [(await each).status for each in (first, waiting, kin)] == [200, 200, 200]
