"""The log's file: SQLite with a write-ahead log, one transaction for each batch.

What is committed is on the disk (``synchronous=FULL``). Nothing of the log is ever changed or
removed: the tables have triggers against it, so that a slip in code cannot do it either. Several
processes may write to one file; SQLite lets in one after the other. Which hash goes where is for
``tree``. Beside the log, and no part of it, are claims: hashes of what may be used once, which are
written in the transaction of the record that they let in, and forgotten when they have ended.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BUSY_SECONDS = 10
"""How long a writer waits for others before the store counts as down."""
CHECKPOINT_PAGES = 8000
"""Of 4 KiB, until the journal is written back: serials go all over their index, so pages that come
again and again are written once."""
CACHE_KIB = 8192
_LEVEL_SHIFT = 48
"""A subtree's row: its level above, its index below."""
_ROWS_AT_ONCE = 1000
_CLAIMS_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (origin TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS nodes (place INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS heads (
    number INTEGER PRIMARY KEY, size INTEGER NOT NULL, line TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS claims (
    hash BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (until INTEGER NOT NULL) STRICT;
"""
Claim = tuple[bytes, int]
"""A hash of what may be used once, and when that ends by itself, in seconds since the epoch."""
_GUARD = """
CREATE TRIGGER IF NOT EXISTS {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""


class StoreError(Exception):
    """The log's file cannot be read or written. What was being issued must not be issued."""


class Store:
    """One connection to the file. Not for several threads at once, nor across a fork."""

    def __init__(self, path: Path, origin: str) -> None:
        """Open the file, or make it (0600).

        Raises:
            StoreError: it cannot be opened, or it is the log of another origin.
        """
        with _translated():
            _made(path)
            self._sql = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._sql.execute("PRAGMA journal_mode=WAL")
            self._sql.execute("PRAGMA synchronous=FULL")
            self._sql.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._sql.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            with self.writing():
                self._prepare(origin)

    def _prepare(self, origin: str) -> None:
        guards = [
            _GUARD.format(table=table, verb=verb)
            for table in ("log", "records", "nodes", "heads")
            for verb in ("DELETE", "UPDATE")
        ]
        for statement in [*filter(str.strip, _SCHEMA.split(";")), *guards]:
            self._sql.execute(statement)
        found = self._sql.execute("SELECT origin FROM log").fetchone()
        if found is None:
            self._sql.execute("INSERT INTO log VALUES (?)", (origin,))
        elif found[0] != origin:
            raise StoreError(f"The audit log is that of {found[0]!r}, not of {origin!r}.")

    def close(self) -> None:
        """Nothing is lost: what was committed is on the disk."""
        self._sql.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, durable at its end; nothing of it remains after an error.

        Raises:
            StoreError: the disk is full, the file is gone, others write for too long.
        """
        with _translated():
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise

    def size(self) -> int:
        """How many records there are."""
        with _translated():
            found = self._sql.execute("SELECT max(number) FROM records").fetchone()[0]
        return 0 if found is None else int(found) + 1

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree (`transparency.tree.Nodes`)."""
        place = level << _LEVEL_SHIFT | index
        with _translated():
            row = self._sql.execute("SELECT hash FROM nodes WHERE place = ?", (place,)).fetchone()
        if row is None:
            raise StoreError(f"The audit log is damaged: subtree {index} of level {level} is gone.")
        return bytes(row[0])

    def record(self, number: int) -> bytes:
        """A record's bytes. Raises StoreError when there is none of this number."""
        with _translated():
            row = self._sql.execute(
                "SELECT body FROM records WHERE number = ?", (number,)
            ).fetchone()
        if row is None:
            raise StoreError(f"The audit log has no record {number}.")
        return bytes(row[0])

    def number_of(self, serial: int) -> int | None:
        """Which record has this serial."""
        with _translated():
            row = self._sql.execute(
                "SELECT number FROM records WHERE serial = ?", (serial.to_bytes(8, "big"),)
            ).fetchone()
        return None if row is None else int(row[0])

    def records(self, begin: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
        """(number, body, hash of the leaf) of these records, a thousand in memory at a time."""
        for start in range(begin, end, _ROWS_AT_ONCE):
            with _translated():
                rows = self._sql.execute(
                    "SELECT number, body, hash FROM records JOIN nodes ON place = number"
                    " WHERE number >= ? AND number < ? ORDER BY number",
                    (start, min(start + _ROWS_AT_ONCE, end)),
                ).fetchall()
            yield from rows

    def heads(self) -> list[str]:
        """Every head's line, in the order of signing."""
        with _translated():
            rows = self._sql.execute("SELECT line FROM heads ORDER BY number").fetchall()
        return [row[0] for row in rows]

    def last_head(self) -> str | None:
        """The line of the head that was signed last."""
        with _translated():
            row = self._sql.execute(
                "SELECT line FROM heads ORDER BY number DESC LIMIT 1"
            ).fetchone()
        return None if row is None else str(row[0])

    def put_record(self, number: int, serial: int, body: bytes) -> bool:
        """Whether the serial was free; within `writing`."""
        done = self._sql.execute(
            "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (serial) DO NOTHING",
            (number, serial.to_bytes(8, "big"), body),
        )
        return done.rowcount == 1

    def put_records(self, rows: Sequence[tuple[int, int, bytes]]) -> bool:
        """Whether all serials were free; if not, nothing is kept; within `writing`."""
        self._sql.execute("SAVEPOINT together")
        done = self._sql.executemany(
            "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (serial) DO NOTHING",
            [(number, serial.to_bytes(8, "big"), body) for number, serial, body in rows],
        )
        if done.rowcount != len(rows):
            self._sql.execute("ROLLBACK TO together")
        self._sql.execute("RELEASE together")
        return done.rowcount == len(rows)

    def put_nodes(self, nodes: list[tuple[int, int, bytes]]) -> None:
        """(level, index, hash) of subtrees that are complete now; within `writing`."""
        self._sql.executemany(
            "INSERT INTO nodes VALUES (?, ?)",
            [(level << _LEVEL_SHIFT | index, found) for level, index, found in nodes],
        )

    def put_head(self, size: int, line: str) -> None:
        """Within `writing`."""
        self._sql.execute("INSERT INTO heads (size, line) VALUES (?, ?)", (size, line))

    def forgotten(self) -> int:
        """Claims that ended before this are not known any more, in seconds since the epoch."""
        with _translated():
            return int(self._sql.execute("SELECT max(until) FROM forgotten").fetchone()[0] or 0)

    def claimed(self, claims: Sequence[Claim]) -> bool:
        """Whether somebody has one of them."""
        for start in range(0, len(claims), _CLAIMS_AT_ONCE):
            part = [claim[0] for claim in claims[start : start + _CLAIMS_AT_ONCE]]
            marks = ",".join("?" * len(part))
            with _translated():
                found = self._sql.execute(
                    f"SELECT 1 FROM claims WHERE hash IN ({marks}) LIMIT 1",  # noqa: S608
                    part,
                ).fetchone()
            if found is not None:
                return True
        return False

    def put_claims(self, claims: Sequence[Claim]) -> None:
        """Within `writing`; they must be free."""
        self._sql.executemany("INSERT INTO claims VALUES (?, ?)", claims)

    def forget(self, until: int) -> None:
        """Forget claims that ended before this; within `writing`."""
        self._sql.execute("DELETE FROM claims WHERE until < ?", (until,))
        self._sql.execute("DELETE FROM forgotten")
        self._sql.execute("INSERT INTO forgotten VALUES (?)", (until,))


def _made(path: Path) -> None:
    """Make the file unless it is there; its name is on the disk too, not only what is in it."""
    if path.exists():
        return
    path.touch(mode=0o600)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The audit log cannot be used ({error}), so nothing is issued:"
            " see to its disk, and ask again."
        ) from error
