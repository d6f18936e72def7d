"""Polls one SQS queue for one mapping: receives, filters, invokes, deletes what is done.

What a batch looks like is decided in ``batches``; when a poller runs, in ``mappings``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dynimo.backlog import batches
from dynimo.backlog.aws import Aws, AwsUnavailable
from dynimo.backlog.batches import Received
from dynimo.backlog.config import Config
from dynimo.backlog.deliveries import QueueUrls
from dynimo.backlog.destinations import Target
from dynimo.backlog.patterns import Pattern
from dynimo.backlog.retrying import backoff_seconds
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import Place

log = logging.getLogger("dynimo.backlog")

Invoke: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]

INVOKE_TRIES_MAX = 4
"""How often a batch is tried while the platform refuses it; then its messages come again."""
DELETE_TRIES_MAX = 3
FINE = "OK"
_TRACE = "AWSTraceHeader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a mapping asks for. ``window_seconds`` is how long a batch may gather."""

    queue: Target
    place: Place
    function: str
    qualifier: str
    batch_size: int
    window_seconds: float
    patterns: tuple[Pattern, ...]
    reported: bool
    concurrency: int


class Poller:
    """Runs from ``start`` until ``stop`` or ``close``. ``told`` hears how processing went."""

    def __init__(
        self,
        plan: Plan,
        *,
        aws: Aws,
        urls: QueueUrls,
        invoke: Invoke,
        config: Config,
        told: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._aws = aws
        self._urls = urls
        self._invoke = invoke
        self._config = config
        self._told = told
        self._stopping = asyncio.Event()
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._batches: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._troubles = 0
        """Refusals of the platform since the last batch that ran."""

    def start(self) -> None:
        """Begin to poll."""
        self._loop = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Take nothing more, and return when nothing runs. A poll under way may take its time."""
        self._stopping.set()
        if self._loop is not None:
            await asyncio.gather(self._loop, return_exceptions=True)
        await asyncio.gather(*self._batches, return_exceptions=True)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Stop now; batches that run may finish for a while. Messages not done come again."""
        self._stopping.set()
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        running = set(self._batches)
        if running and grace_seconds > 0:
            _, running = await asyncio.wait(running, timeout=grace_seconds)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self) -> None:
        faults = 0
        while not self._stopping.is_set():
            await self._slots.acquire()
            try:
                received = await self._gather()
            except AwsUnavailable as error:
                self._slots.release()
                self._told(f"PROBLEM: {error.detail}")
                self._urls.forget(self._plan.queue)
                await self._pause(backoff_seconds(faults, self._config))
                faults += 1
                continue
            except BaseException:
                self._slots.release()
                raise
            faults = 0
            if received and self._stopping.is_set():
                await self._give_back(received)
                received = []
            if not received:
                self._slots.release()
                continue
            task = asyncio.get_running_loop().create_task(self._process(received))
            self._batches.add(task)
            task.add_done_callback(self._processed)
            if self._troubles:
                await self._pause(backoff_seconds(self._troubles - 1, self._config))

    def _processed(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            log.error("a batch of %s failed", self._plan.queue.arn, exc_info=task.exception())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # Receiving.

    async def _gather(self) -> list[Received]:
        """One batch: what a receive gives, and what comes while the window is open."""
        plan = self._plan
        held = await self._receive(plan.batch_size, self._config.poll_seconds)
        if not held or not plan.window_seconds:
            return held
        closes = time.monotonic() + plan.window_seconds
        total = sum(batches.size(each) for each in held)
        while len(held) < plan.batch_size and total < batches.EVENT_BYTES_MAX:
            left = closes - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                break
            wait = min(self._config.poll_seconds, int(left))
            try:
                more = await self._receive(plan.batch_size - len(held), wait)
            except AwsUnavailable:
                break  # what is here is processed; the next receive tells
            held += more
            total += sum(batches.size(each) for each in more)
            if not more and not wait:
                await self._pause(left)
        return held

    async def _receive(self, count: int, wait_seconds: int) -> list[Received]:
        answer = await self._aws.poll(
            self._plan.queue.place.region,
            QueueUrl=await self._urls.of(self._plan.queue),
            MaxNumberOfMessages=min(count, batches.RECEIVE_MAX),
            WaitTimeSeconds=wait_seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        received: list[Received] = answer.get("Messages") or []
        return received

    # Processing.

    async def _process(self, received: list[Received]) -> None:
        plan = self._plan
        wanted = [each for each in received if batches.passes(each, plan.patterns, plan.queue.arn)]
        others = [each for each in received if each not in wanted]
        if others:
            await self._delete(others)
        for part in batches.parts(wanted):
            outcome = await self._run_batch(part)
            if outcome is None:
                continue
            self._told(FINE if outcome.error is None else "PROBLEM: Function call failed")
            over = batches.done(part, outcome, reported=plan.reported)
            if over:
                await self._delete(over)

    async def _run_batch(self, part: Sequence[Received]) -> Outcome | None:
        """The outcome, or None if the platform would not run it."""
        invocation = self._invocation(part)
        for tries in range(INVOKE_TRIES_MAX):
            try:
                outcome = await self._invoke(invocation.but(attempt=tries + 1))
            except DynimoError as error:
                self._troubles += 1
                self._told(f"PROBLEM: {error}")
                if error.status < 500 and error.status != 429:
                    return None
            else:
                self._troubles = 0
                return outcome
            if tries + 1 < INVOKE_TRIES_MAX:
                await self._pause(backoff_seconds(tries, self._config))
            if self._stopping.is_set():
                break
        return None

    def _invocation(self, part: Sequence[Received]) -> Invocation:
        plan = self._plan
        traces = [(each.get("Attributes") or {}).get(_TRACE, "") for each in part]
        return Invocation(
            id=str(uuid.uuid4()),
            function=plan.function,
            qualifier=plan.qualifier,
            place=plan.place,
            event=batches.event(part, plan.queue.arn),
            arrived_ns=time.monotonic_ns(),
            trace=next(filter(None, traces), "")
            or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0",
        )

    async def _delete(self, over: Sequence[Received]) -> None:
        """Take messages out of the queue; what resists comes again."""
        rest: list[dict[str, Any]] = [
            {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
            for number, each in enumerate(over)
        ]
        for tries in range(DELETE_TRIES_MAX):
            rest = await self._for_each_ten("delete_message_batch", rest)
            if not rest:
                return
            await self._pause(backoff_seconds(tries, self._config))
        log.warning("%d messages of %s could not be deleted", len(rest), self._plan.queue.arn)

    async def _give_back(self, received: Sequence[Received]) -> None:
        """Let others have messages at once that came too late for this poller."""
        entries = [
            {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
            for number, each in enumerate(received)
        ]
        await self._for_each_ten("change_message_visibility_batch", entries)

    async def _for_each_ten(
        self, operation: str, entries: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Do a batch operation; returns the entries for which it failed."""
        failed: list[dict[str, Any]] = []
        region = self._plan.queue.place.region
        for start in range(0, len(entries), batches.RECEIVE_MAX):
            chosen = entries[start : start + batches.RECEIVE_MAX]
            try:
                url = await self._urls.of(self._plan.queue)
                answer = await self._aws.call(
                    "sqs", region, operation, QueueUrl=url, Entries=chosen
                )
            except AwsUnavailable as error:
                self._told(f"PROBLEM: {error.detail}")
                failed += chosen
                continue
            names = {each["Id"] for each in answer.get("Failed") or []}
            failed += [each for each in chosen if each["Id"] in names]
        return failed
