"""What a purge takes from the index, in steps small enough that writing goes on between. Blocking.

Here are the only questions that are asked about many rows at once. Each step is one batch inside
the caller's transaction.
"""

from __future__ import annotations

import json
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


class Found(NamedTuple):
    """How to find what a selector takes, in the order of an index: ``cursor`` rises with it."""

    rows: str
    condition: str
    cursor: str
    arguments: tuple[object, ...]


def found(selector: Selector) -> Found:
    """Return how to find the objects that a selector takes."""
    if selector.tag:
        joined = "tags CROSS JOIN objects ON objects.id = tags.object"
        return Found(joined, "tag = ?", "object", (selector.text,))
    if selector.everything:
        return Found("objects", "1", "id", ())
    column = "target" if selector.any_host else "key"
    if selector.prefix:
        between = f"{column} >= ? AND {column} < ?"
        return Found("objects", between, column, (selector.text, selector.text + _LAST))
    return Found("objects", f"{column} = ?", column, (selector.text,))


def count(connection: sqlite3.Connection, selector: Selector, limit: int) -> int:
    """Return how many objects a selector takes, at most ``limit``; from an index alone."""
    where = found(selector)
    table = "tags" if selector.tag else "objects"
    query = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {where.condition} LIMIT ?)"  # noqa: S608 - from constants
    return int(connection.execute(query, (*where.arguments, limit)).fetchone()[0])


def taken_keys(connection: sqlite3.Connection, selector: Selector, limit: int) -> set[str]:
    """Return the keys that a selector takes, what their decisions led to included; a few."""
    where = found(selector)
    query = f"SELECT key FROM {where.rows} WHERE {where.condition} LIMIT ?"  # noqa: S608 - from constants
    taken = {key for (key,) in connection.execute(query, (*where.arguments, limit))}
    if not selector.everything:
        for forward in next(_forwards(connection, selector, limit), []):
            key = keys.internal(forward)
            if connection.execute("SELECT 1 FROM objects WHERE key = ?", (key,)).fetchone():
                taken.add(key)
    return taken


def steps(connection: sqlite3.Connection, purge: Purge) -> Iterator[Swept]:
    """Take what a purge takes: what it names, then what the decisions it names led to.

    Rows stored after the purge stay. A soft purge leaves the rows, stale since the purge.
    """
    yield from _repeated(connection, purge, purge.selector)
    if purge.selector.everything:
        return  # that was all there is
    for forwards in _forwards(connection, purge.selector, BATCH_ROWS):
        for forward in forwards:
            yield from _repeated(connection, purge, Selector(text=keys.internal(forward)))


def _repeated(connection: sqlite3.Connection, purge: Purge, selector: Selector) -> Iterator[Swept]:
    """Take what a selector names, a batch at a time, until there is no more."""
    where = found(selector)
    *first, bound = where.arguments or ("",)
    condition, arguments = f"{where.condition} AND {where.cursor} >= ?", where.arguments
    last: object = "" if where.cursor in {"key", "target"} else 0
    if selector.prefix and not selector.everything:  # or the range would begin anew each time
        condition, arguments, last = f"{where.cursor} < ? AND {where.cursor} >= ?", (bound,), *first
    untouched = " AND cut = 0" if purge.selector.soft else ""
    query = (
        f"SELECT objects.id, {where.cursor} FROM {where.rows}"  # noqa: S608 - from constants
        f" WHERE {condition} AND stamp < ?{untouched} ORDER BY {where.cursor} LIMIT ?"
    )
    while True:
        rows = connection.execute(query, (*arguments, last, purge.number, BATCH_ROWS)).fetchall()
        if rows:
            yield _taken(connection, purge, [identity for identity, _ in rows])
            last = rows[-1][1]
        if len(rows) < BATCH_ROWS:
            return


def _taken(connection: sqlite3.Connection, purge: Purge, identities: list[int]) -> Swept:
    among = "id IN (SELECT value FROM json_each(?))"
    if purge.selector.soft:
        query = f"UPDATE objects SET cut = ? WHERE {among} RETURNING key"  # noqa: S608 - from constants
        rows = connection.execute(query, (purge.at, json.dumps(identities))).fetchall()
        return Swept([key for (key,) in rows], [])
    query = f"DELETE FROM objects WHERE {among} RETURNING key, file, cost"  # noqa: S608 - from constants
    rows = connection.execute(query, (json.dumps(identities),)).fetchall()
    return Swept(
        [key for key, _, _ in rows], [file for _, file, _ in rows], sum(cost for *_, cost in rows)
    )


def _forwards(
    connection: sqlite3.Connection, selector: Selector, limit: int
) -> Iterator[list[str]]:
    """Yield where decisions led that a selector takes, in batches, in the order of an index."""
    table, (_, condition, column, arguments) = "forwards", found(selector)
    if selector.tag:
        table, column = "tagged_forwards", "tag"
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
