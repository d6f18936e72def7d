"""Those who come together share one piece of blocking work: a commit, mostly.

While a batch is under way the next one gathers; each who waits gets their own result. One thread,
begun on first use, so after the fork.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Runs ``work`` on batches, one at a time. For one event loop."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        """``work`` gives a result for each item, or raises for all; ``most`` may wait at once."""
        self._work, self._most = work, most
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._busy = False

    async def do(self, item: Item) -> Result:
        """The result for this item. Raises what ``work`` raises, OverflowError when too many wait.

        The work is done even if nobody waits for it any more.
        """
        if len(self._waiting) >= self._most:
            raise OverflowError("too many wait")
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, told))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin)  # whoever is ready by then comes along
        return await told

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
        running.add_done_callback(lambda done: self._end(batch, done))

    def _end(
        self,
        batch: list[tuple[Item, asyncio.Future[Result]]],
        done: asyncio.Future[Sequence[Result]],
    ) -> None:
        error = done.exception()
        for number, (_, told) in enumerate(batch):
            if told.done():  # whoever waited was cancelled
                continue
            if error is not None:
                told.set_exception(error)
            else:
                told.set_result(done.result()[number])
        self._busy = bool(self._waiting)
        if self._busy:
            asyncio.get_running_loop().call_soon(self._begin)
