"""The ledger: use by function, version, alias and hour in one SQLite file, and how far it goes.

What is added and the journal's offset up to which it was read change in the same transaction: so
whenever the process ends, each entry is in the ledger once or will be.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from dynimo.metering.use import NAMES, Row, Use

FILE = "usage.sqlite"
_HOURS_PER_DAY = 24
_SCHEMA = f"""
create table if not exists used (
    arn text not null, version text not null, alias text not null, hour integer not null,
    {", ".join(f"{name} integer not null" for name in NAMES)},
    primary key (arn, version, alias, hour)
) strict, without rowid;
create index if not exists used_by_hour on used (hour);
create table if not exists folded (
    one integer primary key check (one = 1), journal integer not null, offset integer not null
) strict;
"""
_SUMS = ", ".join(f"max({name})" if name == "rss_kib" else f"sum({name})" for name in NAMES)
_ADD = f"""
insert into used values ({", ".join("?" * (4 + len(NAMES)))})
on conflict do update set {
    ", ".join(
        f"{name} = max({name}, excluded.{name})"
        if name == "rss_kib"
        else f"{name} = {name} + excluded.{name}"
        for name in NAMES
    )
}
"""  # noqa: S608 - our own names


class Ledger:
    """The file, open for one user at a time."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """Open it, or make it.

        Raises:
            sqlite3.Error: it cannot be used.
        """
        file = folder / FILE
        if writable:
            self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
            self._database.executescript(_SCHEMA)
        else:
            uri = f"{file.absolute().as_uri()}?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, isolation_level=None)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def folded(self) -> tuple[int, int]:
        """(file, offset) of the journal up to which everything is in here."""
        row = self._database.execute("select journal, offset from folded").fetchone()
        return (row[0], row[1]) if row is not None else (1, 0)

    def add(self, taken: Mapping[Row, Use], folded: tuple[int, int]) -> None:
        """Add use, and note how far the journal was read: both or neither.

        Raises:
            sqlite3.Error: the disk refused; nothing changed.
        """
        rows = [(*row, *(getattr(use, name) for name in NAMES)) for row, use in taken.items()]
        self._database.execute("begin immediate")
        try:
            self._database.executemany(_ADD, rows)
            self._database.execute("insert or replace into folded values (1, ?, ?)", folded)
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise

    def rows(self, since_hour: int) -> Iterator[tuple[Row, Use]]:
        """Yield what was used from an hour on."""
        for values in self._database.execute("select * from used where hour >= ?", (since_hour,)):
            yield Row(*values[:4]), Use(**dict(zip(NAMES, values[4:], strict=True)))

    def snapshot(self, since_hour: int) -> tuple[list[tuple[Row, Use]], tuple[int, int]]:
        """Rows and how far they go, of one moment."""
        self._database.execute("begin")
        try:
            return list(self.rows(since_hour)), self.folded()
        finally:
            self._database.execute("commit")

    def compact(self, *, by_day_before: int, drop_before: int) -> None:
        """Sum hours before one up to days, and forget those before another (hours since the epoch).

        Raises:
            sqlite3.Error: the disk refused; nothing changed.
        """
        before = by_day_before // _HOURS_PER_DAY * _HOURS_PER_DAY
        day = f"hour / {_HOURS_PER_DAY} * {_HOURS_PER_DAY}"
        self._database.execute("begin immediate")
        try:
            self._database.execute("delete from used where hour < ?", (drop_before,))
            self._database.execute(
                f"create temp table days as select arn, version, alias, {day} as hour, {_SUMS}"  # noqa: S608
                " from used where hour < ? group by 1, 2, 3, 4",
                (before,),
            )
            self._database.execute("delete from used where hour < ?", (before,))
            self._database.execute("insert into used select * from days")
            self._database.execute("drop table days")
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise
