"""The file of the keys: one SQLite database that only its owner can read. Rows in, rows out.

What is secret in it is sealed before it comes here. Every change is one durable transaction, so a
process that is killed leaves a key whole or not at all. What is deleted is overwritten.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dynimo.identity.keys.records import KmsKey, State
from dynimo.model.errors import ConfigError

DATABASE_FILE = "keys.sqlite3"
_SCHEMA = """
create table if not exists key (
    id text primary key, account text not null, region text not null, spec text not null,
    usage text not null, created real not null, engine text not null, kept blob not null,
    public blob not null, policy text not null, description text not null, state text not null,
    deletion real not null, tags text not null
) strict;
create table if not exists alias (
    account text not null, name text not null, key text not null references key (id),
    created real not null, updated real not null,
    primary key (account, name)
) strict;
"""
_WRITE_KEY = (
    "insert into key values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update"
    " set policy = excluded.policy, description = excluded.description, state = excluded.state,"
    " deletion = excluded.deletion, tags = excluded.tags"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another name of a key. Times are epoch seconds."""

    account: str
    name: str
    key: str
    created: float
    updated: float


class Store:
    """The file, open. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        path = folder / DATABASE_FILE
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
            self._database.execute("pragma secure_delete = on")
            self._database.executescript(_SCHEMA)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}.") from None
        except sqlite3.Error as error:
            raise ConfigError(f"{path} cannot be used: {error}.") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def held_keys(self) -> Iterable[KmsKey]:
        """All that are kept."""
        for row in self._database.execute("select * from key order by id"):
            yield KmsKey(
                id=row[0], account=row[1], region=row[2], spec=row[3], usage=row[4],
                created=row[5], engine=row[6], kept=row[7], public=row[8], policy=row[9],
                description=row[10], state=State(row[11]), deletion=row[12],
                tags=tuple((name, value) for name, value in json.loads(row[13])),
            )  # fmt: skip

    def held_aliases(self) -> Iterable[Alias]:
        """All that are kept."""
        for row in self._database.execute("select * from alias"):
            yield Alias(account=row[0], name=row[1], key=row[2], created=row[3], updated=row[4])

    def write_key(self, key: KmsKey) -> None:
        """Keep a new key, or what may change of one; its material never does."""
        self._database.execute(
            _WRITE_KEY,
            (
                key.id, key.account, key.region, key.spec, key.usage, key.created, key.engine,
                key.kept, key.public, key.policy, key.description, key.state.value, key.deletion,
                json.dumps(key.tags),
            ),
        )  # fmt: skip

    def write_alias(self, alias: Alias) -> None:
        """Keep an alias, in place of the one of that name."""
        self._database.execute(
            "insert or replace into alias values (?, ?, ?, ?, ?)",
            (alias.account, alias.name, alias.key, alias.created, alias.updated),
        )

    def drop_alias(self, alias: Alias) -> None:
        """Let an alias go."""
        self._database.execute(
            "delete from alias where account = ? and name = ?", (alias.account, alias.name)
        )

    def erase(self, key_ids: Iterable[str]) -> None:
        """Erase keys with their aliases, from the journal too."""
        self._database.execute("begin immediate")
        try:
            for key_id in key_ids:
                self._database.execute("delete from alias where key = ?", (key_id,))
                self._database.execute("delete from key where id = ?", (key_id,))
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")
        self._database.execute("pragma wal_checkpoint(truncate)").fetchall()
