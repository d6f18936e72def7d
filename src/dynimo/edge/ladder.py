"""What is given where the real answer cannot be had: step by step down, and never with much work.

The steps: the answer as it was; the nearest stored form of the same thing; what the app named to be
asked for instead; the app's own file in memory. The first that can be taken is held for a few
seconds, so that a failure is met once and not by everybody; then the real answer is asked for
again. Nothing made here is ever stored.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from dynimo import ports
from dynimo.edge import collapse, config, degraded, nearest, tiers, upstream
from dynimo.edge import key as keys
from dynimo.edge.status import Status
from dynimo.edge.stored import Stored
from dynimo.edge.wanted import Found, Wanted
from dynimo.model.stand_ins import StandIns
from dynimo.sdk.fallbacks import Rank
from dynimo.web import message

MEMBERS_MAX = 256
"""Forms of one thing that are looked at."""

PATHS_MAX = 50_000
"""Paths of which it is known what group they are of."""

HELD_MAX = 10_000
"""Answers that are held."""

_OWN_STEPS = frozenset({degraded.STALE, degraded.NEAREST, degraded.PLACEHOLDER})

Fetch = Callable[[Wanted], Awaitable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong: for which request, what was said instead (None: nothing in time), and why.

    ``decision`` is what the request was to be answered with, if that is known.
    """

    request: message.Request
    wanted: Wanted
    status: Status
    stand_ins: StandIns
    response: message.Response | None = None
    decision: Stored | None = None


class _Held(NamedTuple):
    until: float
    response: message.Response
    status: Status


_Identity = tuple[str, str]


class Ladder:
    """Finds answers that stand in for others."""

    def __init__(
        self, store: tiers.Tiers, fetch: Fetch, settings: config.Config, clock: ports.Clock
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._settings = settings
        self._clock = clock
        self._held: OrderedDict[_Identity, _Held] = OrderedDict()
        self._held_bytes = 0
        self._under_way: dict[_Identity, asyncio.Task[_Held]] = {}
        self._groups: OrderedDict[str, str] = OrderedDict()
        self._asking = 0
        self.counts = dict.fromkeys(
            ("steps_stale", "steps_nearest", "steps_fallback", "steps_placeholder"), 0
        )

    def held(self, wanted: Wanted) -> message.Response | None:
        """Return what lately stood in for this, while it may."""
        identity = _identity(wanted)
        found = self._held.get(identity)
        if found is None:
            return None
        if found.until > self._clock.monotonic():
            return self._given(found, account="held")
        self._forget(identity)
        return None

    async def step_down(self, failure: Failure) -> message.Response:
        """Return what stands in for an answer; all who ask meanwhile share the search."""
        identity = _identity(failure.wanted)
        task = self._under_way.get(identity)
        if task is None:
            task = asyncio.get_running_loop().create_task(
                self._search(identity, failure), name=f"edge ladder {failure.wanted.key[:80]}"
            )
            self._under_way[identity] = task
            task.add_done_callback(lambda _: self._under_way.pop(identity, None))
        return self._given(await asyncio.shield(task), account="")

    def stale(self, given: message.Response) -> message.Response:
        """Return an old answer as it may leave: marked, and good for a few seconds."""
        self.counts["steps_stale"] += 1
        return self._as_shown(degraded.stale(given, self._settings.step_seconds))

    def _as_shown(self, given: message.Response) -> message.Response:
        """Keep nginx in front from storing it in the place of a better one that it has."""
        if self._settings.expiry_shown:
            given.headers.set("x-accel-expires", "0")
        return given

    def learn(self, request: message.Request, decision: Stored, stand_ins: StandIns) -> None:
        """A decision was made; its group is that of its path, where the app says so."""
        if stand_ins.by_path and decision.group:
            path = keys.host_of(request) + request.path
            self._groups[path] = decision.group
            self._groups.move_to_end(path)
            if len(self._groups) > PATHS_MAX:
                self._groups.popitem(last=False)

    def purged(self) -> None:
        """Something was purged: what is held may show it."""
        self._held.clear()
        self._held_bytes = 0

    async def close(self) -> None:
        """End the searches."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _given(self, held: _Held, *, account: str) -> message.Response:
        left = held.until - self._clock.monotonic()
        given = degraded.limited(held.response, left)
        step = given.headers.get(upstream.STEP_HEADER)
        detail = f"{step}-{account}" if account else step
        told = replace(held.status, detail=detail).text(self._settings.name)
        given.headers.pairs.append(("cache-status", told))
        self.counts[_counted(step)] += 1
        return self._as_shown(given)

    async def _search(self, identity: _Identity, failure: Failure) -> _Held:
        purges = self._store.purges.number
        decision = failure.decision or self._decision(failure.wanted)
        rank = degraded.rank_wanted(decision, failure.request.query, failure.stand_ins)
        group = self._group(failure, decision)
        found = self._old(decision)
        try:
            async with asyncio.timeout(self._settings.step_wait_seconds):
                found = found or await self._nearest(failure, group, rank)
        except TimeoutError:
            pass  # the disk is busy, or worse
        if found is None:
            found = await self._linked(failure, decision)
        if found is None:
            found = _placeholder(failure.stand_ins, rank)
        step, headers, body = found
        settings = self._settings
        response = degraded.response(
            headers, body, step=step, seconds=settings.step_seconds,
            vary=_vary(failure.wanted, decision), instead_of=failure.response,
        )  # fmt: skip
        held = _Held(self._clock.monotonic() + settings.step_seconds, response, failure.status)
        if purges == self._store.purges.number:
            self._hold(identity, held)
        return held

    def _decision(self, wanted: Wanted) -> Stored | None:
        """Return what the request was to be answered with when that was last known."""
        held = self._store.memory.get(wanted.key, wanted.headers)
        return held if held is not None and held.forward else None

    def _old(self, decision: Stored | None) -> _Step | None:
        """The real answer as it was, while a new one takes too long."""
        if decision is None:
            return None
        inner = {"accept": decision.selecting.get("accept", "")}
        held = self._store.memory.get(decision.forward_key, inner)
        if held is None or held.expires + held.stale_if_error <= self._clock.now():
            return None
        return degraded.STALE, held.headers, held.body

    def _group(self, failure: Failure, decision: Stored | None) -> str:
        """Return what is wanted, also when who decides cannot be asked; "" if it is not known."""
        if decision is not None:
            return decision.group
        return self._groups.get(keys.host_of(failure.request) + failure.request.path, "")

    async def _nearest(self, failure: Failure, group: str, rank: Rank) -> _Step | None:
        """The nearest stored form of the same thing; the exact one in another format first."""
        if not group:
            return None
        members = await self._store.members(group, MEMBERS_MAX)
        while members:
            ranked = [(each.rank, each) for each in members if self._may_show(failure, each)]
            chosen = nearest.nearest(rank, ranked)
            if chosen is None:
                return None
            whole = await self._store.whole(chosen)
            if whole is not None:
                return degraded.NEAREST, whole.headers, whole.body
            members.remove(chosen)  # it was purged or evicted meanwhile
        return None

    def _may_show(self, failure: Failure, member: Stored) -> bool:
        """Say whether this client can read a form, and whether it is good enough by age."""
        if member.status != 200 or member.expires + member.stale_if_error <= self._clock.now():
            return False
        kind = dict(member.headers).get("content-type", "")
        offers = failure.wanted.offers
        return kind not in offers or kind in failure.wanted.headers.get("accept", "")

    async def _linked(self, failure: Failure, decision: Stored | None) -> _Step | None:
        """What the app named to be asked for instead, if it can be had quickly."""
        try:
            async with asyncio.timeout(self._settings.step_wait_seconds):
                for step, target in degraded.links_of(failure.response, decision):
                    found = await self._asked(failure.request, target)
                    if found is not None:
                        return step, *found
        except TimeoutError:
            pass  # what is too slow is no help
        return None

    async def _asked(
        self, request: message.Request, target: str
    ) -> tuple[list[tuple[str, str]], bytes] | None:
        key = keys.internal(target)
        if self._asking >= self._settings.steps_at_once and key not in self._store.memory:
            return None
        asked = upstream.forwarded_request(request, target, {})
        self._asking += 1
        try:
            found = await self._fetch(Wanted(request=asked, key=key, headers={}))
        except collapse.Crowded:
            return None
        finally:
            self._asking -= 1
        if found.growing is not None:
            return None
        if found.stored is not None:
            whole = found.stored
            return None if whole.status != 200 else (list(whole.headers), whole.body)
        told = found.response
        if told is None or told.status != 200 or told.pieces is not None:
            return None
        return told.headers.pairs, told.body

    def _hold(self, identity: _Identity, held: _Held) -> None:
        self._forget(identity)
        self._held[identity] = held
        self._held_bytes += len(held.response.body)
        while len(self._held) > HELD_MAX or self._held_bytes > self._settings.steps_held_bytes:
            self._forget(next(iter(self._held)))

    def _forget(self, identity: _Identity) -> None:
        held = self._held.pop(identity, None)
        if held is not None:
            self._held_bytes -= len(held.response.body)


_Step = tuple[str, "tuple[tuple[str, str], ...] | list[tuple[str, str]]", bytes]


def _identity(wanted: Wanted) -> _Identity:
    return wanted.key, wanted.headers.get("accept", "") if wanted.offers else ""


def _vary(wanted: Wanted, decision: Stored | None) -> str:
    return keys.merge_vary("accept" if wanted.offers else "", decision.vary if decision else "")


def _placeholder(stand_ins: StandIns, rank: Rank) -> _Step:
    body = nearest.closest(rank, stand_ins.bodies)
    return degraded.PLACEHOLDER, [("content-type", stand_ins.content_type)], body


def _counted(step: str) -> str:
    own = f"steps_{step}"
    return own if step in _OWN_STEPS else "steps_fallback"
