"""The disk tier's index: one SQLite file that says which body answers which key. Blocking.

One connection writes (the writer thread's), others only read. Readers and the writer do not stop
each other (WAL). Bodies are not here, nor is any thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynimo.edge import key as keys
from dynimo.edge import purge
from dynimo.edge.stored import Stored

BUSY_SECONDS = 5.0
ROW_BYTES = 1024
"""What a row and a file's last half-filled block count for, beside the body."""

KEYS_PAGE = 5_000
FORWARDS_MAX = 1_000_000
_LAST = "\U0010ffff"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, selecting TEXT NOT NULL, target TEXT NOT NULL,
  file TEXT NOT NULL, length INTEGER NOT NULL, cost INTEGER NOT NULL, used REAL NOT NULL,
  meta TEXT NOT NULL, UNIQUE (key, selecting));
CREATE INDEX IF NOT EXISTS objects_target ON objects (target);
CREATE INDEX IF NOT EXISTS objects_used ON objects (used);
CREATE INDEX IF NOT EXISTS objects_file ON objects (file);
CREATE TABLE IF NOT EXISTS forwards (
  key TEXT NOT NULL, target TEXT NOT NULL, forward TEXT NOT NULL, PRIMARY KEY (key, forward));
CREATE INDEX IF NOT EXISTS forwards_target ON forwards (target);
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO totals VALUES (1, 0);
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
    meta: dict[str, object]

    def stored(self, body: bytes) -> Stored:
        """Return the object with its body."""
        meta = dict(self.meta)
        headers = meta.pop("headers")
        assert isinstance(headers, list)
        return Stored(
            key=self.key, names=self.names, values=self.values, body=body,
            headers=tuple((str(name), str(value)) for name, value in headers), **meta,  # type: ignore[arg-type]
        )  # fmt: skip


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
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def find(connection: sqlite3.Connection, key: str, headers: Mapping[str, str]) -> Row | None:
    """Return the newest object that a request with these headers selects."""
    rows = connection.execute(
        "SELECT id, file, length, selecting, meta FROM objects WHERE key = ? ORDER BY id DESC",
        (key,),
    ).fetchall()
    for identity, file, length, selecting, meta in rows:
        names, values = (tuple(part) for part in json.loads(selecting))
        if keys.variant(names, headers) == values:
            return Row(
                id=identity, file=file, length=length, key=key, names=names, values=values,
                meta=json.loads(meta),
            )  # fmt: skip
    return None


def every_key(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the keys of all objects, a page at a time, so that no transaction stays open."""
    last = 0
    while True:
        rows = connection.execute(
            "SELECT id, key FROM objects WHERE id > ? ORDER BY id LIMIT ?", (last, KEYS_PAGE)
        ).fetchall()
        yield from (key for _, key in rows)
        if len(rows) < KEYS_PAGE:
            return
        last = rows[-1][0]


class Index:
    """The writing side. Every method is one step inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(_SCHEMA)
        self.bytes = self._total()

    def begin(self) -> None:
        """Start a transaction, undoing one that was left unfinished."""
        self.rollback()
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the transaction last."""
        self._db.execute("UPDATE totals SET bytes = ? WHERE id = 1", (self.bytes,))
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
            self.bytes = self._total()

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
        self._db.execute(
            "INSERT INTO objects (key, selecting, target, file, length, cost, used, meta)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.key, selecting, purge.target_of(entry.key), file, len(entry.body), cost, now,
                json.dumps(meta, separators=(",", ":")),
            ),
        )  # fmt: skip
        self.bytes += cost
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

    def touch(self, key: str, now: float) -> None:
        """Note that the objects of a key are in use."""
        self._db.execute("UPDATE objects SET used = ? WHERE key = ?", (now, key))

    def forward(self, key: str, forward: str) -> None:
        """Remember that a key's decision named this internal target, for purges."""
        self._db.execute(
            "INSERT OR IGNORE INTO forwards VALUES (?, ?, ?)",
            (key, purge.target_of(key), forward),
        )

    def trim_forwards(self) -> None:
        """Drop what no stored object needs, oldest first, above the limit."""
        self._db.execute(
            "DELETE FROM forwards WHERE rowid <= (SELECT max(rowid) FROM forwards) - ?",
            (FORWARDS_MAX,),
        )

    def purge(self, selector: purge.Selector) -> tuple[list[str], list[str]]:
        """Remove what a selector takes, and what its decisions led to.

        Returns the keys removed and the files freed.
        """
        where, arguments = _where(selector)
        led = self._db.execute(f"SELECT forward FROM forwards WHERE {where}", arguments).fetchall()  # noqa: S608 - built from constants
        self._db.execute(f"DELETE FROM forwards WHERE {where}", arguments)  # noqa: S608 - as above
        gone = self._keys(where, arguments)
        freed = self._delete(where, arguments)
        for (forward,) in led:
            key = keys.internal(forward)
            gone += self._keys("key = ?", (key,)) or [key]
            freed += self._delete("key = ?", (key,))
        return gone, freed

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

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM objects").fetchone()[0])

    def _keys(self, where: str, arguments: tuple[object, ...]) -> list[str]:
        query = f"SELECT key FROM objects WHERE {where}"  # noqa: S608 - built from constants
        return [key for (key,) in self._db.execute(query, arguments)]

    def _delete(self, where: str, arguments: Iterable[object]) -> list[str]:
        query = f"DELETE FROM objects WHERE {where} RETURNING file, cost"  # noqa: S608 - constants
        rows = self._db.execute(query, tuple(arguments)).fetchall()
        self.bytes -= sum(cost for _, cost in rows)
        return [file for file, _ in rows]

    def _total(self) -> int:
        return int(self._db.execute("SELECT bytes FROM totals WHERE id = 1").fetchone()[0])


def _where(selector: purge.Selector) -> tuple[str, tuple[object, ...]]:
    column = "target" if selector.any_host else "key"
    if selector.prefix:
        return f"{column} >= ? AND {column} < ?", (selector.text, selector.text + _LAST)
    return f"{column} = ?", (selector.text,)
