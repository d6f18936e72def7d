"""Asynchronous invocation: accepted when it is on the disk, run at least once, told where it ends.

An event is in the journal from ``accept`` until the transaction that drops it, which also holds
what follows from it: a letter to a queue, an event for another function. Kill the process at any
moment, and the next one takes up what is left. How long to wait, and what is said, is decided in
pure neighbours (``retrying``, ``destinations``).
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from dynimo import ports
from dynimo.backlog import destinations, events, retrying
from dynimo.backlog.aws import Aws
from dynimo.backlog.config import Config
from dynimo.backlog.deliveries import Deliveries, aside
from dynimo.backlog.dispatcher import Dispatcher
from dynimo.backlog.events import Delivery, Event, Message
from dynimo.backlog.journal import Journal, NotKept
from dynimo.backlog.queues import Queues
from dynimo.backlog.schedule import Schedule, Turn
from dynimo.model.errors import (
    DynimoError,
    RequestTooLarge,
    Stopping,
    TooManyRequests,
)
from dynimo.model.function import Route
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import LATEST, Place

log = logging.getLogger("dynimo.backlog")

Invoke: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]
Resolve: TypeAlias = Callable[[Place, str, str], Route]
Passed: TypeAlias = Callable[[str, str], str]
"""(trace, function's ARN) → the trace for what follows from it, one hop longer."""

FILE = "backlog.sqlite3"
EVENT_INVOKE = "event-invoke"
"""The kind of the documents that hold EventInvokeConfigs; the key is a qualifier or $LATEST."""
_RESERVED = "concurrency"


class DocumentReader(Protocol):
    """What is read of the registry's documents."""

    def get(self, kind: str, account: str, function: str, key: str = "") -> Any | None:
        """The document, or None."""


class Backlog:
    """Keeps events in ``path``/backlog.sqlite3. ``start`` it before use.

    ``passed`` lengthens the lineage of a trace for functions that are destinations.
    """

    def __init__(
        self,
        path: Path,
        clock: ports.Clock,
        config: Config,
        *,
        invoke: Invoke,
        resolve: Resolve,
        documents: DocumentReader,
        passed: Passed = lambda trace, _arn: trace,
    ) -> None:
        self._clock = clock
        self._config = config
        self._invoke = invoke
        self._resolve = resolve
        self._documents = documents
        self._passed = passed
        self._journal = Journal(path / FILE, events.SCHEMA)
        self._memory: dict[int, Event] = {}
        self._memory_bytes = 0
        self._kept = 0
        self._stopping = False
        self.aws = Aws(config)
        self.deliveries = Deliveries(self._journal, self.aws, clock, config)
        self.queues = Queues(self._journal, clock, self._added)
        schedule = Schedule(config.dispatches_max, config.dispatches_function_max)
        self._dispatcher = Dispatcher(clock, schedule, self._run)
        self._accepting: set[asyncio.Task[int]] = set()

    async def start(self) -> None:
        """``open`` it, and begin. Raises as that."""
        await self.open()
        self.begin()

    async def open(self) -> None:
        """Open the file and take up what was accepted and not finished; nothing runs yet.

        Raises:
            OSError, sqlite3.Error: the folder cannot be used.
        """
        self._journal.open()
        held = await self._journal.read(events.due_events)
        self._kept = len(held)
        for seq, lane, due_ms in held:
            self._dispatcher.add(seq, lane, due_ms)
        await self.deliveries.load()
        if held:
            log.info("%d events of before are taken up", len(held))

    def begin(self) -> None:
        """Run and deliver what is due, from now on."""
        self._dispatcher.start()
        self.deliveries.dispatcher.start()

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Begin nothing more and let what runs finish for a while; the rest runs after a start."""
        self._stopping = True
        await asyncio.gather(
            self._dispatcher.close(grace_seconds), self.deliveries.dispatcher.close(grace_seconds)
        )
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await self._journal.close()
        self.aws.close()

    async def accept(self, invocation: Invocation) -> None:
        """Keep an event; it is on the disk on return, and will be run.

        Raises:
            RequestTooLarge: the event is over ``event_bytes_max``.
            TooManyRequests: too many are kept, or wait for the disk.
            NotKept: the disk refused it.
            Stopping: the platform is going down.
        """
        if self._stopping:
            raise Stopping
        size = len(invocation.event)
        if size > self._config.event_bytes_max:
            raise RequestTooLarge(
                f"{size} byte payload is too large for the Event invocation type"
                f" (limit {self._config.event_bytes_max} bytes)"
            )
        full = self._kept >= self._config.events_max
        if full or self._journal.waiting >= self._config.accepts_max:
            raise TooManyRequests("CallerRateLimitExceeded")
        now_ms = int(self._clock.now() * 1000)
        event = Event(
            id=invocation.id,
            place=invocation.place,
            function=invocation.function,
            qualifier=invocation.qualifier,
            body=invocation.event,
            client_context=invocation.client_context,
            trace=invocation.trace,
            sticky=invocation.sticky,
            accepted_ms=now_ms,
            due_ms=now_ms,
        )
        # A task of its own: once written it must be scheduled, even if the caller leaves.
        task = asyncio.get_running_loop().create_task(self._keep(event))
        self._accepting.add(task)
        task.add_done_callback(self._forget_task)
        await asyncio.shield(task)

    def statistics(self) -> dict[str, int]:
        """What is kept and under way now, and counts since the start."""
        return {
            "events_kept": self._kept,
            "events_running": self._dispatcher.running,
            "deliveries_waiting": self.deliveries.dispatcher.waiting,
            "deliveries_sent": self.deliveries.sent,
            "deliveries_put_aside": self.deliveries.put_aside,
            "commits": self._journal.commits,
        }

    # Keeping.

    async def _keep(self, event: Event) -> int:
        self._kept += 1
        try:
            seq = await self._journal.write(lambda database: events.add_event(database, event))
        except NotKept:
            self._kept -= 1
            raise
        self._remember(seq, event)
        self._dispatcher.add(seq, event.lane, event.due_ms)
        return seq

    def _forget_task(self, task: asyncio.Task[int]) -> None:
        self._accepting.discard(task)
        if not task.cancelled():
            task.exception()  # told to who asked, if they are still there

    def _remember(self, seq: int, event: Event) -> None:
        if self._memory_bytes + len(event.body) <= self._config.memory_bytes_max:
            self._memory[seq] = event
            self._memory_bytes += len(event.body)

    def _recall(self, seq: int) -> Event | None:
        event = self._memory.pop(seq, None)
        if event is not None:
            self._memory_bytes -= len(event.body)
        return event

    def _added(self, kind: str, seq: int, lane: str, due_ms: int) -> None:
        """Something new is in the journal."""
        if kind == "event":
            self._kept += 1
            self._dispatcher.add(seq, lane, due_ms)
        elif kind == "delivery":
            self.deliveries.dispatcher.add(seq, lane, due_ms)

    # Running.

    async def _run(self, turn: Turn) -> bool:
        """One try of an event. Whether it was throttled."""
        seq = turn.number
        event = self._recall(seq)
        if event is None:
            event = await self._write(lambda database: events.event(database, seq))
        if event is None:
            return False
        now_ms = self._now_ms()
        limits = retrying.limits(self._configured(event), self._config)
        if self._is_shut(event):
            await self._over(seq, event, retrying.ZERO_CONCURRENCY, None, _THROTTLED)
        elif retrying.is_expired(event, limits, now_ms):
            await self._over(seq, event, retrying.AGE_EXCEEDED, None, _TOO_OLD)
        else:
            return await self._try(seq, event, limits)
        return False

    async def _try(self, seq: int, event: Event, limits: retrying.Limits) -> bool:
        told: tuple[int, str] = (200, "")
        try:
            outcome = await self._invoke(_invocation(event))
        except asyncio.CancelledError:
            raise  # it is still in the journal
        except Exception as error:
            status = error.status if isinstance(error, DynimoError) else 500
            if isinstance(error, Stopping) and self._stopping:
                return False
            told = (status, str(error))
            if status < 500 and status != TooManyRequests.status:
                tried = replace(event, tries=event.tries + 1)
                await self._over(seq, tried, _refused(error), None, told)
                return False
            if not isinstance(error, DynimoError):
                log.exception("an event of %s met a fault", event.arn)
            following = retrying.after_fault(event, limits, self._config, **self._now())
            await self._follow(seq, event, following, None, told)
            return status == TooManyRequests.status
        if outcome.error is None:
            tried = replace(event, tries=event.tries + 1)
            await self._over(seq, tried, retrying.SUCCESS, outcome, told)
            return False
        following = retrying.after_failure(event, limits, self._config, **self._now())
        await self._follow(seq, event, following, outcome, told)
        return False

    async def _follow(
        self,
        seq: int,
        event: Event,
        following: Event | str,
        outcome: Outcome | None,
        told: tuple[int, str],
    ) -> None:
        """After a try that did not succeed: wait for the next, or end."""
        if isinstance(following, str):
            await self._over(seq, replace(event, tries=event.tries + 1), following, outcome, told)
            return
        await self._write(lambda database: events.postpone_event(database, seq, following))
        self._remember(seq, following)
        self._dispatcher.add(seq, following.lane, following.due_ms)

    async def _over(
        self,
        seq: int,
        event: Event,
        condition: str,
        outcome: Outcome | None,
        told: tuple[int, str],
    ) -> None:
        """An event is over: drop it, and keep what follows from it, in one transaction."""
        writes = self._following(event, condition, outcome, told)
        if condition != retrying.SUCCESS:
            log.warning("an event of %s is given up: %s. %s", event.arn, condition, told[1],
                        extra={"request": event.id})  # fmt: skip

        def end(database: sqlite3.Connection) -> list[tuple[str, int, str, int]]:
            events.drop_event(database, seq)
            return [write(database) for write in writes]

        made = await self._write(end)
        self._kept -= 1
        for each in made:
            self._added(*each)

    async def _write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """As the journal's, tried until the disk takes it; meanwhile its turn is not over."""
        times = 0
        while True:
            try:
                return await self._journal.write(work)
            except NotKept:
                if self._stopping:
                    raise
                await asyncio.sleep(retrying.backoff_seconds(times, self._config))
                times += 1

    # What follows.

    def _following(
        self, event: Event, condition: str, outcome: Outcome | None, told: tuple[int, str]
    ) -> list[_Write]:
        success = condition == retrying.SUCCESS
        now = self._clock.now()
        writes = []
        arn = destinations.destination(self._configured(event), success=success)
        if arn:
            body = destinations.record(event, condition, outcome, now)
            writes.append(self._send(arn, event, body, {}))
        letters = "" if success else self._dead_letters(event)
        if letters:
            attributes = destinations.dead_letter_attributes(
                event, outcome, status=told[0], message=told[1]
            )
            writes.append(self._send(letters, event, event.body, attributes))
        return writes

    def _send(
        self, arn: str, event: Event, body: bytes, attributes: dict[str, tuple[str, str]]
    ) -> _Write:
        """What to write so that ``body`` comes to a target."""
        to = destinations.target(arn)
        now_ms = self._now_ms()
        limit = self._config.queue_messages_max
        if to is None or to.kind == "bus":
            reason = f"{arn} is no target that can be reached."
            return _message(aside(arn, body, attributes, reason, self._clock.now()), limit)
        if to.kind == "queue":
            return _message(
                Message(
                    place=to.place, queue=to.name, id=event.id, body=body, kept_ms=now_ms,
                    attributes=attributes, function=event.arn,
                    event=None if body is event.body else event.body,
                ),
                limit,
            )  # fmt: skip
        if to.kind == "function":
            if len(body) > self._config.event_bytes_max:
                reason = f"{len(body)} bytes are too many for an event."
                return _message(aside(arn, body, attributes, reason, self._clock.now()), limit)
            trace = self._passed(event.trace, event.place.function(event.function))
            return _event(
                Event(
                    id=str(uuid.uuid4()), place=to.place, function=to.name,
                    qualifier=to.qualifier, body=body, trace=trace, accepted_ms=now_ms,
                    due_ms=now_ms,
                )
            )  # fmt: skip
        return _delivery(
            Delivery(target=arn, body=body, attributes=attributes, created_ms=now_ms, due_ms=now_ms)
        )

    def _configured(self, event: Event) -> Any | None:
        return self._documents.get(
            EVENT_INVOKE, event.place.account, event.function, event.qualifier or LATEST
        )

    def _dead_letters(self, event: Event) -> str:
        try:
            route = self._resolve(event.place, event.function, event.qualifier)
        except DynimoError:
            return ""  # the function is gone, and its configuration with it
        return route.choices[0][0].configuration.dead_letter

    def _is_shut(self, event: Event) -> bool:
        """Whether the function's concurrency is reserved to nothing; waiting would not help."""
        held = self._documents.get(_RESERVED, event.place.account, event.function)
        return held is not None and held["ReservedConcurrentExecutions"] == 0

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _now(self) -> Any:
        return {"now_ms": self._now_ms(), "spread": random.uniform(-1, 1)}  # noqa: S311


_Write: TypeAlias = Callable[[sqlite3.Connection], tuple[str, int, str, int]]
"""Writes one thing; returns what it is, its number, its lane and when it is due."""

_THROTTLED = (429, "The function's reserved concurrency is 0.")
_TOO_OLD = (500, "The event was older than it may become.")


def _invocation(event: Event) -> Invocation:
    """The next try of an event; its id stays, its number counts."""
    return Invocation(
        id=event.id,
        function=event.function,
        qualifier=event.qualifier,
        place=event.place,
        event=event.body,
        client_context=event.client_context,
        trace=event.trace,
        sticky=event.sticky,
        arrived_ns=time.monotonic_ns(),
        attempt=event.tries + 1,
    )


def _refused(error: Exception) -> str:
    """Why an event is over that the platform will never take: the error's name, without tail."""
    code = error.code if isinstance(error, DynimoError) else type(error).__name__
    return code.removesuffix("Exception")


def _event(event: Event) -> _Write:
    return lambda database: ("event", events.add_event(database, event), event.lane, event.due_ms)


def _delivery(made: Delivery) -> _Write:
    return lambda database: (
        "delivery", events.add_delivery(database, made), made.target, made.due_ms,
    )  # fmt: skip


def _message(message: Message, messages_max: int) -> _Write:
    def write(database: sqlite3.Connection) -> tuple[str, int, str, int]:
        gone = events.add_message(database, message, messages_max=messages_max)
        if gone:
            log.warning("the queue %s is full: its oldest message had to go", message.queue)
        return "message", 0, message.queue, 0

    return write
