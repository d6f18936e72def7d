"""Small documents about functions: whatever is configured beside a version, one JSON value each.

Concurrency, URLs, policies, asynchronous settings, mappings and the like are each a *kind*; their
meaning is with those who own the kind. Every write is one durable transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

SCHEMA = """
create table if not exists document (
    kind text not null,
    account text not null,
    function text not null,
    key text not null,
    value text not null,
    primary key (kind, account, function, key)
) strict;
"""


class Documents:
    """Documents by (kind, account, function, key); ``key`` is a qualifier, an id, or empty.

    A document that belongs to no function has an empty ``function``. Those of a function go when
    the function goes (``forget``). Reads are from memory: there are few, and they are on the way of
    every invocation.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(SCHEMA)
        rows = database.execute("select kind, account, function, key, value from document")
        self._held: dict[str, dict[tuple[str, str, str], Any]] = {}
        for kind, account, function, key, value in rows:
            self._held.setdefault(kind, {})[account, function, key] = json.loads(value)

    def get(self, kind: str, account: str, function: str, key: str = "") -> Any | None:
        """The document, or None. Treat it as frozen: it is the one that everybody reads."""
        return self._held.get(kind, {}).get((account, function, key))

    def put(self, kind: str, account: str, function: str, key: str, value: Any) -> None:
        """Keep a document (JSON's own types), in place of the one before; durable on return."""
        text = json.dumps(value)
        row = (kind, account, function, key, text)
        with self._database:
            self._database.execute("insert or replace into document values (?, ?, ?, ?, ?)", row)
        self._held.setdefault(kind, {})[account, function, key] = json.loads(text)

    def delete(self, kind: str, account: str, function: str, key: str = "") -> bool:
        """Drop a document; whether there was one."""
        place = (kind, account, function, key)
        with self._database:
            self._database.execute(
                "delete from document where kind = ? and account = ? and function = ? and key = ?",
                place,
            )
        return self._held.get(kind, {}).pop(place[1:], None) is not None

    def find(
        self, kind: str, account: str | None = None, function: str | None = None
    ) -> Iterator[tuple[str, str, str, Any]]:
        """Yield (account, function, key, value) of a kind, in order of their names."""
        for (owner, name, key), value in sorted(self._held.get(kind, {}).items()):
            if account in (None, owner) and function in (None, name):
                yield owner, name, key, value

    def write(self, kind: str, account: str, function: str, key: str, value: Any) -> None:
        """Put a document, or with None drop it, as a part of the caller's transaction.

        The memory changes at once; the caller's transaction makes it durable.
        """
        place = (kind, account, function, key)
        self._database.execute(
            "delete from document where kind = ? and account = ? and function = ? and key = ?",
            place,
        )
        held = self._held.setdefault(kind, {})
        held.pop(place[1:], None)
        if value is not None:
            text = json.dumps(value)
            self._database.execute("insert into document values (?, ?, ?, ?, ?)", (*place, text))
            held[place[1:]] = json.loads(text)

    def forget(self, account: str, function: str, key: str | None = None) -> None:
        """Drop every document of a function, or of one of its versions or aliases (``key``).

        One made anew must not inherit them. Call inside the transaction that drops what they are
        about: the memory is cleared at once; the caller's transaction makes it durable.
        """
        self._database.execute(
            "delete from document where account = ?1 and function = ?2"
            " and (?3 is null or key = ?3)",
            (account, function, key),
        )
        for held in self._held.values():
            for place in list(held):
                if place[:2] == (account, function) and key in (None, place[2]):
                    del held[place]
