"""After a change: make the new version ready in the background, then say that it is.

Knows which changes are under way; the registry knows what is told of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.records import FunctionRecord, VersionRecord
from dynimo.registry.registry import Registry

log = logging.getLogger("dynimo.api")

Prepare: TypeAlias = Callable[[Version], Awaitable[None]]


class Preparing:
    """``prepare`` makes a version ready to run; ``retire`` lets go of one that was replaced.

    ``changed(place, function)`` is awaited when the limits of a function may lead elsewhere: an
    alias has moved, or the function is gone.
    """

    def __init__(
        self,
        registry: Registry,
        prepare: Prepare,
        retire: Callable[[Version], None],
        changed: Callable[[Place, str], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._prepare = prepare
        self._retire = retire
        self.changed = changed
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, function: FunctionRecord, *, creating: bool = False) -> None:
        """Prepare a function's ``$LATEST``, which has just changed."""
        self._registry.begin(function, creating=creating)
        task = asyncio.get_running_loop().create_task(self._run(function, function.latest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def retire(self, record: VersionRecord) -> None:
        """A version was replaced or removed."""
        self._retire(self._registry.version(record))

    async def close(self) -> None:
        """Stop preparing."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, function: FunctionRecord, latest: VersionRecord) -> None:
        try:
            await self._prepare(await asyncio.to_thread(self._registry.version, latest))
        except Exception:
            log.exception("%s could not be made ready", latest.function)
        self._registry.settle(function, latest)
