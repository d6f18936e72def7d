"""One key brought from where it is: memory, disk, or upstream, with one fill for all who wait.

The order of the questions is here; each answer to them is computed elsewhere (``freshness``,
``upstream``, ``tiers``, ``collapse``). Knows nothing of decisions: those are two fetches.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dynimo import ports
from dynimo.edge import answer, collapse, config, directives, freshness, tiers, upstream
from dynimo.edge import key as keys
from dynimo.edge.growing import Growing
from dynimo.edge.status import Status
from dynimo.edge.stored import Stored
from dynimo.web import message

_log = logging.getLogger("dynimo.edge")

ROUNDS_MAX = 4
"""How often a request joins another's fill that turns out not to answer it (Vary); then alone."""

UNREACHABLE_HEADER = "dynimo-unreachable"
"""Whoever answers in place of an upstream that could not be asked says so with this."""

_OF_THIS_CLIENT = frozenset({206, 304, 412, 416})
"""Answers to one client's conditions and ranges."""

_DEMANDS = frozenset({"max-age", "min-fresh", "no-cache", "no-store"})
"""What a client says that wants nothing stale."""

_RETRYABLE = frozenset({429, 500, 502, 503, 504})
"""Failures of the upstream, over which a stale answer is preferred if it allows that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing to bring: the upstream request for it, its key, and what selects its variant.

    ``passing`` is the request as it came, for an answer that is passed on and not stored; None
    where ``request`` does for both.
    """

    request: message.Request
    passing: message.Request | None = None
    key: str
    headers: Mapping[str, str]
    offers: tuple[str, ...] = ()
    cached_only: bool = False
    control: Mapping[str, str] = field(default_factory=dict)

    @property
    def unstored(self) -> bool:
        """Whether the client asked that nothing be kept."""
        return "no-store" in self.control


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a fetch brought: a ``stored`` answer, else a ``response`` to pass on.

    ``shared`` says whether those who waited may have it too. ``growing`` is the body of either, if
    it is still to come.
    """

    status: Status
    stored: Stored | None = None
    response: message.Response | None = None
    shared: bool = True
    timing: str = ""
    growing: Growing | None = None


class Fetcher:
    """Brings one key at a time."""

    def __init__(
        self,
        upstream_handler: message.Handler,
        store: tiers.Tiers,
        settings: config.Config,
        clock: ports.Clock,
    ) -> None:
        self._next = upstream_handler
        self._store = store
        self._settings = settings
        self._clock = clock
        self._hit_for_miss: OrderedDict[str, float] = OrderedDict()
        self.flights: collapse.Collapse[Found] = collapse.Collapse(
            waiters_max=settings.waiters_max, fills_max=settings.fills_max,
            stamp=lambda: store.purges.number,
        )  # fmt: skip
        store.watch(self.flights.older_than, self.flights.mark_older)
        self.counts = dict.fromkeys(
            ("hits", "stale", "misses", "revalidations", "revalidated", "passes", "upstream_errors",
             "crowded"), 0,
        )  # fmt: skip

    async def fetch(self, wanted: Wanted) -> Found:
        """Bring it, from the nearest place that has it fresh.

        Raises:
            collapse.Crowded: a limit of fills or waiters is reached.
        """
        for _ in range(ROUNDS_MAX):
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
            if "authorization" in wanted.headers or wanted.unstored:
                return await self._alone(wanted, entry)
            if self._is_marked(wanted.key):
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
            if not found.shared or (found.growing is not None and not found.growing.whole):
                return await self._passed(wanted, None)
            stored = found.stored
            if stored is not None and not self._store.stands(stored):
                continue  # purged while it was under way: whoever joined asks anew
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

    def _may_lag(self, wanted: Wanted, entry: Stored, now: float) -> bool:
        """Say whether a stale answer may be given while a new one is fetched (RFC 5861)."""
        wanting = wanted.cached_only or wanted.control.keys() & _DEMANDS
        lately = entry.expires <= now < entry.expires + entry.stale_while_revalidate
        return lately and not wanting

    def _refresh_behind(self, wanted: Wanted, entry: Stored) -> None:
        self.counts["stale"] += 1
        self.flights.spawn(
            self._identity(wanted), wanted.key,
            lambda flight: self._renew(flight, wanted, entry),
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

    def _is_marked(self, key: str) -> bool:
        """Say whether a key was lately found not to be storable: then nobody waits for another."""
        until = self._hit_for_miss.get(key)
        if until is None:
            return False
        if until > self._clock.monotonic():
            return True
        del self._hit_for_miss[key]
        return False

    async def _alone(self, wanted: Wanted, entry: Stored | None) -> Found:
        with self.flights.alone(wanted.key) as flight:
            return await self._ask(flight, wanted, entry)

    async def _passed(self, wanted: Wanted, entry: Stored | None) -> Found:
        """Ask as the client did, with its conditions and ranges, where nothing is to be stored."""
        if wanted.passing is None or entry is not None:
            return await self._alone(wanted, entry)
        with self.flights.alone(wanted.key) as flight:
            self.counts["misses"] += 1
            response, when = await self._call(wanted.passing)
            reason = self._reason(wanted, None)
            if wanted.passing.method == "GET" and response.status not in _OF_THIS_CLIENT:
                kept = upstream.stored(wanted.key, wanted.headers, response, when, self._settings)
                return self._judge(flight, wanted, response, kept, reason)
            self.counts["passes"] += 1
            return Found(status=Status(forwarded=reason), response=response)

    def _identity(self, wanted: Wanted) -> tuple[object, ...]:
        """Return what must be equal for two requests to share a fill, as far as is known yet."""
        names = {name for entry in self._store.memory.variants(wanted.key) for name in entry.names}
        if wanted.offers:
            names.add("accept")
        if "range" in wanted.request.headers:
            names.add("range")
        values = tuple(wanted.headers.get(name, "") for name in sorted(names))
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
        self, flight: collapse.Flight[Found], wanted: Wanted, entry: Stored | None
    ) -> Found:
        """Ask upstream, and take in what is still to come; those who wait read along."""
        found = await self._ask(flight, wanted, entry)
        if found.growing is not None:
            flight.tell(found)
            await self._take_in(flight, wanted, found, found.growing)
        elif (
            found.response is not None and found.response.pieces is not None and not flight.waiters
        ):
            await found.response.pieces.aclose()
        return found

    async def _take_in(
        self, flight: collapse.Flight[Found], wanted: Wanted, found: Found, growing: Growing
    ) -> None:
        """Read a body to its end, and store it if it may be; one too large is only passed on."""
        try:
            async with contextlib.aclosing(growing.source) as pieces:
                async for piece in pieces:
                    growing.add(piece)
                    if growing.whole and growing.size > self._settings.object_bytes_max:
                        growing.let_go()
                        self.flights.leave(flight)
                        self._mark(wanted.key)
                    if not await growing.room():
                        return
            growing.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, readers are told
            _log.warning("Upstream broke off: %s (%s)", wanted.key, error)
        finally:
            growing.break_off()
        if growing.done and growing.whole and found.status.stored and not flight.purged:
            assert found.stored is not None
            self._keep(replace(found.stored, body=growing.body()))

    def _keep(self, entry: Stored) -> None:
        self._store.put(entry)
        self._hit_for_miss.pop(entry.key, None)

    async def _ask(
        self, flight: collapse.Flight[Found], wanted: Wanted, entry: Stored | None
    ) -> Found:
        """Ask upstream, revalidating ``entry`` if there is one."""
        request = wanted.request
        revalidating = entry is not None and bool(entry.etag or entry.last_modified)
        if entry is not None and revalidating:
            self.counts["revalidations"] += 1
            request = upstream.with_validators(request, entry)
        self.counts["misses"] += 1
        response, when = await self._call(request)
        if revalidating and response.status == 304 and flight.purged:
            revalidating, entry = False, None
            response, when = await self._call(wanted.request)
        now = self._clock.now()
        if entry is not None and response.status in _RETRYABLE:
            self.counts["upstream_errors"] += 1
            if entry.expires + self._forgiving(entry, response) > now and not flight.purged:
                self.counts["stale"] += 1
                status = Status(
                    forwarded="stale", upstream=response.status, ttl=entry.ttl(now),
                    detail="stale-if-error",
                )  # fmt: skip
                return Found(status=status, stored=entry)
        if entry is not None and revalidating and response.status == 304:
            self.counts["revalidated"] += 1
            renewed, storable = upstream.freshened(
                entry, wanted.headers, response, when, self._settings
            )
            if renewed is not None:
                return self._judge(flight, wanted, response, (renewed, storable), "stale")
        reason = self._reason(wanted, entry)
        if entry is not None and response.status not in _RETRYABLE:
            self._store.discard(entry)
        kept = upstream.stored(wanted.key, wanted.headers, response, when, self._settings)
        return self._judge(flight, wanted, response, kept, reason)

    def _forgiving(self, entry: Stored, response: message.Response) -> float:
        """Return for how many seconds a stale answer is better than this failure.

        A cache that is cut off may answer stale where nothing forbids it (RFC 9111 4.2.4).
        """
        if UNREACHABLE_HEADER not in response.headers:
            return entry.stale_if_error
        if not freshness.may_be_stale(entry.headers, self._settings):
            return entry.stale_if_error
        return max(entry.stale_if_error, self._settings.stale_if_cut_off_seconds)

    def keep_posted(self, request: message.Request, response: message.Response) -> None:
        """Keep the answer to a POST that says it is what a GET would give (RFC 9110 9.3.3)."""
        named = response.headers.get("content-location")
        key = keys.primary(request)
        if request.method != "POST" or response.status != 200 or response.pieces is not None:
            return
        if not named or keys.located(request, named) != key:
            return
        when = upstream.Moment(now=self._clock.now(), delay=0.0)
        stated = replace(self._settings, heuristic_share=0.0)
        entry, storable = upstream.stored(key, keys.view(request, ()), response, when, stated)
        if entry is not None and storable and len(entry.body) <= self._settings.object_bytes_max:
            self._store.put(entry)

    def _reason(self, wanted: Wanted, entry: Stored | None) -> str:
        if entry is not None:
            return "stale" if entry.expires <= self._clock.now() else "request"
        if wanted.control.keys() & {"no-cache", "no-store"}:
            return "request"
        return "vary-miss" if self._store.memory.variants(wanted.key) else "uri-miss"

    def _judge(
        self,
        flight: collapse.Flight[Found],
        wanted: Wanted,
        response: message.Response,
        kept: tuple[Stored | None, bool],
        reason: str,
    ) -> Found:
        """Store what may be stored, and say who may have it."""
        entry, storable = kept
        if entry is not None:
            entry.stamp = flight.stamp
        timing = response.headers.get("server-timing")
        upstream_status = response.status if entry and response.status != entry.status else 0
        coming = _coming(flight, response)
        small = _length(response, entry) <= self._settings.object_bytes_max
        late = coming is None and response.pieces is not None and storable and small
        if late:
            self._hit_for_miss.pop(wanted.key, None)  # the next one shall be stored
            storable = False
        if entry is not None and ((storable and (small or coming is None)) or entry.forward):
            keep = storable and small and not flight.purged and not wanted.unstored
            if keep and coming is None:
                self._keep(entry)
            status = Status(forwarded=reason, upstream=upstream_status, stored=keep)
            return Found(status=status, stored=entry, timing=timing, growing=coming)
        self.counts["passes"] += 1
        shared = _may_share(wanted, response)
        if not shared and not late:
            self._mark(wanted.key)
        status = Status(forwarded=reason, upstream=upstream_status)
        if entry is not None and upstream_status:  # a 304 made a whole answer that may not be kept
            return Found(status=status, stored=entry, shared=shared, timing=timing)
        growing = coming if shared else None
        return Found(status=status, response=response, shared=shared, growing=growing)

    async def _call(self, request: message.Request) -> tuple[message.Response, upstream.Moment]:
        asked = self._clock.monotonic()
        try:
            response = await self._next(request)
        except Exception:  # noqa: BLE001 - the next handler's faults must reach every waiter as one answer
            _log.exception("Upstream failed: %s %s", request.method, request.path)
            response = answer.bad_upstream("The answer could not be made.")
        delay = max(0.0, self._clock.monotonic() - asked)
        return response, upstream.Moment(now=self._clock.now(), delay=delay)

    def _mark(self, key: str) -> None:
        """Remember that a key's answers cannot be stored, so that nobody waits for one."""
        self._hit_for_miss[key] = self._clock.monotonic() + self._settings.hit_for_miss_seconds
        if len(self._hit_for_miss) > self._settings.hit_for_miss_keys_max:
            self._hit_for_miss.popitem(last=False)


def _coming(flight: collapse.Flight[Found], response: message.Response) -> Growing | None:
    """Return the body that is still to come, if others may read along."""
    if response.pieces is None or flight.task is None:
        return None
    return Growing(response.pieces, response.headers.get("content-length"))


def _length(response: message.Response, entry: Stored | None) -> int:
    """Return how long an answer's body is, as far as is known."""
    if response.pieces is None:
        return len(entry.body) if entry is not None else len(response.body)
    said = response.headers.get("content-length")
    return int(said) if said.isdigit() else 0


def _may_share(wanted: Wanted, response: message.Response) -> bool:
    """Say whether an answer that is not stored may go to all who asked meanwhile.

    Failures may: those who waited would meet the same. Refusals may if nothing personal was asked
    or answered. A success that may not be stored is for its asker alone.
    """
    if response.status < 400 or "set-cookie" in response.headers:
        return False
    if response.status in _RETRYABLE or response.status >= 500:
        return True
    control = directives.parsed(response.headers.get("cache-control"))
    return "private" not in control and "cookie" not in wanted.headers
