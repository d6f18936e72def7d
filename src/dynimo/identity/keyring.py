"""Users, roles, policies and access keys of a data folder, in one SQLite file.

Several processes share it: the server reads from memory and sees what a command changed at its next
question. Secrets are encrypted under the data folder's master key. Who may do what is decided
elsewhere.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from dynimo.identity.config import Config
from dynimo.identity.entities import (
    DEVELOPMENT,
    FULL_RIGHTS,
    Entity,
    Key,
    check_account,
    check_name,
    entity_id,
    fresh_id,
    fresh_secret,
)
from dynimo.identity.policy import Kind, read
from dynimo.identity.refusals import IdentityError, NoSuchIdentity
from dynimo.identity.vault import Undecipherable, Vault
from dynimo.model.errors import ConfigError

T = TypeVar("T")

DATABASE_FILE = "identity.db"
KEYS_MAX = 10
"""Of one user."""
WAIT_SECONDS = 10.0
"""For another process's change."""
LOOK_SECONDS = 0.05
"""How soon another process's change is seen; looking costs more than all else on a hot path."""
KEPT_MAX = 4096
"""Answers that are remembered; when there are more, all are forgotten."""
CHANGED = -1
"""Stands for the version of a snapshot that is not to be used any more."""
_PURPOSE = "access key"
_SCHEMA = """
create table if not exists entity (
    kind text not null, account text not null, name text not null, id text not null,
    created text not null, trust text not null,
    primary key (kind, account, name)
) strict;
create table if not exists policy (
    kind text not null, account text not null, entity text not null, name text not null,
    document text not null,
    primary key (kind, account, entity, name)
) strict;
create table if not exists access_key (
    id text primary key, account text not null, user text not null, sealed blob not null,
    active integer not null, created text not null, development integer not null
) strict;
create table if not exists place (
    one integer primary key check (one = 1), account text not null, region text not null
) strict;
"""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the file held at one moment; secrets are opened when they are first asked for."""

    version: int = -1
    entities: dict[tuple[str, str, str], Entity] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    development: str = ""


class Keyring:
    """The identities in a data folder. Safe for several threads and processes.

    A server (``serving``) notes its account and region in the file; for others the note wins over
    ``config``, so that a command means the server's account whatever its own settings are.
    """

    def __init__(
        self, folder: Path, config: Config | None = None, *, serving: bool = False
    ) -> None:
        place = config or Config()
        self.account, self.region = place.account, place.region
        self.vault = Vault(folder)
        self._lock = threading.RLock()
        self._database = _open(folder / DATABASE_FILE)
        self._snapshot = _Snapshot(CHANGED)
        self._looked_at = 0.0
        noted = self._database.execute("select account, region from place").fetchone()
        if not serving and noted is not None:
            self.account, self.region = noted
        elif serving and noted != (self.account, self.region):
            row = (self.account, self.region)
            self._database.execute("insert or replace into place values (1, ?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Reading.

    @property
    def empty(self) -> bool:
        """Whether there is no access key at all."""
        return not self._now().keys

    def key(self, key_id: str) -> Key | None:
        """A key by its id."""
        return self._now().keys.get(key_id)

    def keys(self, user: str = "", account: str = "") -> list[Key]:
        """The keys of a user, or all of an account."""
        account = account or self.account
        found = [key for key in self._now().keys.values() if key.account == account]
        return [key for key in found if user in ("", key.user)]

    def secret(self, key_id: str) -> str:
        """The secret of a key.

        Raises:
            NoSuchIdentity: there is no such key.
            ConfigError: it was encrypted under another master key.
        """
        held = self._now()
        secret = held.secrets.get(key_id)
        if secret is None:
            if key_id not in held.sealed:
                raise NoSuchIdentity(f"There is no access key {key_id}.")
            try:
                secret = self.vault.open(_PURPOSE, key_id, held.sealed[key_id]).decode()
            except Undecipherable:
                raise ConfigError(
                    f"The secret of {key_id} was encrypted under another master key; restore"
                    " master.key from a backup, or remove the key and make a new one."
                ) from None
            held.secrets[key_id] = secret
        return secret

    def kept(self, name: str, make: Callable[[], T | None]) -> T | None:
        """What ``make`` gives, remembered until anything in the file changes; not that it is None.

        It must depend on nothing but ``name`` and what the file holds.
        """
        held = self._now().kept
        found: T | None = held.get(name)
        if found is None:
            found = make()
            if found is not None:
                if len(held) >= KEPT_MAX:
                    held.clear()
                held[name] = found
        return found

    def development_key(self) -> str:
        """The id of the development key, or empty if it was not made yet."""
        return self._now().development

    def entity(self, kind: str, name: str, account: str = "") -> Entity | None:
        """A user or role, or None."""
        return self._now().entities.get((kind, account or self.account, name))

    def entities(self, kind: str, account: str = "") -> list[Entity]:
        """All users or roles of an account, by name."""
        wanted = (kind, account or self.account)
        return [each for place, each in sorted(self._now().entities.items()) if place[:2] == wanted]

    def require(self, kind: str, name: str, account: str = "") -> Entity:
        """A user or role. Raises NoSuchIdentity."""
        found = self.entity(kind, name, account)
        if found is None:
            raise NoSuchIdentity(f"The {kind} with name {name} cannot be found.")
        return found

    # Changing.

    def add(self, kind: str, name: str, *, account: str = "", trust: str = "") -> Entity:
        """Make a user, or a role that ``trust`` (a policy) says who may take on.

        Raises:
            IdentityError: it exists, or the name is none.
            MalformedPolicy: the trust policy cannot be used.
        """
        account = account or self.account
        check_name(kind, name)
        check_account(account)
        if kind == "role":
            read(trust, Kind.TRUST)
        made = Entity(
            kind=kind, account=account, name=name, id=entity_id(kind), created=_moment(),
            trust=trust,
        )  # fmt: skip
        with self._change() as database:
            if (kind, account, name) in self._now().entities:
                raise IdentityError(f"{kind.capitalize()} with name {name} already exists.")
            database.execute(
                "insert into entity values (?, ?, ?, ?, ?, ?)",
                (kind, account, name, made.id, made.created, trust),
            )
        return made

    def remove(self, kind: str, name: str, account: str = "") -> int:
        """Remove a user or role with its policies and keys; returns how many keys went with it.

        Raises:
            NoSuchIdentity: there is none.
        """
        account = account or self.account
        with self._change() as database:
            self.require(kind, name, account)
            place = (kind, account, name)
            database.execute(
                "delete from policy where kind = ? and account = ? and entity = ?", place
            )
            database.execute(
                "delete from entity where kind = ? and account = ? and name = ?", place
            )
            if kind == "role":
                return 0
            return database.execute(
                "delete from access_key where account = ? and user = ?", (account, name)
            ).rowcount

    def add_key(self, user: str, account: str = "") -> tuple[Key, str]:
        """Make a key for a user: the key, and its secret, which nobody shows again.

        Raises:
            NoSuchIdentity: there is no such user.
            IdentityError: the user has ``KEYS_MAX`` keys.
        """
        account = account or self.account
        with self._change() as database:
            self.require("user", user, account)
            if len(self.keys(user, account)) >= KEYS_MAX:
                raise IdentityError(f"{user} has {KEYS_MAX} keys; remove one.")
            return self._insert_key(database, user, account, development=False)

    def set_active(self, key_id: str, *, active: bool) -> None:
        """Let a key work, or not. Raises NoSuchIdentity."""
        with self._change() as database:
            changed = database.execute(
                "update access_key set active = ? where id = ?", (int(active), key_id)
            )
            if not changed.rowcount:
                raise NoSuchIdentity(f"There is no access key {key_id}.")

    def remove_key(self, key_id: str) -> None:
        """Remove a key. Raises NoSuchIdentity."""
        with self._change() as database:
            if not database.execute("delete from access_key where id = ?", (key_id,)).rowcount:
                raise NoSuchIdentity(f"There is no access key {key_id}.")

    def attach(self, kind: str, name: str, policy: str, document: str, account: str = "") -> None:
        """Give a user or role a policy, in place of the one of that name.

        Raises:
            NoSuchIdentity, IdentityError, MalformedPolicy: as the words say.
        """
        check_name("policy", policy)
        read(document, Kind.IDENTITY)
        account = account or self.account
        with self._change() as database:
            self.require(kind, name, account)
            database.execute(
                "insert or replace into policy values (?, ?, ?, ?, ?)",
                (kind, account, name, policy, document),
            )

    def detach(self, kind: str, name: str, policy: str, account: str = "") -> None:
        """Take a policy away. Raises NoSuchIdentity."""
        account = account or self.account
        with self._change() as database:
            self.require(kind, name, account)
            removed = database.execute(
                "delete from policy where kind = ? and account = ? and entity = ? and name = ?",
                (kind, account, name, policy),
            )
            if not removed.rowcount:
                raise NoSuchIdentity(f"The {kind} {name} has no policy {policy}.")

    def development(self) -> tuple[str, str]:
        """The development key (id, secret) of this data folder, of a user with every right.

        Made on first use; only who may read the data folder can ask for it.
        """
        with self._change() as database:
            held = self._now()
            if not held.development:
                if self.entity("user", DEVELOPMENT) is None:
                    database.execute(
                        "insert into entity values ('user', ?, ?, ?, ?, '')",
                        (self.account, DEVELOPMENT, entity_id("user"), _moment()),
                    )
                    database.execute(
                        "insert into policy values ('user', ?, ?, 'everything', ?)",
                        (self.account, DEVELOPMENT, FULL_RIGHTS),
                    )
                key, secret = self._insert_key(
                    database, DEVELOPMENT, self.account, development=True
                )
                return key.id, secret
        return held.development, self.secret(held.development)

    def _insert_key(
        self, database: sqlite3.Connection, user: str, account: str, *, development: bool
    ) -> tuple[Key, str]:
        key = Key(id=fresh_id("AKIA"), account=account, user=user, active=True, created=_moment())
        secret = fresh_secret()
        sealed = self.vault.seal(_PURPOSE, key.id, secret.encode())
        database.execute(
            "insert into access_key values (?, ?, ?, ?, 1, ?, ?)",
            (key.id, account, user, sealed, key.created, int(development)),
        )
        return key, secret

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nobody else changes the file meanwhile. All of it happens, or none."""
        with self._lock:
            self._database.execute("begin immediate")
            try:
                self._snapshot = replace(self._snapshot, version=CHANGED)
                yield self._database
            except BaseException:
                self._database.execute("rollback")
                raise
            else:
                self._database.execute("commit")
            finally:
                self._snapshot = replace(self._snapshot, version=CHANGED)

    def _now(self) -> _Snapshot:
        """The file's content; read anew only if somebody changed it, seen after a moment."""
        moment = time.monotonic()
        snapshot = self._snapshot
        if snapshot.version != CHANGED and moment < self._looked_at + LOOK_SECONDS:
            return snapshot
        with self._lock:
            self._looked_at = moment
            (version,) = self._database.execute("pragma data_version").fetchone()
            if self._snapshot.version != version:
                self._snapshot = self._load(version)
            return self._snapshot

    def _load(self, version: int) -> _Snapshot:
        policies: dict[tuple[str, str, str], dict[str, str]] = {}
        for kind, account, entity, name, document in self._database.execute(
            "select kind, account, entity, name, document from policy order by name"
        ):
            policies.setdefault((kind, account, entity), {})[name] = document
        held = _Snapshot(version)
        for kind, account, name, identifier, created, trust in self._database.execute(
            "select kind, account, name, id, created, trust from entity"
        ):
            held.entities[kind, account, name] = Entity(
                kind=kind, account=account, name=name, id=identifier, created=created, trust=trust,
                policies=policies.get((kind, account, name), {}),
            )  # fmt: skip
        development = ""
        for key_id, account, user, sealed, active, created, special in self._database.execute(
            "select id, account, user, sealed, active, created, development from access_key"
            " order by created, id"
        ):
            held.keys[key_id] = Key(
                id=key_id, account=account, user=user, active=bool(active), created=created
            )
            held.sealed[key_id] = sealed
            # One that was made under another account's setting is not this platform's.
            development = key_id if special and account == self.account else development
        return replace(held, development=development)


def _open(path: Path) -> sqlite3.Connection:
    """The file, made readable by its owner only before anything is in it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(
            path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.executescript(_SCHEMA)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise ConfigError(f"{path} cannot be used: {error}.") from None
    return database


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
