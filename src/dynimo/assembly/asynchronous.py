"""What runs later: the backlog of events and the queues that are polled, wired, started, stopped.

Sits between the functions, which it invokes, and the API, which hands it what it accepts. How an
event is kept, tried and delivered is the backlog's own business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynimo import ports
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.lambda_event_invoke import EventInvoke
from dynimo.api.aws.lambda_mappings import MappingOperations
from dynimo.backlog.backlog import FILE, Backlog
from dynimo.backlog.config import Config
from dynimo.backlog.mappings import Mappings
from dynimo.functions import lineage
from dynimo.functions.invoker import Invoker
from dynimo.model.errors import ConfigError
from dynimo.model.names import Place
from dynimo.registry.registry import Registry


class Asynchronous:
    """The backlog and the event source mappings of one platform."""

    def __init__(
        self,
        folder: Path,
        clock: ports.Clock,
        config: Config,
        *,
        registry: Registry,
        invoker: Invoker,
        place: Place,
    ) -> None:
        self._file = folder / FILE
        self._clock = clock
        self._registry = registry
        self._place = place
        self.backlog = Backlog(
            folder,
            clock,
            config,
            invoke=invoker.invoke,
            resolve=registry.resolve,
            documents=registry.documents,
            passed=lineage.passed,
        )
        self.mappings = Mappings(
            registry.documents,
            self.backlog.aws,
            self.backlog.deliveries.urls,
            clock,
            config,
            invoke=invoker.invoke,
        )

    def operations(self) -> list[Operation]:
        """Those of Lambda's that configure it."""
        mappings = MappingOperations(self._registry, self.mappings)
        return [*EventInvoke(self._registry).operations(), *mappings.operations()]

    async def ask(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer an operator about the built-in queues. Raises ValueError, LookupError."""
        return await self.backlog.queues.ask(asked, self._place)

    async def open(self) -> None:
        """Be ready to accept, and know what was accepted before; nothing runs yet.

        Raises:
            ConfigError: the file of events cannot be used.
        """
        try:
            await self.backlog.open()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"{self._file}: {error}.") from error

    async def start(self) -> None:
        """Run what is due, and poll. The functions must be there, and so must their way here."""
        self.backlog.begin()
        await self.mappings.start()

    async def stop(self, grace_seconds: float) -> None:
        """Begin nothing more; what runs may finish within ``grace_seconds``, or runs again later.

        Polling ends first, for its batches need the way to SQS that the backlog owns.
        """
        until = self._clock.monotonic() + grace_seconds
        await self.mappings.close(grace_seconds)
        await self.backlog.close(max(0.0, until - self._clock.monotonic()))

    def statistics(self) -> dict[str, int]:
        """Events, deliveries and mappings, in numbers."""
        return {**self.backlog.statistics(), "mappings": self.mappings.count}
