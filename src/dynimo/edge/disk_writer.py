"""The disk tier's writer: one thread that does steps from a bounded queue, many to a transaction.

A step that the disk refuses is counted and forgotten: the cache serves on without it. Between
steps it keeps the budget, removes orphans and writes the memory of keys down. Which steps there
are is for ``disk``.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from dynimo.edge import bodies, config, index, presence

_log = logging.getLogger("dynimo.edge")

BATCH_STEPS_MAX = 512
GATHER_SECONDS = 0.5
"""How long the writer lets steps gather, unless somebody waits for them or too many do: each
transaction writes the same pages again, and whatever it does it takes from those who answer."""

ROUND_SECONDS = 0.1
"""The same between two rounds of one step: somebody waits for the last, but behind requests."""

HURRY_SHARE = 0.25
"""Of what may wait, in objects or bytes: then it is written at once."""

EVICT_BATCH = 256
EVICT_TO_SHARE = 0.95
IDLE_SECONDS = 5.0
"""Every so many idle seconds one folder of 256 is looked through for orphans."""

PRESENCE_ROWS = 50_000
"""After so many new objects the memory of keys is written down again, when idle."""

SMALL_STEPS_MAX = 4096
"""Notes (uses, forwards) waiting to be written; more are dropped."""

LOG_SECONDS_MIN = 60.0
"""At most one line about a failing disk in this time."""

Freed = list[str]
"""Names of files that may be needed no more."""


@dataclass(slots=True, kw_only=True)
class Step:
    """One thing for the writer to do: ``run`` returns the files it freed.

    ``more`` says that it is to be done again, ``unsettled`` that it was done and not yet committed.
    """

    run: Callable[[index.Index], Freed]
    size: int = 0
    counted: bool = False
    done: Future[None] | None = None
    more: bool = False
    unsettled: bool = False


class Writer:
    """Its queue, its thread and its counts. ``failed`` and ``counts`` are the readers', too."""

    def __init__(
        self,
        folder: Path,
        settings: config.Config,
        files: bodies.Bodies,
        keys: presence.Presence,
    ) -> None:
        """Nothing is begun before ``start``."""
        self.counts = dict.fromkeys(
            ("disk_writes", "disk_dropped", "disk_errors", "disk_torn", "disk_evictions",
             "disk_orphans"), 0,
        )  # fmt: skip
        self.objects = 0
        self.remembered = 0, 0
        self._folder = folder
        self._settings = settings
        self._bodies = files
        self._presence = keys
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._pending = self._pending_bytes = 0
        self._bytes = 0
        self._sweep_at = 0
        self._gather_seconds = GATHER_SECONDS
        self._logged = -LOG_SECONDS_MIN
        self._error = ""
        self._thread: threading.Thread | None = None

    def start(self, db: index.Index) -> None:
        """Start the thread, which closes ``db`` at its end."""
        self._bytes, self.objects = db.bytes, db.count
        self._thread = threading.Thread(
            target=self._write_all, args=(db,), name="edge-disk-write", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end the thread. Blocks."""
        if self._thread is not None:
            self._queue.put(None)
            self._hurry.set()
            self._thread.join()
            self._thread = None

    def statistics(self) -> dict[str, int | str]:
        """As ``disk.DiskTier.statistics``."""
        return {
            **self.counts,
            "disk_bytes": self._bytes,
            "disk_entries": self.objects,
            "disk_pending": self._pending,
            "disk_error": self._error,
        }

    def put(self, run: Callable[[index.Index], Freed], key: str, size: int) -> bool:
        """Queue the writing of an object of ``size`` bytes; False when too much waits already."""
        with self._lock:
            full = (
                self._thread is None
                or self._pending >= self._settings.disk_writes_max
                or self._pending_bytes + size > self._settings.disk_write_bytes_max
            )
            if full:
                self.counts["disk_dropped"] += 1
                return False
            self._pending += 1
            self._pending_bytes += size
            much = (
                self._pending >= HURRY_SHARE * self._settings.disk_writes_max
                or self._pending_bytes >= HURRY_SHARE * self._settings.disk_write_bytes_max
            )
        self._presence.add(key)  # before it can be on the disk
        self._queue.put(Step(run=run, size=size, counted=True))
        if much:
            self._hurry.set()
        return True

    def note(self, run: Callable[[index.Index], Freed | None]) -> None:
        """Queue something small, which may get lost."""
        if self._thread is not None and self._queue.qsize() < SMALL_STEPS_MAX:
            self._queue.put(Step(run=lambda db: run(db) or []))

    def add(self, step: Step) -> None:
        """Queue a step for which somebody waits: what is gathered is written now."""
        self._queue.put(step)
        self._hurry.set()

    def failed(self, error: Exception) -> None:
        """Count a fault of the disk, and say so in the log, not too often."""
        self.counts["disk_errors"] += 1
        self._error = f"{type(error).__name__}: {error}"
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS_MIN:
            self._logged = now
            _log.warning("The disk cache failed; serving on without storing: %s", self._error)

    def _write_all(self, db: index.Index) -> None:
        try:
            while True:
                try:
                    steps = [self._queue.get(timeout=IDLE_SECONDS)]
                except queue.Empty:
                    self._guarded(lambda: self._sweep_orphans(db))
                    self._guarded(lambda: self._remember(db, PRESENCE_ROWS))
                    continue
                self._hurry.wait(self._gather_seconds)
                self._hurry.clear()
                self._gather_seconds = GATHER_SECONDS
                while len(steps) < BATCH_STEPS_MAX and steps[-1] is not None:
                    try:
                        steps.append(self._queue.get_nowait())
                    except queue.Empty:
                        break
                if len(steps) == BATCH_STEPS_MAX:
                    self._hurry.set()  # what is left has been gathered, and somebody may wait
                batch = [step for step in steps if step is not None]
                if batch and not self._perform(db, batch) and len(batch) > 1:
                    for step in batch:
                        self._perform(db, [step])
                self._guarded(lambda: self._evict(db))
                self._bytes, self.objects = db.bytes, db.count
                for step in batch:
                    self._settle(step)
                if steps[-1] is None:
                    self._guarded(lambda: self._remember(db, 1))
                    return
        finally:
            db.close()

    def _perform(self, db: index.Index, batch: list[Step]) -> bool:
        """Do steps in one transaction; False, with nothing changed, when one fails."""
        freed: Freed = []
        try:
            db.begin()
            for step in batch:
                freed += step.run(db)
            db.commit()
        except Exception as error:  # noqa: BLE001 - no fault of one step may end the writer
            self._guarded(db.rollback)
            if len(batch) == 1:
                self.failed(error)
                done = batch[0].done
                if done is not None and not done.done():
                    done.set_exception(error)
            return False
        self._guarded(lambda: self._unlink(db, freed))
        if any(step.counted for step in batch):
            self._error = ""
        return True

    def _settle(self, step: Step) -> None:
        if step.counted:
            with self._lock:
                self._pending -= 1
                self._pending_bytes -= step.size
        step.unsettled = False
        if step.more and not (step.done is not None and step.done.done()):
            self._queue.put(step)
            self._gather_seconds = ROUND_SECONDS
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
            self.counts["disk_evictions"] += count
            if not count:
                return

    def _sweep_orphans(self, db: index.Index) -> None:
        """Remove the files of one folder that no row needs (left by a kill between the two)."""
        for name in self._bodies.old_names(self._sweep_at):
            if not db.needs(name):
                self._bodies.remove(name)
                self.counts["disk_orphans"] += 1
        self._sweep_at = (self._sweep_at + 1) % 256

    def _unlink(self, db: index.Index, freed: Freed) -> None:
        for file in freed:
            if not db.needs(file):
                self._bodies.remove(file)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, sqlite3.Error) as error:
            self.failed(error)

    def _remember(self, db: index.Index, rows: int) -> None:
        """Write down the memory of keys if it has grown by so many rows since."""
        last = db.last
        if not self._presence.complete or sum(last) - sum(self.remembered) < rows:
            return
        aside = self._folder / "aside" / "presence"
        aside.write_bytes(self._presence.dump(last))
        aside.rename(self._folder / "presence")
        self.remembered = last
