"""What lies in nginx's cache, by key and tag: one SQLite file beside it. Blocking; one thread's.

The files are the truth. nginx writes each answer aside and renames it into one of 4,096 folders,
which changes the time of that folder; a look lists the folders that changed and reads the heads of
files that are new. So nothing is missed, however it came or went, and after any restart.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dynimo.edge.purge import Selector, target_of
from dynimo.nginx import cached

NAME_LENGTH = 32
_NEVER_OLD = 2**62
"""The generation of a file that cannot be understood: only a purge takes it."""

FOLDERS_AT_ONCE = 64
"""Folders in one transaction."""

UNSETTLED_NS = 100_000_000
"""A folder that changed this shortly before a look is looked at again: file systems' clocks tick,
and a change in the same tick would not show."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folders (path TEXT PRIMARY KEY, changed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
  id INTEGER PRIMARY KEY, folder TEXT NOT NULL, name TEXT NOT NULL, inode INTEGER NOT NULL,
  changed INTEGER NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL, generation INTEGER NOT NULL,
  arrived INTEGER NOT NULL, UNIQUE (folder, name));
CREATE INDEX IF NOT EXISTS objects_key ON objects (key);
CREATE INDEX IF NOT EXISTS objects_target ON objects (target);
CREATE INDEX IF NOT EXISTS objects_generation ON objects (generation);
CREATE TABLE IF NOT EXISTS tags (
  tag TEXT NOT NULL, object INTEGER NOT NULL, PRIMARY KEY (tag, object)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_object ON tags (object);
CREATE TRIGGER IF NOT EXISTS objects_untag AFTER DELETE ON objects BEGIN
  DELETE FROM tags WHERE object = OLD.id; END;
"""
_LAST = "\U0010ffff"
_COLUMNS = "id, folder, name, key, generation, arrived"


class Found(NamedTuple):
    """One file of the cache. Of one that cannot be understood the key is empty."""

    id: int
    folder: str
    name: str
    key: str
    generation: int
    arrived: int
    tags: tuple[str, ...] = ()


class Catalogue:
    """Knows the files below ``folder``; remembers them in ``file``."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder = folder
        self._base = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript(_SCHEMA)
        self._seen: dict[str, int] = dict(self._base.execute("SELECT path, changed FROM folders"))
        self.stopping = False
        """Set, from any thread, to end a long look early."""
        self._inside: dict[str, tuple[int, list[str]]] = {}
        self._count: int = self._base.execute("SELECT count(*) FROM objects").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __len__(self) -> int:
        return self._count

    def path(self, found: Found) -> Path:
        """Return where a file lies."""
        return self._folder / found.folder / found.name

    def look(self) -> list[Found]:
        """Take in what changed since the last look; return the files that are new.

        Raises:
            OSError: the cache cannot be read.
        """
        began = time.time_ns()
        found: list[Found] = []
        there, news = {}, []
        for path, changed in self._folders(began):
            there[path] = changed if changed < began - UNSETTLED_NS else 0
            if self._seen.get(path) != changed:
                news.append(path)
        for start in range(0, len(news), FOLDERS_AT_ONCE):
            if self.stopping:
                return found  # the rest is looked at next time
            batch = news[start : start + FOLDERS_AT_ONCE]
            with self._base:
                self._base.execute("BEGIN")
                found += (each for path in batch for each in self._listed(path))
                rows = [(path, there[path]) for path in batch]
                self._base.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?)", rows)
        for path in self._seen.keys() - there.keys():
            gone = self._base.execute("DELETE FROM objects WHERE folder = ?", (path,))
            self._count -= gone.rowcount
            self._base.execute("DELETE FROM folders WHERE path = ?", (path,))
        self._seen = there
        return found

    def taken(self, selector: Selector) -> list[Found]:
        """Return what a selector takes, and the files of which nobody knows what they hold."""
        condition, arguments = _where(selector)
        query = f"SELECT {_COLUMNS} FROM objects WHERE {condition} OR key = ''"  # noqa: S608 - from constants
        return [Found(*row) for row in self._base.execute(query, arguments)]

    def older(self, generation: int, limit: int) -> list[Found]:
        """Return some files of generations before this one."""
        query = f"SELECT {_COLUMNS} FROM objects WHERE generation < ? LIMIT ?"  # noqa: S608 - from constants
        return [Found(*row) for row in self._base.execute(query, (generation, limit))]

    def forget(self, gone: Iterable[Found]) -> None:
        """Forget files that were deleted."""
        with self._base:
            self._base.execute("BEGIN")
            self._drop(each.id for each in gone)

    def _folders(self, began: int) -> Iterator[tuple[str, int]]:
        """Yield each folder with the time of its last change; they are listed when one is added."""
        for first in _entries(str(self._folder)):
            changed = _changed(first.path)
            known, names = self._inside.get(first.name, (-1, []))
            if known != changed:
                names = [each.name for each in _entries(first.path)]
                settled = changed if changed < began - UNSETTLED_NS else 0
                self._inside[first.name] = settled, names
            for name in names:
                at = _changed(f"{first.path}/{name}")
                if at:
                    yield f"{first.name}/{name}", at

    def _listed(self, folder: str) -> Iterator[Found]:
        """Bring what is known of a folder up to what is there; yield what is new."""
        query = "SELECT name, inode, changed, id FROM objects WHERE folder = ?"
        known = {name: rest for name, *rest in self._base.execute(query, (folder,))}
        for entry in _entries(f"{self._folder}/{folder}"):
            if len(entry.name) != NAME_LENGTH:
                continue  # one that is being written
            try:
                state = entry.stat()
                inode, changed = state.st_ino, state.st_mtime_ns
                before = known.pop(entry.name, None)
                if before is not None and before[:2] == [inode, changed]:
                    continue
                held = cached.read(entry.path)
            except FileNotFoundError:
                continue
            if before is not None:
                self._drop([before[2]])
            yield self._added(folder, entry.name, (inode, changed), held)
        self._drop(row[2] for row in known.values())

    def _drop(self, numbers: Iterable[int]) -> None:
        rows = ((number,) for number in numbers)
        self._count -= self._base.executemany("DELETE FROM objects WHERE id = ?", rows).rowcount

    def _added(
        self, folder: str, name: str, state: tuple[int, int], held: cached.Cached | None
    ) -> Found:
        held = held or cached.Cached("", _NEVER_OLD, (), 0)
        row = (folder, name, *state, held.key, target_of(held.key), held.generation, held.arrived)
        query = (
            "INSERT INTO objects (folder, name, inode, changed, key, target, generation, arrived)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        number = self._base.execute(query, row).lastrowid or 0
        self._count += 1
        if held.tags:
            tags = ((tag, number) for tag in held.tags)
            self._base.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", tags)
        return Found(number, folder, name, held.key, held.generation, held.arrived, held.tags)


def _where(selector: Selector) -> tuple[str, tuple[str, ...]]:
    """Return the condition for what a selector takes, by an index."""
    if selector.tag:
        return "id IN (SELECT object FROM tags WHERE tag = ?)", (selector.text,)
    if selector.everything:
        return "1", ()
    column = "target" if selector.any_host else "key"
    if selector.prefix:
        return f"{column} >= ? AND {column} < ?", (selector.text, selector.text + _LAST)
    return f"{column} = ?", (selector.text,)


def _changed(path: str) -> int:
    """Return when a folder last changed; 0 if it is gone. Called 4,096 times a look."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a Path would cost more than the question
    except FileNotFoundError:
        return 0


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
