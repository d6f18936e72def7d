"""Between the cache and the origin, when there are several edges: each key is fetched by one.

A request that comes from another edge goes to the origin, never to a third. An edge that does not
answer is passed by, and left alone for some seconds. What an edge may not know yet is a purge:
edges tell each other which they have, and one that lacks a purge is not believed.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping

from dynimo import ports
from dynimo.edge import key as keys
from dynimo.edge.asking import UNREACHABLE_HEADER
from dynimo.edge.ring import Ring, choose
from dynimo.web import message

_log = logging.getLogger("dynimo.edge")

PEER_HEADER = keys.PEER_HEADER

PURGES_HEADER = "dynimo-peer-purges"
"""The purges that whoever asks knows of; who does not know them all answers ``BEHIND``."""

LOOP_HEADER = "cdn-loop"
LOOP_MARK = "dynimo-shield"
"""What tells the shield of the asked edge, behind its cache, who asks (RFC 8586)."""

BEHIND, BEHIND_SECONDS = 409, 0.5
"""The status of an edge that lacks a purge, and for how long it is not asked then."""

PURGE_SECONDS = 60.0
"""How long a purge is told to other edges: longer than it takes to reach them all."""

PURGES_MAX = 128
"""Purges remembered so; when there were more, others are not asked."""


class KnownPurges:
    """The purges of all edges that this one has carried out lately, by name."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._names: OrderedDict[str, float] = OrderedDict()

    def add(self, name: str) -> None:
        """Note one; half of the remembered go when there are too many."""
        self._names[name] = self._clock.monotonic()
        while len(self._names) > 2 * PURGES_MAX:
            self._names.popitem(last=False)

    def recent(self) -> list[str] | None:
        """Return those to tell others; None when they are too many to tell."""
        horizon = self._clock.monotonic() - PURGE_SECONDS
        found = [name for name, at in self._names.items() if at > horizon]
        return found if len(found) <= PURGES_MAX else None

    def has_all(self, names: str) -> bool:
        """Say whether every purge in a header's value is known."""
        return all(name.strip() in self._names for name in names.split(",") if name.strip())


class Shield:
    """Asks the edge that a key belongs to, or the origin."""

    def __init__(
        self,
        origin: message.Handler,
        peers: Mapping[str, message.Handler],
        *,
        me: str,
        key: str,
        clock: ports.Clock,
        purges: KnownPurges,
        down_seconds: float,
    ) -> None:
        self._origin = origin
        self._peers = peers
        self._me = me
        self._key = key
        self._clock = clock
        self._purges = purges
        self._down_seconds = down_seconds
        self._ring = Ring([me, *peers])
        self._loads: Counter[str] = Counter()
        self._down: dict[str, float] = {}
        self._counts = dict.fromkeys(("asked_peers", "asked_origin", "peers_failed", "behind"), 0)

    async def __call__(self, request: message.Request) -> message.Response:
        """Answer a request that the cache cannot."""
        for _ in range(len(self._peers)):
            name = self._whom(request)
            if name == self._me:
                break
            response = await self._ask_peer(name, request)
            if response is not None:
                return response
        self._counts["asked_origin"] += 1
        with _Counted(self._loads, self._me):
            return await self._origin(request)

    def statistics(self) -> dict[str, int]:
        """Return counts since the start, and how many edges are passed by now."""
        now = self._clock.monotonic()
        return {**self._counts, "down": sum(until > now for until in self._down.values())}

    def _whom(self, request: message.Request) -> str:
        if request.method != "GET" or request.internal or is_marked(request.headers):
            return self._me
        if self._purges.recent() is None:
            return self._me
        now = self._clock.monotonic()
        return choose(
            self._ring.order(keys.primary(request)), self._me, loads=self._loads,
            is_down=lambda name: self._down.get(name, 0.0) > now,
        )  # fmt: skip

    async def _ask_peer(self, name: str, request: message.Request) -> message.Response | None:
        """Ask another edge; None when it cannot answer, or may not be believed."""
        headers = request.headers.copy()
        headers.set(PEER_HEADER, self._key)
        told = headers.get(LOOP_HEADER)
        headers.set(LOOP_HEADER, f"{told}, {LOOP_MARK}" if told else LOOP_MARK)
        known = self._purges.recent()
        if known:
            headers.set(PURGES_HEADER, ", ".join(known))
        asked = message.Request(
            method="GET", path=request.path, query=request.query, headers=headers
        )
        self._counts["asked_peers"] += 1
        with _Counted(self._loads, name):
            response = await self._peers[name](asked)
        if UNREACHABLE_HEADER in response.headers:
            self._counts["peers_failed"] += 1
            _log.warning("The edge %s does not answer; passed by for a while.", name)
            self._down[name] = self._clock.monotonic() + self._down_seconds
            await _drop(response)
            return None
        if response.status == BEHIND and PURGES_HEADER in response.headers:
            self._counts["behind"] += 1
            self._down[name] = self._clock.monotonic() + BEHIND_SECONDS
            await _drop(response)
            return None
        return response


async def _drop(response: message.Response) -> None:
    """Let an answer go that nobody will read."""
    if response.pieces is not None:
        await response.pieces.aclose()


class _Counted:
    """Counts what is under way with one."""

    def __init__(self, loads: Counter[str], name: str) -> None:
        self._loads, self._name = loads, name

    def __enter__(self) -> None:
        self._loads[self._name] += 1

    def __exit__(self, *_: object) -> None:
        self._loads[self._name] -= 1


def is_marked(headers: message.Headers) -> bool:
    """Say whether a request comes from another edge."""
    members = headers.get(LOOP_HEADER).split(",")
    return any(member.partition(";")[0].strip() == LOOP_MARK for member in members)


def without_mark(headers: message.Headers) -> message.Headers:
    """Return headers as they are of a client that may not say it is an edge."""
    kept = headers.copy()
    members = [member.strip() for member in headers.get(LOOP_HEADER).split(",")]
    kept.remove(LOOP_HEADER)
    left = [each for each in members if each and each.partition(";")[0].strip() != LOOP_MARK]
    if left:
        kept.add(LOOP_HEADER, ", ".join(left))
    return kept
