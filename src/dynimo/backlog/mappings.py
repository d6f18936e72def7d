"""Event source mappings: kept as documents, each with a poller while it is enabled.

A mapping's state in its document is where it shall be (Enabled, Disabled, Deleting); what is shown
is where it is on the way. What a request may ask for is checked in ``api``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Protocol

from dynimo import ports
from dynimo.backlog.aws import Aws
from dynimo.backlog.batches import REPORT
from dynimo.backlog.config import Config
from dynimo.backlog.deliveries import QueueUrls
from dynimo.backlog.destinations import Target, target
from dynimo.backlog.patterns import Pattern
from dynimo.backlog.poller import Invoke, Plan, Poller
from dynimo.model.names import Place

log = logging.getLogger("dynimo.backlog")

MAPPING = "mapping"
"""The kind of the documents; they belong to no function, and their key is the UUID."""
ENABLED, DISABLED, DELETING = "Enabled", "Disabled", "Deleting"


class Documents(Protocol):
    """What is asked of the registry's documents."""

    def get(self, kind: str, account: str, function: str, key: str = "") -> Any | None:
        """The document, or None."""

    def put(self, kind: str, account: str, function: str, key: str, value: Any) -> None:
        """Keep one."""

    def delete(self, kind: str, account: str, function: str, key: str = "") -> bool:
        """Drop one."""

    def find(
        self, kind: str, account: str | None = None, function: str | None = None
    ) -> Iterator[tuple[str, str, str, Any]]:
        """Yield (account, function, key, value) of a kind."""


class Mappings:
    """Every mapping, and its poller. ``start`` it after the functions, ``close`` it before them."""

    def __init__(
        self,
        documents: Documents,
        aws: Aws,
        urls: QueueUrls,
        clock: ports.Clock,
        config: Config,
        *,
        invoke: Invoke,
    ) -> None:
        self.config = config
        self._documents = documents
        self._aws = aws
        self._urls = urls
        self._clock = clock
        self._invoke = invoke
        self._pollers: dict[str, Poller] = {}
        self._moving: dict[str, str] = {}
        self._results: dict[str, str] = {}
        self._changes: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Poll for every mapping that is enabled; finish what was being deleted."""
        for account, _, key, held in list(self._documents.find(MAPPING)):
            if held["State"] == DELETING:
                self._forget(account, key)
            elif held["State"] == ENABLED:
                self._begin(key, held)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Stop polling; batches that run may finish for a while."""
        for task in list(self._changes.values()):
            task.cancel()
        await asyncio.gather(*self._changes.values(), return_exceptions=True)
        pollers = list(self._pollers.values())
        self._pollers.clear()
        await asyncio.gather(*(each.close(grace_seconds) for each in pollers))

    def get(self, account: str, key: str) -> dict[str, Any] | None:
        """A mapping as it is shown, or None."""
        held = self._documents.get(MAPPING, account, "", key)
        return None if held is None else self._shown(key, held)

    def listed(self, account: str) -> Iterator[dict[str, Any]]:
        """An account's mappings as they are shown, by UUID."""
        for _, _, key, held in self._documents.find(MAPPING, account):
            yield self._shown(key, held)

    def exists(self, place: Place, key: str) -> bool:
        """Whether there is such a mapping."""
        return self._documents.get(MAPPING, place.account, "", key) is not None

    @property
    def count(self) -> int:
        """How many there are, of all accounts."""
        return sum(1 for _ in self._documents.find(MAPPING))

    async def queue_attributes(self, queue: Target) -> dict[str, str]:
        """What SQS says of a queue. Raises AwsUnavailable."""
        self._urls.forget(queue)
        answer = await self._aws.call(
            "sqs", queue.place.region, "get_queue_attributes",
            QueueUrl=await self._urls.of(queue), AttributeNames=["VisibilityTimeout"],
        )  # fmt: skip
        return dict(answer.get("Attributes") or {})

    @property
    def configured(self) -> bool:
        """Whether there is an endpoint at which queues can be polled."""
        return self._aws.configured

    def put(self, account: str, document: dict[str, Any], *, moving: str) -> dict[str, Any]:
        """Keep a mapping, new or changed, and let it be so; ``moving`` is shown meanwhile."""
        key = document["UUID"]
        kept = {**document, "LastModified": self._clock.now()}
        self._documents.put(MAPPING, account, "", key, kept)
        self._change(account, key, moving)
        return self._shown(key, kept)

    def delete(self, account: str, key: str) -> dict[str, Any] | None:
        """Let a mapping go; returns it as it is shown meanwhile, or None if there is none."""
        held = self._documents.get(MAPPING, account, "", key)
        if held is None:
            return None
        gone = {**held, "State": DELETING}
        self._documents.put(MAPPING, account, "", key, gone)
        self._change(account, key, DELETING)
        return self._shown(key, gone)

    # Changes.

    def _change(self, account: str, key: str, moving: str) -> None:
        """Bring the poller to what the document says, after the change before."""
        self._moving[key] = moving
        before = self._changes.get(key)
        task = asyncio.get_running_loop().create_task(self._changed(account, key, before))
        self._changes[key] = task
        task.add_done_callback(lambda done: self._change_over(key, done))

    def _change_over(self, key: str, task: asyncio.Task[None]) -> None:
        if self._changes.get(key) is task:
            del self._changes[key]
            self._moving.pop(key, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("mapping %s could not change", key, exc_info=task.exception())

    async def _changed(self, account: str, key: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        poller = self._pollers.pop(key, None)
        if poller is not None:
            try:
                await poller.stop()
            except asyncio.CancelledError:
                await poller.close()
                raise
        held = self._documents.get(MAPPING, account, "", key)
        if held is None:
            return
        if held["State"] == DELETING:
            self._forget(account, key)
        elif held["State"] == ENABLED:
            self._begin(key, held)

    def _begin(self, key: str, held: dict[str, Any]) -> None:
        def told(result: str) -> None:
            if self._results.get(key) != result and result.startswith("PROBLEM"):
                log.warning("mapping %s of %s: %s", key, held["EventSourceArn"], result)
            self._results[key] = result

        poller = Poller(
            plan(held, self.config),
            aws=self._aws,
            urls=self._urls,
            invoke=self._invoke,
            config=self.config,
            told=told,
        )
        self._pollers[key] = poller
        poller.start()

    def _forget(self, account: str, key: str) -> None:
        self._documents.delete(MAPPING, account, "", key)
        self._documents.delete("tags", account, "", key)
        self._results.pop(key, None)

    def _shown(self, key: str, held: dict[str, Any]) -> dict[str, Any]:
        shown = {**held, "State": self._moving.get(key, held["State"])}
        if key in self._results:
            shown["LastProcessingResult"] = self._results[key]
        return shown


def plan(held: dict[str, Any], config: Config) -> Plan:
    """What a mapping's document asks of its poller."""
    queue, function = target(held["EventSourceArn"]), target(held["FunctionArn"])
    assert queue is not None
    assert function is not None
    filters = (held.get("FilterCriteria") or {}).get("Filters") or []
    limit = (held.get("ScalingConfig") or {}).get("MaximumConcurrency")
    return Plan(
        queue=queue,
        place=function.place,
        function=function.name,
        qualifier=function.qualifier,
        batch_size=held["BatchSize"],
        window_seconds=held["MaximumBatchingWindowInSeconds"],
        patterns=tuple(Pattern(each["Pattern"]) for each in filters),
        reported=REPORT in held["FunctionResponseTypes"],
        concurrency=limit or config.mapping_concurrency,
    )
