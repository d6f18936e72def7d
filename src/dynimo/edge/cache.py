"""The cache as a Handler: one or two fetches, one answer.

A route may answer with a decision, ``dynimo-forward: TARGET``: then the answer is that of TARGET,
asked for internally. Decision and object are stored and expire apart; exactly one forward is
followed. What leaves here carries no ``dynimo-*`` header but ``Dynimo-Step``, which says what
stands in for an answer that could not be had (``ladder``), and ``Dynimo-Engine``, which says what
made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from dynimo import ports
from dynimo.edge import (
    answer,
    collapse,
    config,
    degraded,
    directives,
    disk,
    fetch,
    ladder,
    looking,
    tiers,
    upstream,
)
from dynimo.edge import key as keys
from dynimo.edge.purge import EVERYTHING, Selector, selector
from dynimo.edge.status import Status
from dynimo.edge.stored import Ready, Said, Stored, words
from dynimo.edge.wanted import Found, Wanted
from dynimo.model.stand_ins import StandIns
from dynimo.web import message

_CACHED = frozenset({"GET", "HEAD"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Brought(NamedTuple):
    """What was found for a request; and the decision that led to it, with its timing."""

    found: Found
    decision: Stored | None
    timing: str


class Cache:
    """Answers from memory and disk what ``upstream_handler`` answered before.

    ``offers`` gives the media types between which a path negotiates, best first, or nothing;
    ``stand_ins`` what is given there when nothing else can be, or nothing.
    """

    def __init__(
        self,
        upstream_handler: message.Handler,
        *,
        settings: config.Config,
        clock: ports.Clock,
        offers: Callable[[str], tuple[str, ...]],
        stand_ins: Callable[[str], StandIns | None] = lambda _: None,
    ) -> None:
        self._next = upstream_handler
        self._settings = settings
        self._clock = clock
        self._now = clock.now
        self._offers = offers
        self._stand_ins = stand_ins
        self._disk = (
            disk.DiskTier(settings.disk_folder, settings, clock.now)
            if settings.disk_folder is not None
            else None
        )
        self._store = tiers.Tiers(settings, self._disk, now=clock.now)
        self._memory = self._store.memory
        self._fetcher = fetch.Fetcher(upstream_handler, self._store, settings, clock)
        self._ladder = ladder.Ladder(self._store, self._fetcher.fetch, settings, clock)
        self._nowait_hits = 0
        self.on_purge: Callable[[], Awaitable[None]] | None = None
        """Called after each purge, before it is said to be done."""

    def __repr__(self) -> str:
        return f"<Cache {self._memory!r} {self._fetcher.flights!r}>"

    async def open(self) -> None:
        """Open the disk tier; without one this does nothing."""
        await self._store.open()

    async def close(self) -> None:
        """End the fills under way, and write what waits to be written."""
        await self._ladder.close()
        await self._fetcher.flights.close()
        await self._store.close()

    def lookup_nowait(self, request: message.Request) -> message.Response | None:
        """Answer from memory if that needs nothing else: fresh, GET or HEAD, condition or none."""
        if request.method not in _CACHED or request.internal or self._settings.vary_shown:
            return None
        headers = keys.view(request, self._offers(request.path))
        key = headers.get("host", "").lower() + request.path
        if request.query:
            key = f"{key}?{request.query}"
        entry = self._memory.get(key, headers)
        now = self._now()
        if entry is None or entry.expires <= now:
            return None
        if entry.status == 206 and "if-range" in headers:
            return None
        said: Said = ()
        decision = entry
        if entry.forward:
            if self._settings.expiry_shown:
                return None  # how long it is good hangs on the decision too
            said = entry.said
            inner = {"accept": headers.get("accept", "")}
            entry = self._memory.get(entry.forward_key, inner)
            if entry is None or entry.expires <= now or entry.forward:
                return None
        if self._settings.honour_request_directives and "cache-control" in headers:
            return None
        self._nowait_hits += 1
        second = int(now)
        ready = entry.prepared
        if ready is None or ready[0] != second or ready[1] != said:
            ready = entry.prepared = (second, said, self._prepare(entry, now, said))
        whole = self._repeatable(decision, entry, ready)
        if answer.is_partial(headers):
            return answer.conditioned(request.method, headers, whole)
        return whole

    def _repeatable(self, decision: Stored, entry: Stored, ready: Ready) -> message.Prepared:
        """Return the answer in the form that can tell whether it may be given once more.

        Who came by a decision has a form of their own: it must end with that decision.
        """
        own = decision.prepared
        if own is not None and own[2].head is ready[2].head and own[2].again is not None:
            return own[2]
        if own is not ready:
            own = decision.prepared = (*ready[:2], replace(ready[2]))
        until = min(ready[0] + 1.0, decision.expires, entry.expires)
        version, purges, now = self._store.purges.version, self._store.purges, self._now
        head = own[2].head  # not the answer: who refers to itself waits for the collector

        def again() -> bool:
            """Nothing was purged, and both are what they were.

            ``MemoryTier`` takes ``prepared`` from what goes, and from what is not selected first.
            """
            first, last = entry.prepared, decision.prepared
            if first is None or first[2].head is not head:
                return False
            if last is None or last[2].head is not head:
                return False
            if purges.version != version or now() >= until:
                return False
            self._nowait_hits += 1
            entry.uses += 1
            if decision is not entry:
                decision.uses += 1
            return True

        own[2].again = again
        return own[2]

    def _prepare(self, entry: Stored, now: float, said: Said) -> message.Prepared:
        self._store.touch(entry, now)
        account = entry.hit(now).text(self._settings.name)
        tags, expiry = self._settings.tags_shown, self._settings.expiry_shown
        return answer.prepared(entry, account, now, said, tags=tags, expiry=expiry)

    async def __call__(self, request: message.Request) -> message.Response:
        """Answer a request: from the cache, or from upstream through it."""
        if request.method not in _CACHED:
            return await self._pass(request)
        offers = self._offers(request.path)
        headers = keys.view(request, offers)
        wanted = self._wanted(request, headers, offers)
        stand_ins = self._standing_in(request, wanted)
        if stand_ins is not None:
            return await self._at_any_rate(request, wanted, stand_ins)
        return await self._deliver(request, headers, await self._bring(request, wanted))

    def _standing_in(self, request: message.Request, wanted: Wanted) -> StandIns | None:
        """Return what this client is given at the worst; None if that is an error.

        That somebody only prefetches may fail: whoever then looks asks again.
        """
        if wanted.cached_only or request.priority is not message.Priority.LIVE:
            return None
        found = self._stand_ins(request.path)
        if found is None or not degraded.takes(request.headers.get("accept"), found.content_type):
            return None
        return found

    async def _at_any_rate(
        self, request: message.Request, wanted: Wanted, stand_ins: StandIns
    ) -> message.Response:
        """Answer with the real thing, or with what stands in for it."""
        held = self._ladder.held(wanted)
        if held is not None:
            return held
        wanted = replace(wanted, patient_seconds=self._settings.step_seconds)
        try:
            async with asyncio.timeout(self._settings.step_patience_seconds):
                brought = await self._bring(request, wanted)
        except TimeoutError:
            status = Status(forwarded="miss")
            return await self._ladder.step_down(
                ladder.Failure(request=request, wanted=wanted, status=status, stand_ins=stand_ins)
            )
        if brought.decision is not None:
            self._ladder.learn(request, brought.decision, stand_ins)
        found = brought.found
        response = found.response
        if response is not None:
            said = response.status
        else:
            said = found.stored.status if found.stored is not None else 502
        if not degraded.failed(said):
            given = await self._deliver(request, wanted.headers, brought)
            return self._ladder.stale(given) if found.status.detail in fetch.GIVEN_STALE else given
        if response is not None and response.pieces is not None:
            await response.pieces.aclose()
        asked = found.status.detail != "crowded"
        return await self._ladder.step_down(
            ladder.Failure(
                request=request, wanted=wanted, stand_ins=stand_ins, response=response,
                status=replace(found.status, upstream=said if asked else 0),
                decision=brought.decision,
            )
        )  # fmt: skip

    async def _bring(self, request: message.Request, wanted: Wanted) -> Brought:
        """Fetch what is wanted, and what its decision names, if it has one."""
        decision, timing = None, ""
        try:
            found = await self._fetcher.fetch(wanted)
            if found.stored is not None and found.stored.forward:
                decision, timing = found.stored, found.timing
                self._store.led(decision)
                found = await self._follow(request, wanted, decision.forward)
        except collapse.Crowded:
            self._fetcher.counts["crowded"] += 1
            status = Status(forwarded="miss", detail="crowded")
            found = Found(status=status, response=answer.crowded())
        return Brought(found, decision, timing)

    async def _deliver(
        self, request: message.Request, headers: Mapping[str, str], brought: Brought
    ) -> message.Response:
        """Return what was brought as this client wants it: nothing new, a part, or all of it."""
        found, decision, timing = brought
        composed = self._compose(found, decision, timing)
        if not self._shows_tags(request):
            answer.without_tags(composed)
        entry = found.stored or found.response
        if entry is not None and (self._settings.vary_shown or self._is_peers(request)):
            answer.tell_apart(composed, entry, decision, self._offers(request.path))
        given = answer.conditioned(
            request.method, headers, composed, cut=found.growing is None
        )  # fmt: skip
        if found.growing is not None and given is composed:
            if found.growing.length:
                given.headers.set("content-length", found.growing.length)
            if request.method == "GET":
                given.pieces = found.growing.reader()
        elif composed.pieces is not None and given is not composed:
            await composed.pieces.aclose()
        return given

    def _wanted(
        self, request: message.Request, headers: Mapping[str, str], offers: tuple[str, ...]
    ) -> Wanted:
        asked = headers.get("cache-control", headers.get("pragma", ""))
        control = directives.parsed(asked)
        settings = self._settings
        obeyed = settings.honour_request_directives
        return Wanted(
            request=upstream.fill_request(request, headers, offers, settings),
            passing=upstream.scrub(request) if settings.pass_ranges and not offers else None,
            key=keys.primary(request),
            headers=headers,
            offers=offers,
            cached_only="only-if-cached" in control,
            control=control if obeyed else directives.NONE,
        )

    async def _follow(self, request: message.Request, first: Wanted, target: str) -> Found:
        """Fetch what a decision names."""
        if not target.startswith("/"):
            return _broken("A forward must name a path.")
        inner = {"accept": first.headers.get("accept", "")}
        found = await self._fetcher.fetch(
            Wanted(
                request=upstream.forwarded_request(request, target, inner),
                key=keys.internal(target),
                headers=inner,
                cached_only=first.cached_only,
                control=first.control,
                patient_seconds=first.patient_seconds,
            )
        )
        if found.stored is not None and found.stored.forward:
            return _broken("A forward led to another forward.")
        return found

    def _compose(self, found: Found, decision: Stored | None, timing: str) -> message.Response:
        said = () if decision is None else decision.said
        account = found.status.text(self._settings.name)
        if not found.status.forwarded:
            self._fetcher.counts["hits"] += 1
        if found.stored is not None:
            now = self._now()
            self._store.touch(found.stored, now)
            joined = answer.join_timing(timing, found.timing)
            response = answer.from_stored(found.stored, account, now, said, joined)
            if self._settings.expiry_shown and (found.status.stored or not found.status.forwarded):
                answer.for_nginx(response, found.stored, decision)
        else:
            assert found.response is not None
            response = answer.from_passed(found.response, account, said, timing)
        return response

    def _shows_tags(self, request: message.Request) -> bool:
        """Say whether whoever asks is to see tags: another edge, or anybody by a setting."""
        return self._settings.tags_shown or self._is_peers(request)

    def _is_peers(self, request: message.Request) -> bool:
        """Say whether another edge asks; ``PeerDoor`` takes that header from all others."""
        return bool(self._settings.peer_key) and keys.PEER_HEADER in request.headers

    async def _pass(self, request: message.Request) -> message.Response:
        """Let another method through; one that may change things drops what is stored."""
        response = await self._next(upstream.scrub(request))
        said: Said = ()
        if request.method not in _SAFE and upstream.forwards(response):
            said = tuple(words(response.headers.pairs))
            response = await self._hand_over(request, response)
        if request.method not in _SAFE and 200 <= response.status < 400:
            for key in keys.changed(request, response):
                await self._purge(Selector(text=key))
            self._fetcher.keep_posted(request, response)
        status = Status(forwarded="method")
        passed = answer.from_passed(response, status.text(self._settings.name), said)
        return passed if self._settings.tags_shown else answer.without_tags(passed)

    async def _hand_over(
        self, request: message.Request, told: message.Response
    ) -> message.Response:
        """Ask whom an answer to an unsafe request names; nothing is kept of either."""
        if told.pieces is not None:
            await told.pieces.aclose()
            return answer.bad_upstream("What is handed over must be whole.")
        asked = upstream.handed_over(request, told)
        if not asked.path.startswith("/"):
            return answer.bad_upstream("A forward must name a path.")
        response = await self._next(asked)
        if upstream.forwards(response):
            return answer.bad_upstream("A forward led to another forward.")
        return response

    async def purge(
        self,
        url: str = "",
        *,
        prefix: bool = False,
        everything: bool = False,
        tag: str = "",
        soft: bool = False,
    ) -> int:
        """Purge stored answers: of one URL, of all that begin with it, with a tag, or everything.

        ``url`` is ``http://host/path?query``, or ``/path?query`` for any host. What its decisions
        led to goes too. A fill under way is not stored. ``soft`` makes them stale and keeps them.
        Returns how many keys that took, exactly up to ``disk.COUNT_MAX``. Not even a power cut
        undoes it.

        Raises:
            ValueError: the URL is none.
            OSError: the disk failed: it is purged, but a crash may undo that.
        """
        if everything:
            chosen = replace(EVERYTHING, soft=soft)
        elif tag:
            chosen = Selector(text=tag, tag=True, soft=soft)
        else:
            chosen = selector(url, prefix=prefix, soft=soft)
        return await self._purge(chosen, durable=True)

    async def _purge(self, chosen: Selector, *, durable: bool = False) -> int:
        if not chosen.soft and not chosen.tag:  # what has a tag is known when its fill ends
            self._fetcher.flights.mark_purged(chosen.matches)
        self._ladder.purged()
        count = await self._store.purge(chosen, durable=durable)
        if self.on_purge is not None:
            await self.on_purge()
        return count

    async def inspect(self, url: str) -> list[dict[str, Any]]:
        """Return how what is stored for a URL stands (``looking.inspect``).

        Raises:
            ValueError: the URL is none.
        """
        return await looking.inspect(self._store, url, self._now())

    async def top(self, limit: int) -> list[dict[str, Any]]:
        """Return the answers that were asked for most (``looking.top``)."""
        return await looking.top(self._store, limit, self._now())

    def statistics(self) -> dict[str, int | str]:
        """Return counts since the start, and what is held now."""
        counts = self._fetcher.counts
        return {
            **counts,
            **self._ladder.counts,
            "hits": counts["hits"] + self._nowait_hits,
            "hits_nowait": self._nowait_hits,
            "collapsed": self._fetcher.flights.collapsed,
            "fills": len(self._fetcher.flights),
            **self._store.statistics(),
        }


def _broken(text: str) -> Found:
    return Found(status=Status(forwarded="miss"), response=answer.bad_upstream(text))
