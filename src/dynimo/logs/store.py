"""The store of what functions write: ``ports.Logs``, and the threads behind it.

``write`` only takes a line into a bounded queue; one thread writes what gathered, a few threads
read. Nothing here waits on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dynimo.logs.config import Config
from dynimo.logs.feed import Feed
from dynimo.logs.keeper import Keeper, Key, Lost
from dynimo.logs.records import Row
from dynimo.model.errors import DynimoError
from dynimo.ports import Line

log = logging.getLogger("dynimo.logs")

LINE_COST_BYTES = 200
"""What a line counts at least in the queue, because keeping it costs something too."""

LINE_CHARACTERS_MAX = 256 * 1024
CUT_MARK = " [line cut by Dynimo]"
GROUPS_AT_ONCE_MAX = 20_000
"""Groups with lines in the queue at the same time; lines of more are dropped."""

TIDY_SECONDS = 60.0
SETTLE_SECONDS_MAX = 5.0
READERS = 2
READS_MAX = 64
COMMANDS_MAX = 1024
FEEDS_MAX = 256

T = TypeVar("T")


class Overloaded(DynimoError):
    """Too much is asked of the logs at once; try again in a moment."""

    status = 503
    code = "ServiceUnavailableException"


@dataclass(slots=True)
class _Waiting:
    """Lines of one group that wait to be written."""

    rows: list[Row] = field(default_factory=list)
    size: int = 0
    lost: Lost = field(default_factory=Lost)


class Store:
    """Keeps lines. ``open`` it before use; ``write`` works before that too, within the queue."""

    def __init__(self, folder: Path, config: Config, now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.config = config
        self.dropped = 0
        self._keeper = Keeper(folder, config, now)
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._waiting_bytes = 0
        self._woken = False
        self._commands: list[tuple[Callable[[Keeper], Any], Future[Any]]] = []
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stopping = False
        self._feeds: list[Feed] = []
        self._reading = 0
        self._readers: ThreadPoolExecutor | None = None
        self._writer: threading.Thread | None = None

    def open(self) -> None:
        """Start the threads. If the folder cannot be used, that is told and nothing is kept."""
        self._readers = ThreadPoolExecutor(READERS, "logs-read")
        self._writer = threading.Thread(target=self._run, name="logs-write", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Write what waits, then stop the threads."""
        for feed in list(self._feeds):
            feed.close()
        if self._writer is None or self._readers is None:
            return
        self._stopping = True
        self._hurry.set()
        self._wake.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.join)
        await loop.run_in_executor(None, self._readers.shutdown)
        self._writer = self._readers = None

    # Writing.

    def write(self, *lines: Line) -> None:
        """Keep lines. What is over the limits of the queue is counted and dropped."""
        with self._lock:
            kept = [line for line in lines if self._queued(line)]
            woken, self._woken = self._woken, self._woken or bool(kept)
        if kept and not woken:
            self._wake.set()
        if self._feeds:
            for line in kept:
                for feed in self._feeds:
                    feed.offer(line)

    def _queued(self, line: Line) -> bool:
        """Take a line into the queue, under the lock; whether there was room."""
        group, stream, when_ms, text, account, kind, request = line
        if len(text) > LINE_CHARACTERS_MAX:
            text = text[: LINE_CHARACTERS_MAX - len(CUT_MARK)] + CUT_MARK
        size = len(text) + LINE_COST_BYTES
        waiting = self._waiting.get((account, group))
        if waiting is None:
            if len(self._waiting) >= GROUPS_AT_ONCE_MAX:
                self.dropped += 1
                return False
            waiting = self._waiting[account, group] = _Waiting()
        if (
            waiting.size + size > self.config.queue_group_bytes_max
            or self._waiting_bytes + size > self.config.queue_bytes_max
        ):
            self.dropped += 1
            waiting.lost.count += 1
            waiting.lost.stream = stream
            return False
        waiting.rows.append((when_ms, stream, kind, request, text))
        waiting.size += size
        self._waiting_bytes += size
        return True

    def follow(self, account: str, group: str = "") -> Feed:
        """Every line of an account, or of one of its groups, from now on.

        Raises:
            Overloaded: ``FEEDS_MAX`` are followed already.
        """
        if len(self._feeds) >= FEEDS_MAX:
            raise Overloaded(f"({FEEDS_MAX} follow already)")
        feed = Feed(account, group, self._unfollow)
        self._feeds.append(feed)
        return feed

    def _unfollow(self, feed: Feed) -> None:
        if feed in self._feeds:
            self._feeds.remove(feed)

    async def settle(self) -> None:
        """Return when every line that was written before can be read."""
        await self.act(_nothing)

    async def act(self, command: Callable[[Keeper], T]) -> T:
        """Run something in the writer's thread, after what was written before it.

        Raises:
            Overloaded: too many wait already, or it took over ``SETTLE_SECONDS_MAX``.
            OSError: the disk refused.
        """
        future: Future[T] = Future()
        with self._lock:
            if len(self._commands) >= COMMANDS_MAX or self._writer is None:
                raise Overloaded
            self._commands.append((command, future))
            self._woken = True
        self._hurry.set()
        self._wake.set()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), SETTLE_SECONDS_MAX)
        except TimeoutError:
            raise Overloaded from None

    async def read(self, question: Callable[[], T]) -> T:
        """Run a reading question in a thread of its own kind.

        Raises:
            Overloaded: ``READS_MAX`` wait already.
        """
        if self._readers is None or self._reading >= READS_MAX:
            raise Overloaded
        self._reading += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, question)
        finally:
            self._reading -= 1

    def statistics(self) -> dict[str, int | str]:
        """Counts since the start, and what is held now."""
        return {
            "lines_dropped": self.dropped,
            "lines_refused": self._keeper.refused,
            "bytes_waiting": self._waiting_bytes,
            "disk_error": self._keeper.error,
        }

    # The writer's thread.

    def _run(self) -> None:
        try:
            self._keeper.load()
        except OSError as error:
            log.warning("functions' lines cannot be kept in %s: %s", self.folder, error.strerror)
        tidied = time.monotonic()
        while True:
            self._wake.wait(TIDY_SECONDS)
            if not self._stopping:
                self._hurry.wait(self.config.flush_seconds)
            stopping = self._stopping
            self._turn()
            if time.monotonic() - tidied >= TIDY_SECONDS:
                tidied = time.monotonic()
                self._guarded(self._keeper.tidy)
            if stopping:
                break
        self._guarded(self._keeper.close)

    def _turn(self) -> None:
        """Write what waits, then do what was asked."""
        self._wake.clear()
        self._hurry.clear()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            commands, self._commands = self._commands, []
            self._waiting_bytes = 0
            self._woken = False
        for (account, group), each in waiting.items():
            key = Key(account, group)
            self._guarded(partial(self._keeper.append, key, each.rows, each.lost))
        for command, future in commands:
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(command(self._keeper))
            except Exception as error:  # noqa: BLE001 - it is the asker's
                future.set_exception(error)

    def _guarded(self, run: Callable[[], object]) -> None:
        """Run; a fault of one group must not end the writing of all."""
        try:
            run()
        except Exception:
            log.exception("a log could not be written")


def _nothing(_keeper: Keeper) -> None:
    """Ask for nothing but one's turn."""
