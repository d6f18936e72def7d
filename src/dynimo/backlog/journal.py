"""The durable file of the backlog, and the one thread that writes it: many writes, one fsync.

Knows transactions and threads; what is written, and why, is with those who hand in the work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from dynimo.model.errors import DynimoError

log = logging.getLogger("dynimo.backlog")

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

BATCH_MAX = 500
"""Pieces of work that one transaction takes in."""
BUSY_SECONDS = 10.0


class NotKept(DynimoError):
    """It could not be written to the data folder."""


class Journal:
    """A SQLite file (WAL, synchronous FULL). ``write`` returns when its work is on the disk."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._work: queue.SimpleQueue[tuple[Work[Any], asyncio.Future[Any]] | None]
        self._work = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.waiting = 0
        """Pieces of work that are not on the disk yet."""
        self.commits = 0

    def open(self) -> None:
        """Open or make the file, and start the thread. Call on the event loop.

        Raises:
            OSError, sqlite3.Error: the file cannot be used.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        database = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute("pragma foreign_keys = on")
        database.executescript(self._schema)
        self._thread = threading.Thread(
            target=self._run, args=(database,), name="backlog-journal", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Write what was handed in, then close."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` within the next transaction; on return it is on the disk.

        The work is done even if the caller is cancelled meanwhile. It runs in the thread, and its
        transaction holds other work too.

        Raises:
            NotKept: the disk refused it, or the journal is closed.
        """
        if self._thread is None:
            raise NotKept("The backlog is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.waiting += 1
        self._work.put((work, future))
        return await future

    async def read(self, work: Work[T]) -> T:
        """As ``write``, for work that only reads: it sees everything written before it."""
        return await self.write(work)

    # The thread.

    def _run(self, database: sqlite3.Connection) -> None:
        while True:
            batch, last = self._batch()
            if batch:
                settled = self._commit(database, batch)
                self.commits += 1
                assert self._loop is not None
                with contextlib.suppress(RuntimeError):  # the loop is gone, and so are the callers
                    self._loop.call_soon_threadsafe(self._settle, settled)
            if last:
                database.close()
                return

    def _batch(self) -> tuple[list[tuple[Work[Any], asyncio.Future[Any]]], bool]:
        """(what waits to be written, at least one piece; whether it is the last)."""
        batch = []
        item = self._work.get()
        while item is not None:
            batch.append(item)
            if len(batch) >= BATCH_MAX:
                return batch, False
            try:
                item = self._work.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(
        self,
        database: sqlite3.Connection,
        batch: list[tuple[Work[Any], asyncio.Future[Any]]],
    ) -> list[tuple[asyncio.Future[Any], Any]]:
        try:
            database.execute("begin immediate")
            results = [(future, work(database)) for work, future in batch]
            database.execute("commit")
        except Exception as error:
            if database.in_transaction:
                database.execute("rollback")
            if len(batch) > 1 and not isinstance(error, sqlite3.OperationalError):
                # One piece is at fault, not the disk: the others must not suffer for it.
                return [result for each in batch for result in self._commit(database, [each])]
            log.exception("%s cannot be written", self.path)
            return [(future, NotKept(f"{error}.")) for _, future in batch]
        return results

    def _settle(self, results: list[tuple[asyncio.Future[Any], Any]]) -> None:
        self.waiting -= len(results)
        for future, result in results:
            if future.done():
                continue  # its caller left
            if isinstance(result, NotKept):
                future.set_exception(result)
            else:
                future.set_result(cast("Any", result))
