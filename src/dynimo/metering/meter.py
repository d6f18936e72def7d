"""The meter: ``ports.Meter``. What it is told is in the journal at once, in the ledger soon after.

``record`` is one small write; a thread reads the journal and adds up what came. Nothing is counted
twice or lost by a crash, because the ledger says itself how far it has read.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dynimo.metering import folding, journal
from dynimo.metering.config import Config
from dynimo.metering.folding import Folding
from dynimo.metering.journal import Journal
from dynimo.metering.ledger import Ledger
from dynimo.metering.use import HOUR_MS
from dynimo.ports import Usage

log = logging.getLogger("dynimo.metering")

FOLDER = "metering"
FOLD_ENTRIES_MAX = 20_000
"""Entries that one transaction takes in."""

UNWRITTEN_MAX = 10_000
"""Entries kept in memory while the disk refuses; more are lost, and counted."""

HELD_MAX = 10_000
COMPACT_SECONDS = 86_400.0
TELL_SECONDS_MIN = 60.0


class Meter:
    """Counts usage in a folder of its own. ``open`` it before use."""

    def __init__(self, folder: Path, config: Config, now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.recorded = 0
        self.lost = 0
        self._config = config
        self._now = now
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._ledger: Ledger | None = None
        self._folding = Folding()
        self._folded = (1, 0)
        self._unwritten: list[tuple[object, ...]] = []
        self._held: dict[tuple[str, str], float] = {}
        self._compacted = -COMPACT_SECONDS
        self._told = -TELL_SECONDS_MIN
        self._stop = threading.Event()
        self._folder_thread: threading.Thread | None = None

    def open(self) -> None:
        """Open journal and ledger, and start to count.

        Raises:
            OSError, sqlite3.Error: the folder cannot be used.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(self.folder)
        self._folded = self._ledger.folded()
        self._journal = Journal(self.folder, self._config.journal_bytes, self._folded)
        self._remember()
        self._folder_thread = threading.Thread(target=self._run, name="meter-fold", daemon=True)
        self._folder_thread.start()

    async def close(self) -> None:
        """Count what is in the journal, then stop."""
        if self._folder_thread is None:
            return
        self._stop.set()
        await asyncio.get_running_loop().run_in_executor(None, self._folder_thread.join)
        self._folder_thread = None
        with self._lock:
            written, self._journal = self._journal, None
        if written is not None:
            written.close()
        if self._ledger is not None:
            self._ledger.close()

    def record(self, usage: Usage) -> None:
        """Count one invocation; on return it survives the end of this process."""
        self.recorded += 1
        self._append(folding.entry(usage))

    def held(self, arn: str, version: str, *, mib_seconds: float) -> None:
        """Memory that environments of this version kept while idle; journalled a little later."""
        with self._lock:
            key = (arn, version)
            self._held[key] = self._held.get(key, 0.0) + mib_seconds
            full = len(self._held) >= HELD_MAX
        if full:
            self._write_held()

    def statistics(self) -> dict[str, int]:
        """Counts since the start."""
        return {
            "usage_recorded": self.recorded,
            "usage_lost": self.lost,
            "usage_repeated": self._folding.repeated,
        }

    def _append(self, entry: tuple[object, ...]) -> None:
        with self._lock:
            if self._journal is None:
                self._keep(entry)
                return
            try:
                if self._unwritten:
                    self._catch_up(self._journal)
                self._journal.append(entry)
            except OSError as error:
                self._keep(entry)
                self._complain(error)

    def _catch_up(self, written: Journal) -> None:
        while self._unwritten:
            written.append(self._unwritten[0])
            self._unwritten.pop(0)

    def _keep(self, entry: tuple[object, ...]) -> None:
        if len(self._unwritten) < UNWRITTEN_MAX:
            self._unwritten.append(entry)
        else:
            self.lost += 1

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._told >= TELL_SECONDS_MIN:
            self._told = time.monotonic()
            log.warning("usage cannot be written to %s: %s", self.folder, error)

    # The thread that counts.

    def _run(self) -> None:
        while True:
            stopping = self._stop.wait(self._config.fold_seconds)
            try:
                self._write_held()
                while self._fold():
                    pass
                self._compact()
            except (OSError, sqlite3.Error) as error:
                self._complain(error)  # what was not counted is in the journal, and tried again
            if stopping:
                return

    def _write_held(self) -> None:
        with self._lock:
            held, self._held = self._held, {}
        now_ms = int(self._now() * 1000)
        for (arn, version), mib_seconds in held.items():
            self._append(folding.held_entry(arn, version, now_ms, mib_seconds))

    def _remember(self) -> None:
        """Know again what was counted before, as far as the window goes."""
        number, offset = self._folded
        for each in journal.files(self.folder):
            if number - folding.WINDOW_FILES < each <= number:
                end = offset if each == number else journal.path(self.folder, each).stat().st_size
                for _, entry in journal.entries(self.folder, each, 0, end):
                    self._folding.remember(each, entry)

    def _fold(self) -> bool:
        """Count a bounded part of the journal; whether there may be more."""
        assert self._journal is not None
        assert self._ledger is not None
        with self._lock:
            newest, size = self._journal.number, self._journal.size
        number, offset = self._folded
        path = journal.path(self.folder, number)
        end = size if number == newest else path.stat().st_size if path.exists() else 0
        if offset >= end:
            if number >= newest:
                return False
            self._folded = (number + 1, 0)
            self._forget(number + 1)
            return True
        self._folding.taken = {}
        count = 0
        for after, entry in journal.entries(self.folder, number, offset, end):
            self._folding.fold(number, entry)
            offset, count = after, count + 1
            if count >= FOLD_ENTRIES_MAX:
                break
            if count % 1000 == 0:
                time.sleep(0)  # the event loop's thread comes first
        else:
            offset = end
        self._commit((number, offset))
        return True

    def _commit(self, folded: tuple[int, int]) -> None:
        """Make it last. If that fails, the same entries are read again, and known again."""
        assert self._ledger is not None
        try:
            self._ledger.add(self._folding.taken, folded)
        except sqlite3.Error:
            self._folding = Folding()
            self._remember()
            raise
        self._folded = folded

    def _forget(self, number: int) -> None:
        """Remove files that are counted and no longer needed to know repetitions."""
        self._folding.forget(number)
        for each in journal.files(self.folder):
            if each <= number - folding.WINDOW_FILES:
                journal.path(self.folder, each).unlink(missing_ok=True)

    def _compact(self) -> None:
        if time.monotonic() - self._compacted < COMPACT_SECONDS or self._ledger is None:
            return
        self._compacted = time.monotonic()
        hour = int(self._now() * 1000) // HOUR_MS
        self._ledger.compact(
            by_day_before=hour - self._config.hours_kept_days * 24,
            drop_before=hour - self._config.retention_days * 24,
        )
