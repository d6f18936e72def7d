"""One request and several servers: who is asked again, when not, and what all of it may cost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from dynimo import testing
from dynimo.upstreams.failures import Broken, Full, Unreachable
from dynimo.upstreams.origin import Origin
from dynimo.upstreams.policy import Policy
from dynimo.web.message import Headers, Request, Response

QUICK = 5.0
"""Seconds within which these answers come; no test waits for them to pass."""


class Scripted:
    """A client that answers as it is told, over and over, and keeps what it was asked."""

    def __init__(self, step: int | Exception | Callable[[], Any]) -> None:
        self.step = step
        self.asked: list[Request] = []
        self.dropped = 0

    async def ask(self, request: Request) -> Response:
        self.asked.append(request)
        try:
            if isinstance(self.step, Exception):
                raise self.step
            if callable(self.step):
                return await self.step()  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        return Response(status=self.step)

    async def close(self) -> None:
        """Nothing is held."""


def _origin(*clients: Scripted, clock: testing.VirtualClock | None = None, **policy: Any) -> Origin:
    named = [(f"s{number}", client) for number, client in enumerate(clients)]
    settled = Policy(**{"slow_start_seconds": 0.0, **policy})
    chance = random.Random(1).random
    return Origin("shop", named, settled, clock or testing.VirtualClock(), chance=chance)


def _request(method: str = "GET") -> Request:
    return Request(method=method, path="/", headers=Headers([("accept", "*/*")]))


async def _statuses(origin: Origin, count: int, method: str = "GET") -> list[int]:
    return [(await origin(_request(method), QUICK)).status for _ in range(count)]


async def test_a_sick_server_costs_no_client_anything() -> None:
    """What it cannot answer, the other does; and after a few it is not asked any more."""
    well = Scripted(200)
    for failure in (503, Broken("x"), Unreachable("x", sent=False)):
        sick = Scripted(failure)

        assert await _statuses(_origin(sick, well), 40) == [200] * 40
        assert len(sick.asked) == Policy().failures_max


@pytest.mark.parametrize(
    ("method", "step", "tries"),
    [
        ("POST", Broken("cut off"), 1),
        ("POST", 503, 1),
        ("POST", Unreachable("refused", sent=False), 2),
        ("PUT", Broken("cut off"), 2),
        ("GET", 500, 1),
        ("GET", 404, 1),
        ("GET", 502, 2),
    ],
)
async def test_only_what_does_no_harm_twice_is_asked_twice(
    method: str, step: int | Exception, tries: int
) -> None:
    """And what nobody can have seen; an answer that is an answer stands."""
    clients = Scripted(step), Scripted(step)
    origin = _origin(*clients)
    await origin(_request(method), QUICK)

    assert sum(len(each.asked) for each in clients) == tries


async def test_retries_stay_within_their_budget() -> None:
    """When all is sick, the load on it grows by a fifth and no more."""
    clients = Scripted(502), Scripted(502)
    origin = _origin(*clients, failures_max=10_000, failures_of=10_000, retry_burst=5)
    await _statuses(origin, 200)

    assert 200 < sum(len(each.asked) for each in clients) <= 200 * 1.2 + 5


async def test_with_every_circuit_open_the_answer_is_at_once() -> None:
    """503, and nobody is asked; when the rest is over, a probe goes out."""
    clock = testing.VirtualClock()
    client = Scripted(503)
    origin = _origin(client, clock=clock, failures_max=2, rest_seconds=2.0, probes=1)
    assert await _statuses(origin, 3) == [503, 503, 503]
    assert len(client.asked) == 2

    client.step = 200
    clock.run(until=clock.monotonic() + 2.0)

    assert await _statuses(origin, 2, "POST") == [200, 200]


async def test_our_own_limit_does_not_open_a_circuit() -> None:
    """That too many wait for a server says nothing of its health."""
    client = Scripted(Full("too many", sent=False))
    await _statuses(_origin(client, failures_max=2), 5)

    assert len(client.asked) == 5


async def test_one_deadline_holds_for_all() -> None:
    """504 when it passes; each server is told what is left of it."""

    async def never() -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    silent = Scripted(never)
    answer = await _origin(silent)(_request(), 0.02)
    well = Scripted(200)
    await _origin(well)(_request(), QUICK)

    assert (answer.status, silent.dropped) == (504, 1)
    assert well.asked[0].headers.get("dynimo-deadline") == "5000"


async def test_a_slow_answer_is_hedged_and_the_loser_dropped() -> None:
    """Safe requests only."""

    async def never() -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    slow, quick = Scripted(never), Scripted(200)
    origin = _origin(slow, quick, hedge_seconds=0.01)
    while not slow.asked:
        assert (await origin(_request(), QUICK)).status == 200

    assert slow.dropped == len(slow.asked) == 1
    assert origin.statistics()["hedges"] == 1


async def test_a_server_is_busy_until_its_answer_is_read_or_let_go() -> None:
    """Also if nobody ever begins to read it."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"

    async def answer() -> Response:
        return Response(pieces=pieces())

    origin = _origin(Scripted(answer))
    first, second = [await origin(_request(), QUICK) for _ in range(2)]
    assert _busy(origin) == 2

    assert first.pieces is not None
    assert [piece async for piece in first.pieces] == [b"a", b"b"]
    assert second.pieces is not None
    await second.pieces.aclose()
    assert _busy(origin) == 0


def _busy(origin: Origin) -> int:
    servers: Any = origin.statistics()["servers"]
    return int(servers["s0"]["busy"])


async def test_what_was_tried_is_told() -> None:
    """To the gateway, for the passport."""
    answer = await _origin(Scripted(502), Scripted(502))(_request(), QUICK)

    assert sorted(answer.headers.get("dynimo-tries").split(", ")) == ["s0=502", "s1=502"]
