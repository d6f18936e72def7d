"""What the cache's tests share: a clock they own, an origin that counts, a cache over both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dynimo.edge import cache, config
from dynimo.web import message

OFFERS = ("type/one", "type/two")


@dataclass
class Clock:
    """Time that moves when told to."""

    time: float = 1_000_000_000.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    def monotonic(self) -> float:
        """The same seconds."""
        return self.time

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Nobody here asks for it."""
        raise NotImplementedError


@dataclass
class Origin:
    """Answers by path what a test put there; counts, and can be held back."""

    answers: dict[str, message.Response | Callable[[message.Request], message.Response]] = field(
        default_factory=dict
    )
    requests: list[message.Request] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, request: message.Request) -> message.Response:
        """Answer; a missing path raises."""
        self.requests.append(request)
        self.asked.set()
        await self.gate.wait()
        found = self.answers[request.path]
        return found if isinstance(found, message.Response) else found(request)

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.requests)


@dataclass
class Rig:
    """A cache, its origin, its clock, and short ways to use them."""

    clock: Clock
    origin: Origin
    cache: cache.Cache

    async def get(self, target: str, method: str = "GET", **headers: str) -> message.Response:
        """Ask as the server would: first without waiting, then with."""
        path, _, query = target.partition("?")
        pairs = [("host", "a.example")]
        pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = message.Request(
            method=method, path=path, query=query, headers=message.Headers(pairs)
        )
        return self.cache.lookup_nowait(request) or await self.cache(request)

    async def account(self, target: str, **headers: str) -> str:
        """Return what Cache-Status says, without the cache's name."""
        answer = await self.get(target, **headers)
        return answer.headers.get("cache-status").removeprefix("Dynimo; ")


def reply(body: bytes = b"body", status: int = 200, **headers: str) -> message.Response:
    """Build an origin's answer; ``cache_control`` becomes ``cache-control``."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return message.Response(status=status, headers=message.Headers(pairs), body=body)


@pytest.fixture(name="reply")
def reply_fixture() -> Callable[..., message.Response]:
    """Give tests the builder of answers."""
    return reply


@pytest.fixture
async def make_rig() -> AsyncIterator[Callable[..., object]]:
    """Give a builder of rigs; what it built is closed at the end."""
    made: list[Rig] = []

    async def build(**settings: object) -> Rig:
        clock, origin = Clock(), Origin()
        built = cache.Cache(
            origin, settings=config.Config(**settings), clock=clock,  # type: ignore[arg-type]
            offers=lambda path: OFFERS if path.startswith("/choice") else (),
        )  # fmt: skip
        await built.open()
        made.append(Rig(clock=clock, origin=origin, cache=built))
        return made[-1]

    yield build
    for rig in made:
        rig.origin.gate.set()
        await rig.cache.close()


@pytest.fixture(params=["memory", "disk"])
async def rig(
    request: pytest.FixtureRequest, make_rig: Callable[..., object], tmp_path: Path
) -> Rig:
    """A cache with memory only, and one that must find everything on disk again."""
    if request.param == "memory":
        return await make_rig()  # type: ignore[misc, no-any-return]
    return await make_rig(disk_folder=tmp_path / "cache")  # type: ignore[misc, no-any-return]
