"""The disk tier's index: one SQLite file that says which body answers which key. Blocking.

One connection writes (the writer thread's), others only read. Readers and the writer do not stop
each other (WAL). Bodies are not here, nor is any thread; what a purge takes is in ``sweep``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynimo.edge import key as keys
from dynimo.edge import purge, sweep
from dynimo.edge.stored import Stored

BUSY_SECONDS = 5.0
ROW_BYTES = 1024
"""What a row and a file's last half-filled block count for, beside the body."""

GROUP_TAG = "\n"
"""Begins the tag under which a group's members are found; no tag that an answer says has it."""

CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB in the log before they go to their places: each time that forces the disk."""

KEYS_PAGE = 250
FORWARDS_MAX = 1_000_000
VERSION = 2
"""Of the tables below. An index of another version begins anew."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, selecting TEXT NOT NULL,
  target TEXT NOT NULL, file TEXT NOT NULL, length INTEGER NOT NULL, cost INTEGER NOT NULL,
  used REAL NOT NULL, hits INTEGER NOT NULL, stamp INTEGER NOT NULL, cut REAL NOT NULL,
  tagged INTEGER NOT NULL, meta TEXT NOT NULL, UNIQUE (key, selecting));
CREATE INDEX IF NOT EXISTS objects_target ON objects (target);
CREATE INDEX IF NOT EXISTS objects_used ON objects (used);
CREATE INDEX IF NOT EXISTS objects_file ON objects (file);
CREATE TABLE IF NOT EXISTS tags (
  tag TEXT NOT NULL, object INTEGER NOT NULL, PRIMARY KEY (tag, object)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_object ON tags (object);
CREATE TABLE IF NOT EXISTS forwards (
  key TEXT NOT NULL, target TEXT NOT NULL, forward TEXT NOT NULL, PRIMARY KEY (key, forward));
CREATE INDEX IF NOT EXISTS forwards_target ON forwards (target, forward);
CREATE TABLE IF NOT EXISTS tagged_forwards (
  tag TEXT NOT NULL, forward TEXT NOT NULL, PRIMARY KEY (tag, forward));
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL,
  count INTEGER NOT NULL);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
CREATE TRIGGER IF NOT EXISTS objects_untag AFTER DELETE ON objects WHEN OLD.tagged BEGIN
  DELETE FROM tags WHERE object = OLD.id; END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object as the index knows it: everything but the body."""

    id: int
    file: str
    length: int
    key: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    hits: int
    stamp: int
    cut: float
    meta: dict[str, object]

    def stored(self, body: bytes) -> Stored:
        """Return the object with its body; stale since a soft purge, if there was one."""
        meta = dict(self.meta)
        headers = meta.pop("headers")
        assert isinstance(headers, list)
        made = Stored(
            key=self.key, names=self.names, values=self.values, body=body,
            uses=self.hits, told=self.hits, stamp=self.stamp,
            headers=tuple((str(name), str(value)) for name, value in headers), **meta,  # type: ignore[arg-type]
        )  # fmt: skip
        if self.cut:
            made.cut(self.cut)
        return made


def connect(path: Path) -> sqlite3.Connection:
    """Open the index, making it if need be.

    Raises:
        sqlite3.Error: it cannot be opened, or is no database.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class OtherVersion(sqlite3.DatabaseError):
    """The index was made by another version of this file."""


_COLUMNS = "id, file, length, key, selecting, hits, stamp, cut, meta"


def _row(columns: tuple[Any, ...]) -> Row:
    identity, file, length, key, selecting, hits, stamp, cut, meta = columns
    names, values = (tuple(part) for part in json.loads(selecting))
    return Row(
        id=identity, file=file, length=length, key=key, names=names, values=values, hits=hits,
        stamp=stamp, cut=cut, meta=json.loads(meta),
    )  # fmt: skip


def find(connection: sqlite3.Connection, key: str, headers: Mapping[str, str]) -> Row | None:
    """Return the newest object that a request with these headers selects."""
    query = f"SELECT {_COLUMNS} FROM objects WHERE key = ? ORDER BY id DESC"  # noqa: S608 - constants
    rows = connection.execute(query, (key,)).fetchall()
    for row in map(_row, rows):
        if keys.variant(row.names, headers) == row.values:
            return row
    return None


def find_all(connection: sqlite3.Connection, selector: purge.Selector, limit: int) -> list[Row]:
    """Return the objects that a selector takes, at most so many."""
    where = sweep.found(selector)
    query = f"SELECT {_COLUMNS} FROM {where.rows} WHERE {where.condition} LIMIT ?"  # noqa: S608 - constants
    return [_row(row) for row in connection.execute(query, (*where.arguments, limit))]


def members(connection: sqlite3.Connection, group: str, limit: int) -> list[Row]:
    """Return the objects of a group, at most so many, the newest first."""
    query = (
        f"SELECT {_COLUMNS} FROM objects WHERE id IN (SELECT object FROM tags WHERE tag = ?"  # noqa: S608 - constants
        " ORDER BY object DESC LIMIT ?)"
    )
    return [_row(row) for row in connection.execute(query, (GROUP_TAG + group, limit))]


def most_hit(connection: sqlite3.Connection, limit: int) -> list[Row]:
    """Return the objects that were asked for most, as far as the index was told."""
    query = f"SELECT {_COLUMNS} FROM objects ORDER BY hits DESC LIMIT ?"  # noqa: S608 - constants
    return [_row(row) for row in connection.execute(query, (limit,))]


def keys_since(connection: sqlite3.Connection, table: str, last: int) -> Iterator[list[str]]:
    """Yield keys of later objects (or forwards), a page at a time: no transaction stays open."""
    query = f"SELECT rowid, key FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608 - constants
    while True:
        rows = connection.execute(query, (last, KEYS_PAGE)).fetchall()
        yield [key for _, key in rows]
        if len(rows) < KEYS_PAGE:
            return
        last = rows[-1][0]


class Index:
    """The writing side. Every method is one step inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            connection.close()
            raise OtherVersion(f"it is of version {version}, not {VERSION}")
        self._db.executescript(_SCHEMA + f"PRAGMA user_version = {VERSION};")
        self.bytes, self.count = self._totals()

    def begin(self) -> None:
        """Start a transaction, undoing one that was left unfinished."""
        self.rollback()
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the transaction last."""
        self._db.execute(
            "UPDATE totals SET bytes = ?, count = ? WHERE id = 1", (self.bytes, self.count)
        )
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
            self.bytes, self.count = self._totals()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put(self, entry: Stored, file: str, now: float, variants_max: int) -> list[str]:
        """Insert or replace an object; return the files that it no longer needs."""
        selecting = json.dumps([entry.names, entry.values])
        freed = self._delete("key = ? AND selecting = ?", (entry.key, selecting))
        meta = {
            "status": entry.status, "headers": entry.headers, "born": entry.born,
            "lifetime": entry.lifetime, "stale_if_error": entry.stale_if_error,
            "stale_while_revalidate": entry.stale_while_revalidate,
        }  # fmt: skip
        cost = len(entry.body) + ROW_BYTES
        tags = (*entry.tags, GROUP_TAG + entry.group) if entry.group else entry.tags
        made = self._db.execute(
            "INSERT INTO objects (key, selecting, target, file, length, cost, used, hits, stamp,"
            " cut, tagged, meta) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (
                entry.key, selecting, purge.target_of(entry.key), file, len(entry.body), cost, now,
                entry.uses, entry.stamp, bool(tags), json.dumps(meta, separators=(",", ":")),
            ),
        )  # fmt: skip
        self.bytes += cost
        self.count += 1
        if tags:
            rows = [(tag, made.lastrowid) for tag in tags]
            self._db.executemany("INSERT INTO tags VALUES (?, ?)", rows)
        freed += self._delete(
            "id IN (SELECT id FROM objects WHERE key = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (entry.key, variants_max),
        )
        return freed

    def drop(self, identity: int) -> list[str]:
        """Remove one object; return the files freed."""
        return self._delete("id = ?", (identity,))

    def discard(self, entry: Stored) -> list[str]:
        """Remove the object with this one's key and variant; return the files freed."""
        selecting = json.dumps([entry.names, entry.values])
        return self._delete("key = ? AND selecting = ?", (entry.key, selecting))

    def touch(self, key: str, now: float, hits: int) -> None:
        """Note that the objects of a key are in use, and how often they were asked for."""
        self._db.execute(
            "UPDATE objects SET used = ?, hits = max(hits, ?) WHERE key = ?", (now, hits, key)
        )

    def forward(self, key: str, forward: str, tags: tuple[str, ...]) -> None:
        """Remember that a key's decision named this internal target, for purges."""
        self._db.execute(
            "INSERT OR IGNORE INTO forwards VALUES (?, ?, ?)",
            (key, purge.target_of(key), forward),
        )
        rows = [(tag, forward) for tag in tags]
        self._db.executemany("INSERT OR IGNORE INTO tagged_forwards VALUES (?, ?)", rows)

    def trim_forwards(self) -> None:
        """Drop what no stored object needs, oldest first, above the limit."""
        for table in ("forwards", "tagged_forwards"):
            oldest = f"(SELECT max(rowid) FROM {table}) - ?"  # noqa: S608 - from constants
            self._db.execute(f"DELETE FROM {table} WHERE rowid <= {oldest}", (FORWARDS_MAX,))  # noqa: S608 - as above

    def sweep(self, taken: purge.Purge) -> Iterator[sweep.Swept]:
        """Take what a purge takes, a batch at each step, each whole in its transaction."""
        for swept in sweep.steps(self._db, taken):
            self.bytes -= swept.bytes
            self.count -= len(swept.files)
            yield swept

    def evict(self, target_bytes: int, batch: int) -> tuple[int, list[str]]:
        """Remove the least recently used until the total is at most this; at most ``batch``."""
        rows = self._db.execute("SELECT id FROM objects ORDER BY used LIMIT ?", (batch,)).fetchall()
        freed: list[str] = []
        count = 0
        for (identity,) in rows:
            if self.bytes <= target_bytes:
                break
            freed += self.drop(identity)
            count += 1
        return count, freed

    def needs(self, file: str) -> bool:
        """Say whether any object has this body."""
        found = self._db.execute("SELECT 1 FROM objects WHERE file = ? LIMIT 1", (file,))
        return found.fetchone() is not None

    @property
    def last(self) -> tuple[int, int]:
        """The highest id of an object that was ever given, and that of a forward there is."""
        given = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'objects'")
        there = self._db.execute("SELECT max(rowid) FROM forwards")
        return int((given.fetchone() or (0,))[0]), int(there.fetchone()[0] or 0)

    def __len__(self) -> int:
        return self.count

    def _delete(self, where: str, arguments: Iterable[object]) -> list[str]:
        query = f"DELETE FROM objects WHERE {where} RETURNING file, cost"  # noqa: S608 - constants
        rows = self._db.execute(query, tuple(arguments)).fetchall()
        self.bytes -= sum(cost for _, cost in rows)
        self.count -= len(rows)
        return [file for file, _ in rows]

    def _totals(self) -> tuple[int, int]:
        found = self._db.execute("SELECT bytes, count FROM totals WHERE id = 1").fetchone()
        return int(found[0]), int(found[1])
