"""What a purge takes from the index, in steps small enough that writing goes on between. Blocking.

Here are the only questions that are asked about many rows at once. Each step is one batch inside
the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from dynimo.edge import key as keys
from dynimo.edge.purge import Purge, Selector

BATCH_ROWS = 1000
_LAST = "\U0010ffff"


class Swept(NamedTuple):
    """What one step took: keys, the files they no longer need, and bytes of the budget."""

    keys: list[str]
    files: list[str]
    bytes: int = 0


def where(selector: Selector) -> tuple[str, tuple[object, ...]]:
    """Return the condition for what a selector takes among objects (or forwards), by an index."""
    if selector.tag:
        return "id IN (SELECT object FROM tags WHERE tag = ?)", (selector.text,)
    if selector.everything:
        return "1", ()
    column = "target" if selector.any_host else "key"
    if selector.prefix:
        return f"{column} >= ? AND {column} < ?", (selector.text, selector.text + _LAST)
    return f"{column} = ?", (selector.text,)


def taken_keys(connection: sqlite3.Connection, selector: Selector, limit: int) -> set[str]:
    """Return the keys that a selector takes, what their decisions led to included; a few."""
    condition, arguments = where(selector)
    query = f"SELECT key FROM objects WHERE {condition} LIMIT ?"  # noqa: S608 - from constants
    rows = connection.execute(query, (*arguments, limit))
    found = {key for (key,) in rows}
    if not selector.everything:
        for batch in _forwards(connection, selector, limit):
            for forward in batch:
                key = keys.internal(forward)
                if connection.execute("SELECT 1 FROM objects WHERE key = ?", (key,)).fetchone():
                    found.add(key)
            break
    return found


def steps(connection: sqlite3.Connection, purge: Purge) -> Iterator[Swept]:
    """Take what a purge takes: what it names, then what the decisions it names led to.

    Rows stored after the purge stay. A soft purge leaves the rows, stale since the purge.
    """
    condition, arguments = where(purge.selector)
    yield from _repeated(connection, purge, condition, arguments)
    if purge.selector.everything:
        return  # that was all there is
    for forwards in _forwards(connection, purge.selector, BATCH_ROWS):
        for forward in forwards:
            yield from _repeated(connection, purge, "key = ?", (keys.internal(forward),))


def _repeated(
    connection: sqlite3.Connection, purge: Purge, condition: str, arguments: tuple[object, ...]
) -> Iterator[Swept]:
    """Take what a condition names, a batch at a time, until there is no more."""
    while True:
        swept = _taken(connection, purge, condition, arguments)
        if swept.keys:
            yield swept
        if len(swept.keys) < BATCH_ROWS:
            return


def _taken(
    connection: sqlite3.Connection, purge: Purge, condition: str, arguments: tuple[object, ...]
) -> Swept:
    soft = " AND cut = 0" if purge.selector.soft else ""
    among = f"id IN (SELECT id FROM objects WHERE {condition} AND stamp < ?{soft} LIMIT ?)"  # noqa: S608 - from constants
    chosen = (*arguments, purge.number, BATCH_ROWS)
    if soft:
        query = f"UPDATE objects SET cut = ? WHERE {among} RETURNING key"  # noqa: S608 - as above
        rows = connection.execute(query, (purge.at, *chosen)).fetchall()
        return Swept([key for (key,) in rows], [])
    query = f"DELETE FROM objects WHERE {among} RETURNING key, file, cost"  # noqa: S608 - as above
    rows = connection.execute(query, chosen).fetchall()
    return Swept(
        [key for key, _, _ in rows], [file for _, file, _ in rows], sum(cost for *_, cost in rows)
    )


def _forwards(
    connection: sqlite3.Connection, selector: Selector, limit: int
) -> Iterator[list[str]]:
    """Yield where decisions led that a selector takes, in batches, in the order of an index."""
    table, column = "forwards", "target" if selector.any_host else "key"
    condition, arguments = where(selector)
    if selector.tag:
        table, column, condition = "tagged_forwards", "tag", "tag = ?"
    query = (
        f"SELECT {column}, forward FROM {table} WHERE {condition}"  # noqa: S608 - from constants
        f" AND ({column}, forward) > (?, ?) ORDER BY {column}, forward LIMIT ?"
    )
    last: tuple[str, str] = ("", "")
    while True:
        rows = connection.execute(query, (*arguments, *last, limit)).fetchall()
        if rows:
            yield [forward for _, forward in rows]
        if len(rows) < limit:
            return
        last = rows[-1]
