"""Asks upstream for one key, and judges what comes: stored, shared, passed on, or stale instead.

Knows nothing of who waits; that is ``fetch``'s business and ``collapse``'s.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from dynimo import ports
from dynimo.edge import answer, collapse, config, directives, freshness, tiers, upstream
from dynimo.edge import key as keys
from dynimo.edge.growing import Growing
from dynimo.edge.status import Status
from dynimo.edge.stored import Stored
from dynimo.edge.wanted import Found, Wanted
from dynimo.web import message

_log = logging.getLogger("dynimo.edge")

UNREACHABLE_HEADER = "dynimo-unreachable"
"""Whoever answers in place of an upstream that could not be asked says so with this."""

_RETRYABLE = frozenset({429, 500, 502, 503, 504})
"""Failures of the upstream, over which a stale answer is preferred if it allows that."""


class Asker:
    """Asks the next handler, and keeps what may be kept."""

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
        self._filling_bytes = 0
        self.counts = dict.fromkeys(
            ("hits", "stale", "misses", "revalidations", "revalidated", "passes", "upstream_errors",
             "crowded"), 0,
        )  # fmt: skip

    async def ask(
        self, flight: collapse.Flight[Found], wanted: Wanted, entry: Stored | None
    ) -> Found:
        """Ask upstream, revalidating ``entry`` if there is one."""
        request = replace(wanted.request, abandoned=flight.is_abandoned)
        revalidating = entry is not None and bool(entry.etag or entry.last_modified)
        if entry is not None and revalidating:
            self.counts["revalidations"] += 1
            request = upstream.with_validators(request, entry)
        self.counts["misses"] += 1
        response, when = await self.call(request)
        if revalidating and response.status == 304 and flight.purged:
            revalidating, entry = False, None
            response, when = await self.call(wanted.request)
        now = self._clock.now()
        if entry is not None and response.status in _RETRYABLE:
            self.counts["upstream_errors"] += 1
            if entry.expires + self._forgiving(entry, response) > now and not flight.purged:
                self.counts["stale"] += 1
                entry.held_until = now + wanted.patient_seconds
                if response.pieces is not None:
                    await response.pieces.aclose()
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
                return self.judge(flight, wanted, response, (renewed, storable), "stale")
        reason = self.reason(wanted, entry)
        if entry is not None and response.status not in _RETRYABLE:
            self._store.discard(entry)
        kept = upstream.stored(wanted.key, wanted.headers, response, when, self._settings)
        return self.judge(flight, wanted, response, kept, reason)

    def _forgiving(self, entry: Stored, response: message.Response) -> float:
        """Return for how many seconds a stale answer is better than this failure.

        A cache that is cut off may answer stale where nothing forbids it (RFC 9111 4.2.4).
        """
        if UNREACHABLE_HEADER not in response.headers:
            return entry.stale_if_error
        if not freshness.may_be_stale(entry.headers, self._settings):
            return entry.stale_if_error
        return max(entry.stale_if_error, self._settings.stale_if_cut_off_seconds)

    def reason(self, wanted: Wanted, entry: Stored | None) -> str:
        """Return why the upstream is asked (RFC 9211 section 2.2)."""
        if entry is not None:
            return "stale" if entry.expires <= self._clock.now() else "request"
        if wanted.control.keys() & {"no-cache", "no-store"}:
            return "request"
        return "vary-miss" if self._store.memory.variants(wanted.key) else "uri-miss"

    def judge(
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

    async def take_in(
        self,
        flight: collapse.Flight[Found],
        found: Found,
        growing: Growing,
        *,
        leave: Callable[[collapse.Flight[Found]], None],
    ) -> None:
        """Read a body to its end, and store it if it may be; one too large is only passed on.

        Then nobody else may read along: ``leave`` sees to that.
        """
        try:
            async with contextlib.aclosing(growing.source) as pieces:
                async for piece in pieces:
                    growing.add(piece)
                    self._filling_bytes += len(piece)
                    if growing.whole and self._is_too_much(growing):
                        growing.let_go()
                        leave(flight)
                        self._mark(flight.key)
                    if not await growing.room():
                        return
            growing.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, readers are told
            _log.warning("Upstream broke off: %s (%s)", flight.key, error)
        finally:
            self._filling_bytes -= growing.size
            growing.break_off()
        if growing.done and growing.whole and found.status.stored and not flight.purged:
            assert found.stored is not None
            self._keep(replace(found.stored, body=growing.body()))

    def _is_too_much(self, growing: Growing) -> bool:
        """Say whether a body that is still coming takes more memory than it may."""
        limits = self._settings
        too_large = growing.size > limits.object_bytes_max
        return too_large or self._filling_bytes > limits.filling_bytes_max

    def _keep(self, entry: Stored) -> None:
        self._store.put(entry)
        self._hit_for_miss.pop(entry.key, None)

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

    async def call(self, request: message.Request) -> tuple[message.Response, upstream.Moment]:
        """Ask, and note when; a handler that raises has answered 502."""
        asked = self._clock.monotonic()
        try:
            response = await self._next(request)
        except Exception:  # noqa: BLE001 - the next handler's faults must reach every waiter as one answer
            _log.exception("Upstream failed: %s %s", request.method, request.path)
            response = answer.bad_upstream("The answer could not be made.")
        delay = max(0.0, self._clock.monotonic() - asked)
        return response, upstream.Moment(now=self._clock.now(), delay=delay)

    def is_marked(self, key: str) -> bool:
        """Say whether a key was lately found not to be storable: then nobody waits for another."""
        until = self._hit_for_miss.get(key)
        if until is None:
            return False
        if until > self._clock.monotonic():
            return True
        del self._hit_for_miss[key]
        return False

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
