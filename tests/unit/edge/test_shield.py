"""The shield: whom it asks, whom it passes by, and whom it does not believe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dynimo.edge import shield
from dynimo.edge.ring import Ring
from dynimo.web import message

ME, OTHER, THIRD = "http://me:1", "http://other:1", "http://third:1"


@dataclass
class Clock:
    """Time that moves when told to."""

    time: float = 100.0

    def now(self) -> float:
        """Seconds."""
        return self.time

    def monotonic(self) -> float:
        """The same."""
        return self.time

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Nobody here asks for it."""
        raise NotImplementedError


@dataclass
class Edges:
    """A shield among three edges, and what each was asked."""

    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[str, message.Request]] = field(default_factory=list)
    answers: dict[str, message.Response] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = shield.KnownPurges(self.clock)
        peers = {name: self._handler(name) for name in (OTHER, THIRD)}
        self.shield = shield.Shield(
            self._handler("origin"), peers, me=ME, key="key", clock=self.clock,
            purges=self.known, down_seconds=5.0,
        )  # fmt: skip

    def _handler(self, name: str) -> message.Handler:
        async def answer(request: message.Request) -> message.Response:
            self.asked.append((name, request))
            return self.answers.get(name, message.Response(body=name.encode()))

        return answer

    async def get(self, target: str, **more: Any) -> bytes:
        """Ask for it, as the cache would."""
        headers = message.Headers([("host", "h"), *more.pop("headers", [])])
        request = message.Request(method="GET", path=target, headers=headers, **more)
        return (await self.shield(request)).body


def owned_by(first: str) -> str:
    """Find a path that belongs to an edge, and whose second is another than us."""
    ring = Ring([ME, OTHER, THIRD])
    return next(
        f"/{n}" for n in range(1000)
        if ring.order(f"h/{n}")[0] == first and ring.order(f"h/{n}")[2] == ME
    )  # fmt: skip


def failed(status: int, header: str) -> message.Response:
    """Build what stands for no answer."""
    return message.Response(status=status, headers=message.Headers([(header, "x")]))


async def test_the_owner_is_asked_and_told_who_asks() -> None:
    """With the key, our mark, and the path as it was."""
    edges = Edges()
    assert await edges.get(owned_by(OTHER)) == OTHER.encode()

    ((_, request),) = edges.asked
    assert request.headers.get("dynimo-peer") == "key"
    assert request.headers.get("cdn-loop") == "dynimo-shield"
    assert request.headers.get("host") == "h"


@pytest.mark.parametrize(
    "more",
    [{"headers": [("cdn-loop", "a, dynimo-shield; v=1")]}, {"internal": True}],
)
async def test_some_requests_go_to_the_origin(more: dict[str, Any]) -> None:
    """Another edge's is never sent to a third; what no edge could be asked for stays here."""
    assert await Edges().get(owned_by(OTHER), **more) == b"origin"


async def test_who_does_not_answer_is_passed_by_for_a_while() -> None:
    """The next edge is asked at once, and the silent one again when its time is over."""
    edges, path = Edges(), owned_by(OTHER)
    edges.answers[OTHER] = failed(502, "dynimo-unreachable")
    assert await edges.get(path) == THIRD.encode()
    assert await edges.get(path) == THIRD.encode()
    assert [name for name, _ in edges.asked] == [OTHER, THIRD, THIRD]
    del edges.answers[OTHER]
    edges.clock.time += 5.1

    assert await edges.get(path) == OTHER.encode()


async def test_an_error_of_the_origin_is_passed_on() -> None:
    """An edge that says 502 of the origin has answered."""
    edges = Edges()
    edges.answers[OTHER] = message.Response(status=502, body=b"origin is down")

    assert await edges.get(owned_by(OTHER)) == b"origin is down"


async def test_who_lacks_a_purge_is_not_believed() -> None:
    """The purges that are known are told; who does not know them is passed by, briefly."""
    edges, path = Edges(), owned_by(OTHER)
    edges.known.add("p1")
    edges.answers[OTHER] = failed(409, "dynimo-peer-purges")
    assert await edges.get(path) == THIRD.encode()
    assert edges.asked[0][1].headers.get("dynimo-peer-purges") == "p1"
    assert edges.shield.statistics()["behind"] == 1


async def test_too_many_purges_to_tell_leave_the_origin() -> None:
    """Then nobody can be believed."""
    edges = Edges()
    for number in range(shield.PURGES_MAX + 1):
        edges.known.add(str(number))
    assert await edges.get(owned_by(OTHER)) == b"origin"
    edges.clock.time += shield.PURGE_SECONDS + 1

    assert await edges.get(owned_by(OTHER)) == OTHER.encode()
