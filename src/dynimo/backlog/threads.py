"""A few daemon threads for calls that block: a process need not wait for them to end.

The standard executor joins its threads at exit, which a long poll would hold up.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """At most ``count`` threads, made when needed; further calls wait for one to be free."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any], Any] | None]
        self._calls = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Do a call in a thread; what it raises is raised here. If cancelled, it still runs."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._busy += 1
        if self._busy > self._threads and self._threads < self._count:
            self._threads += 1
            threading.Thread(
                target=self._serve, name=f"{self._name}-{self._threads}", daemon=True
            ).start()
        self._calls.put((call, future, loop))
        return await future

    def close(self) -> None:
        """Let the threads end after what they do now."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _serve(self) -> None:
        while (item := self._calls.get()) is not None:
            call, future, loop = item
            result: Any = None
            failure: BaseException | None = None
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is gone, and so is who asked
                loop.call_soon_threadsafe(self._settle, future, result, failure)

    def _settle(
        self, future: asyncio.Future[Any], result: Any, failure: BaseException | None
    ) -> None:
        self._busy -= 1
        if future.done():
            return
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)
