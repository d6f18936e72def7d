"""One key brought from where it is: memory, disk, or upstream, with one fill for all who wait.

The order of the questions is here; each answer to them is computed elsewhere (``freshness``,
``upstream``, ``tiers``, ``collapse``). Knows nothing of decisions: those are two fetches.
"""

from __future__ import annotations

from dataclasses import replace

from dynimo import ports
from dynimo.edge import answer, asking, collapse, config, freshness, tiers, upstream
from dynimo.edge import key as keys
from dynimo.edge.budget import Budget
from dynimo.edge.status import Status
from dynimo.edge.stored import Stored
from dynimo.edge.wanted import Found, Wanted
from dynimo.web import message

ROUNDS_MAX = 4
"""How often a request joins another's fill that turns out not to answer it; then alone."""

_OF_THIS_CLIENT = frozenset({206, 304, 412, 416})
"""Answers to one client's conditions and ranges."""

_DEMANDS = frozenset({"max-age", "min-fresh", "no-cache", "no-store"})
"""What a client says that wants nothing stale."""

SHED_HEADER = "dynimo-shed"
"""What says of a 503 which class was turned away, and why: ``2; yield``."""

LATELY_FAILED = "lately-failed"
"""Why a stale answer is given without asking: the upstream failed a moment ago."""

GIVEN_STALE = frozenset({"stale-if-error", "crowded", LATELY_FAILED})
"""How it is told that a stored answer was given because no new one could be had."""


class Fetcher:
    """Brings one key at a time."""

    def __init__(
        self,
        upstream_handler: message.Handler,
        store: tiers.Tiers,
        settings: config.Config,
        clock: ports.Clock,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._asker = asking.Asker(upstream_handler, store, settings, clock)
        self.flights: collapse.Collapse[Found] = collapse.Collapse(
            waiters_max=settings.waiters_max, fills_max=settings.fills_max,
            stamp=lambda: store.purges.number,
        )  # fmt: skip
        store.watch(self.flights.older_than, self.flights.mark_older)
        self._budget = Budget(clock.monotonic())
        self.counts = self._asker.counts
        self.keep_posted = self._asker.keep_posted

    async def fetch(self, wanted: Wanted) -> Found:
        """Bring it, from the nearest place that has it fresh.

        Raises:
            collapse.Crowded: a limit of fills or waiters is reached.
        """
        for turn in range(ROUNDS_MAX):
            now = self._clock.now()
            entry = self._held(wanted)
            if entry is not None and self._accepted(wanted, entry, now):
                return Found(status=entry.hit(now), stored=entry)
            if entry is not None and self._may_lag(wanted, entry, now):
                self._refresh_behind(wanted, entry)
                status = replace(entry.hit(now), detail="stale-while-revalidate")
                return Found(status=status, stored=entry)
            if wanted.cached_only:
                return await self._cached_only(wanted)
            if entry is not None and entry.held_until > now:
                self.counts["stale"] += 1
                return Found(status=replace(entry.hit(now), detail=LATELY_FAILED), stored=entry)
            if "authorization" in wanted.headers or wanted.unstored:
                return await self._alone(wanted, entry)
            if self._asker.is_marked(wanted.key):
                return await self._passed(wanted, entry)
            try:
                found, joined = await self.flights.run(
                    self._identity(wanted), wanted.key, lambda flight: self._fill(flight, wanted)
                )
            except collapse.Crowded:
                if entry is None or entry.expires + entry.stale_if_error <= now:
                    raise
                self.counts["stale"] += 1
                return Found(status=replace(entry.hit(now), detail="crowded"), stored=entry)
            if not joined:
                return found
            if _shed_for_less(found, wanted):
                continue
            if not found.shared or (found.growing is not None and not found.growing.whole):
                return await self._passed(wanted, None)
            stored = found.stored
            if stored is not None and not self._store.stands(stored):
                # Purged while it was under way: whoever joined asks anew, together.
                self.flights.leave_purged(self._identity(wanted), stored.stamp)
                continue
            if not turn and not self._serves_others(wanted, found):
                continue  # it was asked for before this request came; the next one will not be
            if stored is None or stored.answers(wanted.headers):
                forwarded = bool(found.status.forwarded)
                return replace(found, status=replace(found.status, collapsed=forwarded))
        return await self._alone(wanted, None)

    def _accepted(self, wanted: Wanted, entry: Stored, now: float) -> bool:
        """Say whether a stored answer may be given as it is."""
        if not wanted.control:
            return entry.expires > now
        return freshness.accepts(
            wanted.control, age=now - entry.born, ttl=entry.expires - now,
            stale_allowed=freshness.may_be_stale(entry.headers, self._settings),
        )  # fmt: skip

    def _serves_others(self, wanted: Wanted, found: Found) -> bool:
        """Say whether who came while it was under way may have it too (RFC 9111 section 4).

        What is good for no time answers only those for whom it was asked. A failure is everybody's.
        """
        entry = found.stored
        if entry is None or found.status.detail in GIVEN_STALE:
            return True
        now = self._clock.now()
        return self._accepted(wanted, entry, now) or self._may_lag(wanted, entry, now)

    def _may_lag(self, wanted: Wanted, entry: Stored, now: float) -> bool:
        """Say whether a stale answer may be given while a new one is fetched (RFC 5861)."""
        wanting = wanted.cached_only or wanted.control.keys() & _DEMANDS
        if wanting or entry.expires > now:
            return False
        return now < entry.expires + entry.stale_while_revalidate or self._was_purged(entry, now)

    def _was_purged(self, entry: Stored, now: float) -> bool:
        """Say whether a soft purge took it, lately enough to be given all the same."""
        lately = now < entry.cut_at + self._settings.soft_purge_seconds
        return lately and freshness.may_be_stale(entry.headers, self._settings)

    def _refresh_behind(self, wanted: Wanted, entry: Stored) -> None:
        self.counts["stale"] += 1
        identity = self._identity(wanted)
        if self.flights.has(identity):
            return
        purged = self._was_purged(entry, self._clock.now())
        if purged and not self._budget.allow(self._clock.monotonic()):
            return  # another request for it, a little later, may bring it
        priority = max(wanted.request.priority, message.Priority.REVALIDATE)
        behind = replace(wanted, request=replace(wanted.request, priority=priority))
        self.flights.spawn(
            identity, wanted.key,
            lambda flight: self._renew(flight, behind, entry, counted=not purged),
        )  # fmt: skip

    def _held(self, wanted: Wanted) -> Stored | None:
        entry = self._store.memory.get(wanted.key, wanted.headers)
        if entry is not None and entry.status == 206 and "if-range" in wanted.headers:
            return None  # which part of which whole this is would have to be compared
        return entry

    async def _cached_only(self, wanted: Wanted) -> Found:
        entry = await self._store.get_from_disk(wanted.key, wanted.headers)
        now = self._clock.now()
        if entry is not None and self._accepted(wanted, entry, now):
            return Found(status=entry.hit(now), stored=entry)
        status = Status(forwarded="request", detail="only-if-cached")
        return Found(status=status, response=answer.not_cached())

    async def _alone(self, wanted: Wanted, entry: Stored | None) -> Found:
        with self.flights.alone(wanted.key) as flight:
            return await self._asker.ask(flight, wanted, entry)

    async def _passed(self, wanted: Wanted, entry: Stored | None) -> Found:
        """Ask as the client did, with its conditions and ranges, where nothing is to be stored."""
        if wanted.passing is None or entry is not None:
            return await self._alone(wanted, entry)
        with self.flights.alone(wanted.key) as flight:
            self.counts["misses"] += 1
            response, when = await self._asker.call(wanted.passing)
            reason = self._asker.reason(wanted, None)
            if wanted.passing.method == "GET" and response.status not in _OF_THIS_CLIENT:
                kept = upstream.stored(wanted.key, wanted.headers, response, when, self._settings)
                return self._asker.judge(flight, wanted, response, kept, reason)
            self.counts["passes"] += 1
            return Found(status=Status(forwarded=reason), response=response)

    def _identity(self, wanted: Wanted) -> tuple[object, ...]:
        """Return what must be equal for two requests to share a fill, as far as is known yet."""
        names = {name for entry in self._store.memory.variants(wanted.key) for name in entry.names}
        if wanted.offers:
            names.add("accept")
        if "range" in wanted.request.headers:
            names.add("range")
        values = keys.variant(tuple(sorted(names)), wanted.headers)
        return (wanted.key, tuple(wanted.control.items()), values)

    async def _fill(self, flight: collapse.Flight[Found], wanted: Wanted) -> Found:
        """Look on disk, then upstream. Runs once for all who wait; raises nothing."""
        entry = self._held(wanted)
        if entry is None and "if-range" not in wanted.headers:
            entry = await self._store.get_from_disk(wanted.key, wanted.headers)
            now = self._clock.now()
            if entry is not None and self._accepted(wanted, entry, now):
                return Found(status=entry.hit(now), stored=entry)
        return await self._renew(flight, wanted, None if flight.purged else entry)

    async def _renew(
        self,
        flight: collapse.Flight[Found],
        wanted: Wanted,
        entry: Stored | None,
        *,
        counted: bool = True,
    ) -> Found:
        """Ask upstream, and take in what is still to come; those who wait read along."""
        if counted:
            self._budget.note(self._clock.monotonic())
        found = await self._asker.ask(flight, wanted, entry)
        if found.growing is not None:
            if not self._serves_others(wanted, found):
                self.flights.leave(flight)
            flight.tell(found)
            await self._asker.take_in(flight, found, found.growing, leave=self.flights.leave)
        elif found.response is not None and found.response.pieces and not flight.waiters:
            await found.response.pieces.aclose()
        return found


def _shed_for_less(found: Found, wanted: Wanted) -> bool:
    """Say whether one that matters less was turned away, where this one might not be."""
    if found.response is None or found.response.status != 503:
        return False
    priority, _, reason = found.response.headers.get(SHED_HEADER).partition("; ")
    return bool(priority) and (reason == "gone" or int(priority) > wanted.request.priority)
