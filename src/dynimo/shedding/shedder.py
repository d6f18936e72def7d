"""The Handler between edge and gateway: lets a request on, lets it wait, or turns it away.

Carries out what ``lane`` decides; one lane for each function. Only what the cache could not answer
comes here, and health and metrics never do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from dynimo import ports
from dynimo.sdk.http import FORWARD_HEADER
from dynimo.shedding import classes
from dynimo.shedding.config import Config
from dynimo.shedding.gradient import Gradient
from dynimo.shedding.lane import REASONS, Lane, Ticket
from dynimo.web.message import Handler, Headers, Priority, Request, Response

SHED_HEADER = "dynimo-shed"
"""Tells the edge for which class, and why, one was turned away; it never leaves the edge."""

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1, 30
TICK_SECONDS_MIN = 0.01
PLACES_SECONDS = 1.0
"""How long it is believed how many a function can take at once."""

KIN_TOGETHER_MAX = 16
"""Requests that share work and may be in progress together on one place of their lane."""

LANES_MAX = 10_000
"""Functions that are told apart; routes are fewer."""

_TEXTS = {
    reason: json.dumps(
        {
            "error": "Overloaded",
            "reason": reason,
            "message": f"There is too much to do: {text}. Ask again after Retry-After seconds.",
        }
    ).encode()
    for reason, text in zip(
        REASONS,
        (
            "this could not be answered in time",
            "what waits for this has stood too long",
            "what matters more goes first",
            "too many wait for this already",
            "nobody waited for this any more",
        ),
        strict=True,
    )
}


class Classified:
    """Gives each request its class, then hands it on."""

    def __init__(self, following: Handler, key: str) -> None:
        self._following = following
        self._key = key.encode()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        request.priority = classes.of(request.headers, self._key)
        return await self._following(request)


class Shedder:
    """Guards ``following``, each function in a lane of its own.

    ``lane_of`` names the function that will serve a request, or nothing,
    and what the request shares with others.

    ``places`` is how many requests a function can take at once as things are, 0 for unknown.
    While one of a kin is in progress, others that share its work need no places of their own, since
    together they are hardly more work than one.
    ``on_shed`` is told of each one turned away: class and reason.
    """

    def __init__(
        self,
        following: Handler,
        *,
        config: Config,
        clock: ports.Clock,
        lane_of: Callable[[Request], tuple[str, str]],
        places: Callable[[str], int],
        on_shed: Callable[[str, str], None],
    ) -> None:
        self._following = following
        self._together: dict[tuple[str, str], int] = {}
        self._config = config
        self._clock = clock
        self._lane_of = lane_of
        self._places = places
        self._on_shed = on_shed
        self._lanes: dict[str, Lane] = {}
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}
        self._leads_to: dict[str, str] = {}
        self._believed_until = -math.inf
        self._ticking: dict[str, Callable[[], None]] = {}

    def __repr__(self) -> str:
        return f"<Shedder {self._lanes!r}>"

    async def __call__(self, request: Request) -> Response:
        """Answer one request, or say at once why not."""
        kin = self._lane_of(request) if self._config.enabled else ("", "")
        name = kin[0]
        if not name:
            return await self._following(request)
        if 0 < self._together.get(kin, 0) < KIN_TOGETHER_MAX:
            with self._counted(kin):
                return await self._following(request)
        now = self._clock.monotonic()
        lane = self._lane(name, now)
        if request.priority:
            # What leads to a function that would turn it away need not be done at all.
            further = self._lanes.get(self._leads_to.get(name, ""))
            reason = further.outlook(request.priority, now) if further is not None else ""
            if further is not None and reason:
                return self._refuse(further, request.priority, reason)
        ticket = Ticket(request.priority, now, now + self._config.deadline_seconds)
        if request.abandoned is not None:
            ticket.abandoned = request.abandoned
        self._tell(lane.arrive(ticket, now))
        if ticket.verdict is None:
            await self._wait(name, lane, ticket)
        if ticket.verdict:
            return self._refuse(lane, ticket.priority, ticket.verdict)
        with self._counted(kin):
            response = await self._serve(lane, ticket, request)
        if name not in self._leads_to and FORWARD_HEADER in response.headers:
            path = response.headers.get(FORWARD_HEADER).partition("?")[0]
            self._leads_to[name] = self._lane_of(replace(request, path=path, internal=True))[0]
        return response

    def statistics(self) -> dict[str, dict[str, float]]:
        """What each lane is at: its limit, how many run and wait, the usual milliseconds."""
        return {
            name: {
                "limit": lane.limit,
                "running": lane.running,
                "waiting": lane.waiting,
                "typical_ms": round(lane.typical * 1000, 3),
            }
            for name, lane in self._lanes.items()
        }

    async def _serve(self, lane: Lane, ticket: Ticket, request: Request) -> Response:
        began = self._clock.monotonic()
        seconds = 0.0
        try:
            response = await self._following(request)
            if response.status < 500 and response.status != 429:
                seconds = self._clock.monotonic() - began
            elif response.status == 429:
                lane.gradient.dropped()
        finally:
            # What failed says nothing of how long the work takes.
            self._tell(lane.finish(ticket, self._clock.monotonic(), seconds))
        return response

    @contextlib.contextmanager
    def _counted(self, kin: tuple[str, str]) -> Iterator[None]:
        """Count one in progress among its kin; those that have none are not counted."""
        if not kin[1]:
            yield
            return
        self._together[kin] = self._together.get(kin, 0) + 1
        try:
            yield
        finally:
            self._together[kin] -= 1
            if not self._together[kin]:
                del self._together[kin]

    async def _wait(self, name: str, lane: Lane, ticket: Ticket) -> None:
        """Until there is a verdict; a client that leaves leaves the queue."""
        self._waiting[ticket] = future = asyncio.get_running_loop().create_future()
        self._tick_later(name, lane)
        try:
            await future
        except asyncio.CancelledError:
            self._tell(lane.withdraw(ticket, self._clock.monotonic()))
            raise
        finally:
            self._waiting.pop(ticket, None)

    def _tell(self, decided: list[Ticket]) -> None:
        for ticket in decided:
            future = self._waiting.get(ticket)
            if future is not None and not future.done():
                future.set_result(None)

    def _tick_later(self, name: str, lane: Lane) -> None:
        when = lane.next_tick()
        if when is None or name in self._ticking:
            return

        def tick() -> None:
            del self._ticking[name]
            self._tell(lane.tick(self._clock.monotonic()))
            self._tick_later(name, lane)

        delay = max(TICK_SECONDS_MIN, when - self._clock.monotonic())
        self._ticking[name] = self._clock.call_later(delay, tick)

    def _refuse(self, lane: Lane, priority: Priority, reason: str) -> Response:
        self._on_shed(priority.name.lower(), reason)
        backlog = math.ceil((lane.waiting + 1) * lane.typical / lane.limit)
        seconds = max(RETRY_SECONDS_MIN, min(RETRY_SECONDS_MAX, backlog))
        headers = Headers.__new__(Headers)
        headers.pairs = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("retry-after", str(seconds)),
            (SHED_HEADER, f"{int(priority)}; {reason}"),
        ]
        return Response(status=503, headers=headers, body=_TEXTS[reason])

    def _lane(self, name: str, now: float) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) >= LANES_MAX:
                self._lanes = {each: held for each, held in self._lanes.items() if held.running}
            config = self._config
            least = config.limit_min or os.cpu_count() or 1
            gradient = Gradient(least, max(least, config.limit_max))
            lane = self._lanes[name] = Lane(gradient, queue_max=config.queue_max)
        if now >= self._believed_until:
            self._believed_until = now + PLACES_SECONDS
            for each, held in self._lanes.items():
                held.places = self._places(each)
        elif not lane.places:
            lane.places = self._places(name)
        return lane
