"""The disk tier: threads around the index and the bodies, so that the event loop never waits.

A few reader threads look things up; one writes what is put, and one remembers purges. How steps
are written is in ``disk_writer``; what a purge means is decided above (``tiers``).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dynimo.edge import bodies, config, index, presence, purge, purge_journal, sweep
from dynimo.edge.disk_writer import Freed, Step, Writer
from dynimo.edge.stored import Stored

_log = logging.getLogger("dynimo.edge")

READ_ATTEMPTS = 2
"""A row may be replaced before its file is read, so a missing file is asked for once more."""

COUNT_EXACT_MAX, COUNT_MAX = 200, 2000
"""What a purge takes is counted exactly up to the one, by the disk alone up to the other."""

LEARN_PAUSE_SECONDS = 0.002
"""Between two pages of keys, so that requests are not kept waiting by those that are learned."""

_T = TypeVar("_T")


class DiskTier:
    """Objects on disk, within a budget of bytes; survives restarts and kills."""

    def __init__(self, folder: Path, settings: config.Config, now: Callable[[], float]) -> None:
        self._bodies = bodies.Bodies(folder)
        self._folder = folder
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._journal = purge_journal.Journal(folder / "purges.log")
        self._unwritten: list[purge.Purge] = []
        self._done_to = 0
        self._purger: ThreadPoolExecutor | None = None
        self._presence = presence.Presence()
        self._writer = Writer(folder, settings, self._bodies, self._presence)
        self._reading = 0
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers: ThreadPoolExecutor | None = None
        self._stopping = False

    async def open(self) -> tuple[int, int, list[purge.Purge]] | None:
        """Open the folder and start the threads; if it cannot be used, the tier is off: None.

        Returns what the journal of purges tells (``purge_journal.Journal.open``).
        """
        loop = asyncio.get_running_loop()
        try:
            made, purges = await loop.run_in_executor(None, self._open)
        except (OSError, sqlite3.Error) as error:
            self._writer.failed(error)
            return None
        self._readers = ThreadPoolExecutor(self._settings.disk_reader_threads, "edge-disk-read")
        self._writer.start(made)
        self._readers.submit(self._learn)
        self._purger = ThreadPoolExecutor(1, "edge-disk-purge")
        return purges

    def _open(self) -> tuple[index.Index, tuple[int, int, list[purge.Purge]]]:
        self._bodies.open()
        purges = self._journal.open()
        path = self._folder / "index.sqlite"
        try:
            made = index.Index(index.connect(path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            _log.warning("The disk cache's index cannot be used and begins anew: %s", error)
            (self._folder / "presence").unlink(missing_ok=True)
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            made = index.Index(index.connect(path))
        return made, purges

    async def close(self) -> None:
        """Write what is waiting, then stop the threads."""
        if self._readers is None:
            return
        self._stopping = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.stop)
        await loop.run_in_executor(None, self._readers.shutdown)
        if self._purger is not None:
            await loop.run_in_executor(None, self._purger.shutdown)
            self._journal.close()
        self._readers = self._purger = None
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def statistics(self) -> dict[str, int | str]:
        """Return counts; ``disk_error`` is the last failure's text, "" once writing works again."""
        return self._writer.statistics()

    # Reading.

    async def get(self, key: str, headers: Mapping[str, str]) -> Stored | None:
        """Return what a request selects, or None: absent, damaged, or too many reads under way."""
        if self._readers is None or self._reading >= self._settings.disk_reads_max:
            return None
        if self._presence.denies(key):
            return None
        self._reading += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, self._read, key, headers)
        except (OSError, sqlite3.Error) as error:
            self._writer.failed(error)
            return None
        finally:
            self._reading -= 1

    def denies(self, key: str) -> bool:
        """Whether the disk surely has neither an object nor a decision of this key."""
        return self._readers is None or self._presence.denies(key)

    @property
    def count(self) -> int:
        """How many objects there are."""
        return self._writer.objects

    def _learn(self) -> None:
        """Take up the written memory of keys, then the keys since; until done every miss looks."""
        try:
            self._writer.remembered = self._presence.load((self._folder / "presence").read_bytes())
        except OSError:
            self._writer.remembered = 0, 0
        try:
            for table, last in zip(("objects", "forwards"), self._writer.remembered, strict=True):
                for page in index.keys_since(self._reader(), table, last):
                    for key in page:
                        self._presence.add(key)
                    if self._stopping:
                        return
                    time.sleep(LEARN_PAUSE_SECONDS)
        except sqlite3.Error as error:
            self._writer.failed(error)
        else:
            self._presence.complete = True

    def _reader(self) -> sqlite3.Connection:
        """Return the connection of whichever thread asks."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = index.connect(self._folder / "index.sqlite")
            with self._lock:
                self._connections.append(connection)
        return connection

    def _read(self, key: str, headers: Mapping[str, str]) -> Stored | None:
        connection = self._reader()
        for _ in range(READ_ATTEMPTS):
            row = index.find(connection, key, headers)
            if row is None:
                return None
            body = self._bodies.read(row.file, row.length)
            if body is not None:
                self._writer.note(lambda db: db.touch(key, self._now(), 0))
                return row.stored(body)
            torn = row.id
        self._writer.counts["disk_torn"] += 1
        self._writer.note(lambda db: db.drop(torn))
        return None

    # Writing.

    def put(self, entry: Stored) -> bool:
        """Queue an object to be written; False when the queue is full or the tier is off."""

        def run(db: index.Index) -> Freed:
            name = bodies.name_of(entry.body)
            self._bodies.write(name, entry.body)
            freed = db.put(entry, name, self._now(), self._settings.variants_max)
            self._writer.counts["disk_writes"] += 1
            return freed

        return self._writer.put(run, entry.key, len(entry.body))

    def touch(self, key: str, hits: int) -> None:
        """Note that a key is in use, though it is memory that answers."""
        self._writer.note(lambda db: db.touch(key, self._now(), hits))

    def discard(self, entry: Stored) -> None:
        """Drop one object, which turned out not to be good any more."""
        self._writer.note(lambda db: db.discard(entry))

    def forward(self, decision: Stored) -> None:
        """Note where a key's decision leads, so that purging the key purges that too."""
        key, forward, tags = decision.key, decision.forward, decision.tags
        self._presence.add(key)
        self._writer.note(lambda db: db.forward(key, forward, tags))

    # Purging.

    async def remember(self, taken: purge.Purge, *, durable: bool) -> None:
        """Write a purge down; those that are asked for meanwhile go to the disk together.

        Raises:
            OSError: the disk failed; a crash may undo the purge.
        """
        if self._purger is None:
            return
        with self._lock:
            self._unwritten.append(taken)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._purger, self._write_purges, durable)

    def _write_purges(self, durable: bool) -> None:  # noqa: FBT001 - called by an executor
        with self._lock:
            purges, self._unwritten = self._unwritten, []
            done, self._done_to = self._done_to, 0
        if purges or done or durable:
            self._journal.append(purges, done, durable=durable)

    def retired(self, number: int) -> None:
        """Note that purges up to this number are done; the next one that is written says so."""
        self._done_to = number

    async def taken(self, selector: purge.Selector) -> tuple[int, set[str]]:
        """Return how many objects a purge would take, and the keys if they are few."""

        def count(db: sqlite3.Connection) -> tuple[int, set[str]]:
            number = sweep.count(db, selector, COUNT_MAX)
            few = number <= COUNT_EXACT_MAX
            return number, sweep.taken_keys(db, selector, COUNT_EXACT_MAX) if few else set()

        return await self.ask(count) or (0, set())

    async def ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Ask the index something in a reader thread; None if that fails or the tier is off."""
        if self._readers is None:
            return None
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, lambda: question(self._reader()))
        except sqlite3.Error as error:
            self._writer.failed(error)
            return None

    async def sweep(self, taken: purge.Purge) -> set[str]:
        """Drop, behind the requests, what a purge took; return the keys. Holds for what is queued.

        Raises:
            OSError, sqlite3.Error: the disk failed; some of it may be left.
        """
        if self._readers is None:
            return set()
        gone: set[str] = set()
        done: Future[None] = Future()
        batches: Iterator[sweep.Swept] | None = None

        def run(db: index.Index) -> Freed:
            nonlocal batches
            if batches is None or step.unsettled:  # at first, or what was done was undone
                batches = db.sweep(taken)
            swept = next(batches, None)
            step.unsettled, step.more = True, swept is not None
            gone.update(swept.keys if swept else ())
            return swept.files if swept else []

        step = Step(run=run, done=done)
        self._writer.add(step)
        await asyncio.wrap_future(done)
        return gone

    async def settled(self) -> None:
        """Wait until what is queued now is written.

        Raises:
            OSError, sqlite3.Error: the disk failed.
        """
        if self._readers is not None:
            done: Future[None] = Future()
            self._writer.add(Step(run=lambda _: [], done=done))
            await asyncio.wrap_future(done)
