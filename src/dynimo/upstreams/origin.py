"""An upstream of several servers: asks one, another if that is safe, and none that is broken.

Acts; whom to ask is ``balance``, whether at all is ``breaker`` and ``budget``. One deadline holds
for all tries together, and is told on to the server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from dynimo import ports
from dynimo.upstreams.balance import Server, choose
from dynimo.upstreams.breaker import Breaker
from dynimo.upstreams.budget import Budget
from dynimo.upstreams.failures import TimedOut, Unreachable, UpstreamError
from dynimo.upstreams.policy import Policy
from dynimo.web.message import Request, Response

DEADLINE_HEADER = "dynimo-deadline"
"""Tells a server within how many milliseconds its answer is waited for."""

TRIES_HEADER = "dynimo-tries"
"""In an answer: who was asked, and what came of it. What leaves the edge has no such header."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_SICK = frozenset({502, 503, 504})
"""Statuses by which a server says that it cannot; another may."""


class Client(Protocol):
    """What asks one server (``upstream.Upstream``)."""

    async def ask(self, request: Request) -> Response:
        """Its answer. Raises UpstreamError."""

    async def close(self) -> None:
        """Let go of connections."""


class Origin:
    """The servers of one upstream, by name and client."""

    def __init__(
        self,
        name: str,
        clients: Sequence[tuple[str, Client]],
        policy: Policy,
        clock: ports.Clock,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        now = clock.monotonic() - policy.slow_start_seconds  # at first all are alike: no slow start
        self.name = name
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._budget = Budget(policy.retry_share, policy.retry_burst)
        self._servers = [Server(each, Breaker(policy, chance), now) for each, _ in clients]
        self._clients = dict(zip(self._servers, (client for _, client in clients), strict=True))
        self._counts = dict.fromkeys(("requests", "retries", "hedges", "no_server", "timeouts"), 0)

    async def __call__(self, request: Request, seconds: float) -> Response:
        """Answer a request within so many seconds; a failure is answered 502, 503 or 504."""
        self._counts["requests"] += 1
        self._budget.deposit()
        tries = _Tries(request, self._clock.monotonic() + seconds)
        try:
            async with asyncio.timeout(seconds):
                response = await self._answer(tries)
        except TimeoutError:
            self._counts["timeouts"] += 1
            response = TimedOut(f"{self.name} did not answer within {seconds:g} s.").response()
        except UpstreamError as error:
            response = error.response()
        response.headers.set(TRIES_HEADER, ", ".join(tries.told))
        return response

    async def _answer(self, tries: _Tries) -> Response:
        """Try until an answer is good, or none more may be tried; the last one counts."""
        while True:
            failure: UpstreamError | None = None
            response: Response | None = None
            try:
                response = await self._hedged(tries)
                if response.status not in _SICK:
                    return response
            except UpstreamError as error:
                failure = error
            sent = failure is None or failure.sent
            if not self._may_repeat(tries, sent=sent):
                if failure is not None:
                    raise failure
                assert response is not None
                return response
            self._counts["retries"] += 1
            if response is not None and response.pieces is not None:
                await response.pieces.aclose()

    def _may_repeat(self, tries: _Tries, *, sent: bool) -> bool:
        """Whether one more try is safe, of use, and within the budget."""
        if len(tries.servers) >= self._policy.tries_max or (sent and not tries.safe):
            return False
        return self._next(tries) is not None and self._budget.withdraw()

    def _next(self, tries: _Tries) -> Server | None:
        return choose(
            self._servers, self._clock.monotonic(), self._policy, self._chance,
            tried=tries.servers, probing=tries.safe,
        )  # fmt: skip

    async def _hedged(self, tries: _Tries) -> Response:
        """One try; and a second beside it if it takes long, where that is safe."""
        server = self._next(tries)
        if server is None:
            self._counts["no_server"] += 1
            raise self._none()
        wait = self._policy.hedge_seconds
        if not wait or not tries.safe or len(tries.servers) + 1 >= self._policy.tries_max:
            return await self._try(tries, server)
        first = asyncio.ensure_future(self._try(tries, server))
        running: set[asyncio.Future[Response]] = {first}
        try:
            await asyncio.wait(running, timeout=wait)
            if not first.done() and self._may_repeat(tries, sent=True):
                other = self._next(tries)
                if other is not None:
                    self._counts["hedges"] += 1
                    running.add(asyncio.ensure_future(self._try(tries, other)))
            return await _first_good(running)
        finally:
            for each in running:
                await _dropped(each)

    async def _try(self, tries: _Tries, server: Server) -> Response:
        """Ask one server, and note how that ended."""
        tries.servers.append(server)
        server.breaker.begin()
        server.busy += 1
        try:
            response = await self._clients[server].ask(tries.request(self._clock.monotonic()))
        except UpstreamError as error:
            server.busy -= 1
            tries.told.append(f"{server.name}={type(error).__name__}")
            if error.status == 503:
                server.breaker.abandoned()  # our own limit of connections to it
            else:
                self._failed(server)
            raise
        except BaseException:
            server.busy -= 1
            tries.told.append(f"{server.name}=dropped")
            if self._clock.monotonic() >= tries.deadline:
                self._failed(server)
            else:
                server.breaker.abandoned()
            raise
        tries.told.append(f"{server.name}={response.status}")
        if response.status in _SICK:
            self._failed(server)
        else:
            server.answered += 1
            if server.breaker.succeeded(self._clock.monotonic()):
                server.since = self._clock.monotonic()
        if response.pieces is None:
            server.busy -= 1
        else:
            response.pieces = _Counted(response.pieces, server)
        return response

    def _failed(self, server: Server) -> None:
        server.failed += 1
        server.breaker.failed(self._clock.monotonic())

    def _none(self) -> UpstreamError:
        now = self._clock.monotonic()
        rest = min((each.breaker.rest_seconds(now) for each in self._servers), default=0.0)
        error = Unreachable(
            f"No server of {self.name} can be asked now; the next is tried in {rest:.1f} s.",
            sent=False,
        )
        error.status = 503
        return error

    async def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients.values():
            await client.close()

    def statistics(self) -> dict[str, object]:
        """Return counts since the start, and how each server stands."""
        return {
            **self._counts,
            "servers": {
                each.name: {
                    "busy": each.busy,
                    "answered": each.answered,
                    "failed": each.failed,
                    "open": each.breaker.open,
                }
                for each in self._servers
            },
        }


class _Tries:
    """One request on its way: until when, who was asked, and what came of it."""

    def __init__(self, request: Request, deadline: float) -> None:
        self._request = request
        self.deadline = deadline
        self.safe = request.method in _IDEMPOTENT
        self.servers: list[Server] = []
        self.told: list[str] = []

    def request(self, now: float) -> Request:
        """It, as the next server gets it: with the time that is left."""
        headers = self._request.headers.copy()
        headers.set(DEADLINE_HEADER, str(max(0, int((self.deadline - now) * 1000))))
        return replace(self._request, headers=headers)


async def _first_good(running: set[asyncio.Future[Response]]) -> Response:
    """The first good answer of several; the last bad one, if none is good."""
    pending: set[asyncio.Future[Response]] = set(running)
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        good = [e for e in done if e.exception() is None and e.result().status not in _SICK]
        if good or not pending:
            chosen = (good or list(done))[0]
            running.discard(chosen)
            return chosen.result()


async def _dropped(task: asyncio.Future[Response]) -> None:
    """End a try that nobody waits for any more."""
    task.cancel()
    with suppress(asyncio.CancelledError, UpstreamError):
        response = await task
        if response.pieces is not None:
            await response.pieces.aclose()


class _Counted(AsyncGenerator[bytes, None]):
    """A body as it comes. Its server is busy until the end, or until nobody asks for more.

    A class, for a generator that was never asked would not learn that it is closed.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], server: Server) -> None:
        self._pieces = pieces
        self._server: Server | None = server

    async def __anext__(self) -> bytes:
        """Return the next piece."""
        try:
            return await self._pieces.__anext__()
        except BaseException:
            self._end()
            raise

    async def asend(self, value: Any) -> bytes:  # noqa: ARG002 - a generator's shape
        """Return the next piece."""
        return await self.__anext__()

    async def athrow(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> Any:
        """End it, and raise what was given."""
        self._end()
        return await self._pieces.athrow(typ, val, tb)

    async def aclose(self) -> None:
        """Ask for no more."""
        self._end()
        await self._pieces.aclose()

    def _end(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.busy -= 1
