"""The disk tier: threads around the index and the bodies, so that the event loop never waits.

One writer thread takes steps from a bounded queue, many to a transaction; a few reader threads look
things up; one remembers purges. A step that the disk refuses is counted and forgotten: the cache
serves on without it. What a purge means is decided above (``tiers``).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dynimo.edge import bodies, config, index, presence, purge, purge_journal, sweep
from dynimo.edge.stored import Stored

_log = logging.getLogger("dynimo.edge")

BATCH_STEPS_MAX = 512
GATHER_SECONDS = 0.1
"""How long the writer lets steps gather: a transaction each would cost more than the work in it."""

EVICT_BATCH = 256
EVICT_TO_SHARE = 0.95
IDLE_SECONDS = 5.0
"""Every so many idle seconds one folder of 256 is looked through for orphans."""

READ_ATTEMPTS = 2
"""A row may be replaced before its file is read, so a missing file is asked for once more."""

PRESENCE_ROWS = 50_000
"""After so many new objects the memory of keys is written down again, when idle."""

COUNT_EXACT_MAX, COUNT_MAX = 200, 2000
"""What a purge takes is counted exactly up to the one, by the disk alone up to the other."""

LEARN_PAUSE_SECONDS = 0.002
"""Between two pages of keys, so that requests are not kept waiting by those that are learned."""

SMALL_STEPS_MAX = 4096
"""Notes (uses, forwards) waiting to be written; more are dropped."""

LOG_SECONDS_MIN = 60.0
"""At most one line about a failing disk in this time."""

_Freed = list[str]
_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class _Step:
    """One thing for the writer to do: ``run`` returns the files it freed.

    ``more`` says that it is to be done again, ``unsettled`` that it was done and not yet committed.
    """

    run: Callable[[index.Index], _Freed]
    size: int = 0
    counted: bool = False
    done: Future[None] | None = None
    more: bool = False
    unsettled: bool = False


class DiskTier:
    """Objects on disk, within a budget of bytes; survives restarts and kills."""

    def __init__(self, folder: Path, settings: config.Config, now: Callable[[], float]) -> None:
        self._bodies = bodies.Bodies(folder)
        self._folder = folder
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._journal = purge_journal.Journal(folder / "purges.log")
        self._unwritten: list[purge.Purge] = []
        self._done_to = 0
        self._purger: ThreadPoolExecutor | None = None
        self._presence = presence.Presence()
        self._pending = 0
        self._pending_bytes = 0
        self._reading = 0
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers: ThreadPoolExecutor | None = None
        self._writer: threading.Thread | None = None
        self._stopping = False
        self._sweep_at = 0
        self._logged = -LOG_SECONDS_MIN
        self._counts = dict.fromkeys(
            ("disk_writes", "disk_dropped", "disk_errors", "disk_torn", "disk_evictions",
             "disk_orphans"), 0,
        )  # fmt: skip
        self._bytes = self._count = 0
        self._remembered = 0, 0
        self._error = ""

    async def open(self) -> tuple[int, int, list[purge.Purge]] | None:
        """Open the folder and start the threads; if it cannot be used, the tier is off: None.

        Returns what the journal of purges tells (``purge_journal.Journal.open``).
        """
        loop = asyncio.get_running_loop()
        try:
            made, purges = await loop.run_in_executor(None, self._open)
        except (OSError, sqlite3.Error) as error:
            self._failed(error)
            return None
        self._readers = ThreadPoolExecutor(self._settings.disk_reader_threads, "edge-disk-read")
        self._writer = threading.Thread(
            target=self._write_all, args=(made,), name="edge-disk-write", daemon=True
        )
        self._writer.start()
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
        self._bytes, self._count = made.bytes, made.count
        return made, purges

    async def close(self) -> None:
        """Write what is waiting, then stop the threads."""
        if self._writer is None or self._readers is None:
            return
        self._stopping = True
        self._queue.put(None)
        self._hurry.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.join)
        await loop.run_in_executor(None, self._readers.shutdown)
        if self._purger is not None:
            await loop.run_in_executor(None, self._purger.shutdown)
            self._journal.close()
        self._writer = self._readers = self._purger = None
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def statistics(self) -> dict[str, int | str]:
        """Return counts; ``disk_error`` is the last failure's text, "" once writing works again."""
        return {
            **self._counts,
            "disk_bytes": self._bytes,
            "disk_entries": self._count,
            "disk_pending": self._pending,
            "disk_error": self._error,
        }

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
            self._failed(error)
            return None
        finally:
            self._reading -= 1

    def denies(self, key: str) -> bool:
        """Whether the disk surely has neither an object nor a decision of this key."""
        return self._readers is None or self._presence.denies(key)

    @property
    def count(self) -> int:
        """How many objects there are."""
        return self._count

    def _learn(self) -> None:
        """Take up the written memory of keys, then the keys since; until done every miss looks."""
        try:
            self._remembered = self._presence.load((self._folder / "presence").read_bytes())
        except OSError:
            self._remembered = 0, 0
        try:
            for table, last in zip(("objects", "forwards"), self._remembered, strict=True):
                for page in index.keys_since(self._reader(), table, last):
                    for key in page:
                        self._presence.add(key)
                    if self._stopping:
                        return
                    time.sleep(LEARN_PAUSE_SECONDS)
        except sqlite3.Error as error:
            self._failed(error)
        else:
            self._presence.complete = True

    def _remember(self, db: index.Index, rows: int) -> None:
        """Write down the memory of keys if it has grown by so many rows since."""
        last = db.last
        if not self._presence.complete or sum(last) - sum(self._remembered) < rows:
            return
        aside = self._folder / "aside" / "presence"
        aside.write_bytes(self._presence.dump(last))
        aside.rename(self._folder / "presence")
        self._remembered = last

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
                self._note(lambda db: db.touch(key, self._now(), 0))
                return row.stored(body)
            torn = row.id
        self._counts["disk_torn"] += 1
        self._note(lambda db: db.drop(torn))
        return None

    # Writing.

    def put(self, entry: Stored) -> bool:
        """Queue an object to be written; False when the queue is full or the tier is off."""
        size = len(entry.body)
        with self._lock:
            full = (
                self._writer is None
                or self._pending >= self._settings.disk_writes_max
                or self._pending_bytes + size > self._settings.disk_write_bytes_max
            )
            if full:
                self._counts["disk_dropped"] += 1
                return False
            self._pending += 1
            self._pending_bytes += size

        def run(db: index.Index) -> _Freed:
            name = bodies.name_of(entry.body)
            self._bodies.write(name, entry.body)
            freed = db.put(entry, name, self._now(), self._settings.variants_max)
            self._counts["disk_writes"] += 1
            return freed

        self._presence.add(entry.key)
        self._queue.put(_Step(run=run, size=size, counted=True))
        return True

    def touch(self, key: str, hits: int) -> None:
        """Note that a key is in use, though it is memory that answers."""
        self._note(lambda db: db.touch(key, self._now(), hits))

    def discard(self, entry: Stored) -> None:
        """Drop one object, which turned out not to be good any more."""
        self._note(lambda db: db.discard(entry))

    def forward(self, decision: Stored) -> None:
        """Note where a key's decision leads, so that purging the key purges that too."""
        key, forward, tags = decision.key, decision.forward, decision.tags
        self._presence.add(key)
        self._note(lambda db: db.forward(key, forward, tags))

    def _note(self, run: Callable[[index.Index], _Freed | None]) -> None:
        if self._writer is not None and self._queue.qsize() < SMALL_STEPS_MAX:
            self._queue.put(_Step(run=lambda db: run(db) or []))

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
            self._failed(error)
            return None

    async def sweep(self, taken: purge.Purge) -> set[str]:
        """Drop, behind the requests, what a purge took; return the keys. Holds for what is queued.

        Raises:
            OSError, sqlite3.Error: the disk failed; some of it may be left.
        """
        if self._writer is None:
            return set()
        gone: set[str] = set()
        done: Future[None] = Future()
        batches: Iterator[sweep.Swept] | None = None

        def run(db: index.Index) -> _Freed:
            nonlocal batches
            if batches is None or step.unsettled:  # at first, or what was done was undone
                batches = db.sweep(taken)
            swept = next(batches, None)
            step.unsettled, step.more = True, swept is not None
            gone.update(swept.keys if swept else ())
            return swept.files if swept else []

        step = _Step(run=run, done=done)
        self._queue.put(step)
        self._hurry.set()
        await asyncio.wrap_future(done)
        return gone

    async def settled(self) -> None:
        """Wait until what is queued now is written.

        Raises:
            OSError, sqlite3.Error: the disk failed.
        """
        if self._writer is not None:
            done: Future[None] = Future()
            self._queue.put(_Step(run=lambda _: [], done=done))
            self._hurry.set()
            await asyncio.wrap_future(done)

    # The writer thread.

    def _write_all(self, db: index.Index) -> None:
        try:
            while True:
                try:
                    steps = [self._queue.get(timeout=IDLE_SECONDS)]
                except queue.Empty:
                    self._guarded(lambda: self._sweep_orphans(db))
                    self._guarded(lambda: self._remember(db, PRESENCE_ROWS))
                    continue
                self._hurry.wait(GATHER_SECONDS)
                self._hurry.clear()
                while len(steps) < BATCH_STEPS_MAX and steps[-1] is not None:
                    try:
                        steps.append(self._queue.get_nowait())
                    except queue.Empty:
                        break
                batch = [step for step in steps if step is not None]
                if batch and not self._perform(db, batch) and len(batch) > 1:
                    for step in batch:
                        self._perform(db, [step])
                self._guarded(lambda: self._evict(db))
                self._bytes, self._count = db.bytes, db.count
                for step in batch:
                    self._settle(step)
                if steps[-1] is None:
                    self._guarded(lambda: self._remember(db, 1))
                    return
        finally:
            db.close()

    def _perform(self, db: index.Index, batch: list[_Step]) -> bool:
        """Do steps in one transaction; False, with nothing changed, when one fails."""
        freed: _Freed = []
        try:
            db.begin()
            for step in batch:
                freed += step.run(db)
            db.commit()
        except Exception as error:  # noqa: BLE001 - no fault of one step may end the writer
            self._guarded(db.rollback)
            if len(batch) == 1:
                self._failed(error)
                done = batch[0].done
                if done is not None and not done.done():
                    done.set_exception(error)
            return False
        self._guarded(lambda: self._unlink(db, freed))
        if any(step.counted for step in batch):
            self._error = ""
        return True

    def _settle(self, step: _Step) -> None:
        if step.counted:
            with self._lock:
                self._pending -= 1
                self._pending_bytes -= step.size
        step.unsettled = False
        if step.more and not (step.done is not None and step.done.done()):
            self._queue.put(step)
        elif step.done is not None and not step.done.done():
            step.done.set_result(None)

    def _evict(self, db: index.Index) -> None:
        budget = self._settings.disk_bytes
        if db.bytes <= budget:
            return
        while db.bytes > budget * EVICT_TO_SHARE:
            db.begin()
            count, freed = db.evict(int(budget * EVICT_TO_SHARE), EVICT_BATCH)
            db.trim_forwards()
            db.commit()
            self._unlink(db, freed)
            self._counts["disk_evictions"] += count
            if not count:
                return

    def _sweep_orphans(self, db: index.Index) -> None:
        """Remove the files of one folder that no row needs (left by a kill between the two)."""
        for name in self._bodies.old_names(self._sweep_at):
            if not db.needs(name):
                self._bodies.remove(name)
                self._counts["disk_orphans"] += 1
        self._sweep_at = (self._sweep_at + 1) % 256

    def _unlink(self, db: index.Index, freed: _Freed) -> None:
        for file in freed:
            if not db.needs(file):
                self._bodies.remove(file)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, sqlite3.Error) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._counts["disk_errors"] += 1
        self._error = f"{type(error).__name__}: {error}"
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS_MIN:
            self._logged = now
            _log.warning("The disk cache failed; serving on without storing: %s", self._error)
