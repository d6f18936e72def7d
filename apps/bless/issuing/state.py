"""The CA's file ``ca.db``: SQLite, durable at each commit, opened after the fork.

Here are the connections, the schema and its version, and a counter of changes, by which a process
sees that another one changed something. What the tables mean is for the files beside this one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

FILE_NAME = "ca.db"
SCHEMA = 1
BUSY_SECONDS = 5
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE policies (
    version INTEGER PRIMARY KEY, text TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE generations (
    kind TEXT NOT NULL, generation INTEGER NOT NULL, stage TEXT NOT NULL, kms_key TEXT NOT NULL,
    line TEXT NOT NULL, since INTEGER NOT NULL, valid_until INTEGER NOT NULL,
    PRIMARY KEY (kind, generation)) STRICT;
CREATE TABLE revoked (
    what TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (what, value)) STRICT, WITHOUT ROWID;
CREATE TABLE pending (
    id TEXT PRIMARY KEY, asker TEXT NOT NULL, principal TEXT NOT NULL, asked TEXT NOT NULL,
    rule TEXT NOT NULL, needs INTEGER NOT NULL, approvers TEXT NOT NULL, until INTEGER NOT NULL)
    STRICT;
CREATE TABLE approved (
    id TEXT NOT NULL, principal TEXT NOT NULL, arn TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (id, principal)) STRICT;
CREATE TABLE refusals (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, doing TEXT NOT NULL,
    code TEXT NOT NULL, caller TEXT NOT NULL, key TEXT NOT NULL, message TEXT NOT NULL) STRICT;
INSERT INTO meta VALUES ('changes', '0');
"""


class StateError(Exception):
    """The CA's file cannot be read or written, so nothing is issued."""


class State:
    """Two connections: one that writes, one that reads beside it. For any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Open ``ca.db`` in a folder, or make it (0600).

        Raises:
            StateError: it cannot be used, or a newer version of the app wrote it.
        """
        path = folder / FILE_NAME
        self.folder = folder
        self._writing, self._reading = RLock(), RLock()
        with _translated():
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._writer, self._reader = _connected(path), _connected(path)
        if self._schema() != SCHEMA:
            with self.changing(counted=False):
                self._prepare()

    def _schema(self) -> int:
        with _translated():
            return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    def _prepare(self) -> None:
        found = self._schema()
        if found > SCHEMA:
            raise StateError(
                f"{FILE_NAME} is of version {found}, and this app knows {SCHEMA}: use a newer one."
            )
        if found == 0:
            for statement in filter(str.strip, _TABLES.split(";")):
                self._writer.execute(statement)
            self._writer.execute(f"PRAGMA user_version = {SCHEMA}")

    def close(self) -> None:
        """What was committed is on the disk."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    @contextmanager
    def changing(self, *, counted: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction, on the disk at its end; nothing remains of it after an error.

        ``counted`` makes every process read anew what it has in memory.

        Raises:
            StateError: the disk is full, the file is gone, others write for too long.
        """
        with self._writing, _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                if counted:
                    self._writer.execute("UPDATE meta SET value = value + 1 WHERE name = 'changes'")
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a SELECT finds. Raises StateError."""
        with self._reading, _translated():
            return self._reader.execute(statement, values).fetchall()

    def version(self) -> int:
        """Changes with each commit of anybody else on the file; cheap."""
        try:
            with self._reading:
                return int(self._reader.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise _down(error) from error

    def changes(self) -> int:
        """How many counted changes there were."""
        return int(self.meta("changes"))

    def meta(self, name: str) -> str:
        """A value by name; empty when there is none."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""


def put_meta(sql: sqlite3.Connection, name: str, value: str) -> None:
    """Within `State.changing`."""
    sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _connected(path: Path) -> sqlite3.Connection:
    sql = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    sql.execute("PRAGMA journal_mode=WAL")
    sql.execute("PRAGMA synchronous=FULL")
    return sql


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _down(error) from error


def _down(error: Exception) -> StateError:
    return StateError(
        f"The CA's file cannot be used ({error}), so nothing is issued:"
        " see to its disk, and ask again."
    )
