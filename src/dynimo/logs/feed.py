"""Lines as they come, for somebody who watches: bounded, and never in the writer's way.

A watcher that is too slow loses the oldest lines and is told how many. Used on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from dynimo.ports import Line

LINES_MAX = 4096


class Feed:
    """Iterate it (``async for line in feed``); ``close`` it when done."""

    def __init__(
        self, account: str, group: str, leave: Callable[[Feed], None], lines_max: int = LINES_MAX
    ) -> None:
        self.lost = 0
        self._account = account
        self._group = group
        self._leave = leave
        self._lines: deque[Line] = deque(maxlen=lines_max)
        self._some = asyncio.Event()
        self._closed = False

    def offer(self, line: Line) -> None:
        """A line was written; it is kept if it is one of those watched."""
        if line.account != self._account or (self._group and line.group != self._group):
            return
        self.lost += len(self._lines) == self._lines.maxlen
        self._lines.append(line)
        self._some.set()

    def close(self) -> None:
        """Watch no more; what waits is still given."""
        self._closed = True
        self._leave(self)
        self._some.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Line:
        while not self._lines:
            if self._closed:
                raise StopAsyncIteration
            self._some.clear()
            await self._some.wait()
        return self._lines.popleft()
