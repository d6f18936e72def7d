"""The keys of a platform: memory answers, the file keeps, the engine makes.

A change is on the disk before anybody sees it. What a caller may do is decided elsewhere; whether a
key's state allows it is decided in ``records``. Changes wait for the disk: call them in a thread.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dynimo.identity.keys.records import KmsKey, default_policy
from dynimo.identity.keys.references import Reference
from dynimo.identity.keys.refusals import AlreadyThere, KeyNotFound, TooManyOfThem
from dynimo.identity.keys.store import Alias, Store
from dynimo.model.names import Place
from dynimo.ports import KeyEngine, Unusable

log = logging.getLogger("dynimo.kms")

KEYS_MAX = 10_000
"""Of one account, with those that wait for their deletion."""
ALIASES_MAX = 50
"""Of one key."""


class Keys:
    """All keys and aliases. Safe for several threads; one process at a time.

    ``engine`` makes the new keys; what ``others`` have made they still use.
    """

    def __init__(
        self,
        folder: Path,
        engine: KeyEngine,
        *,
        others: Iterable[KeyEngine] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.engine = engine
        self._engines = {each.name: each for each in (engine, *others)}
        self._now = now
        self._lock = threading.RLock()
        self._store = Store(folder)
        self._keys = {key.id: key for key in self._store.held_keys()}
        self._aliases = {(each.account, each.name): each for each in self._store.held_aliases()}
        self._names: dict[str, tuple[str, ...]] = {}
        self._index()
        self.erase_due()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._store.close()

    # Reading never waits: the lock is held while the disk is written.

    def get(self, key_id: str) -> KmsKey | None:
        """A key by its id; None too if it should be erased by now."""
        key = self._keys.get(key_id)
        return None if key is None or key.gone(self._now()) else key

    def find(self, reference: Reference) -> KmsKey | None:
        """The key that is meant, or None."""
        account, name = reference.place.account, reference.name
        if reference.alias:
            alias = self._aliases.get((account, name))
            return self.get(alias.key) if alias is not None else None
        key = self.get(name)
        return key if key is not None and key.account == account else None

    def of(self, account: str) -> list[KmsKey]:
        """All of an account, by id."""
        now = self._now()
        held = [key for key in list(self._keys.values()) if key.account == account]
        return sorted((key for key in held if not key.gone(now)), key=lambda key: key.id)

    def alias(self, account: str, name: str) -> Alias | None:
        """An alias, or None."""
        return self._aliases.get((account, name))

    def names(self, key_id: str) -> tuple[str, ...]:
        """The aliases of one key, by name."""
        return self._names.get(key_id, ())

    def aliases(self, account: str, key_id: str = "") -> list[Alias]:
        """All of an account, or of one key, by name."""
        held = [each for each in list(self._aliases.values()) if each.account == account]
        wanted = [each for each in held if key_id in ("", each.key)]
        return sorted(wanted, key=lambda each: each.name)

    def engine_of(self, key: KmsKey) -> KeyEngine | None:
        """The engine that made a key, or None if it is not here any more."""
        return self._engines.get(key.engine)

    # Changing.

    def create(
        self,
        place: Place,
        *,
        spec: str,
        usage: str,
        policy: str = "",
        description: str = "",
        tags: tuple[tuple[str, str], ...] = (),
    ) -> KmsKey:
        """Make a key. Takes as long as its engine needs.

        Raises:
            TooManyOfThem: the account has ``KEYS_MAX``.
            ports.Unusable: the engine cannot make it.
        """
        self._check_room(place.account)
        key_id = str(uuid.uuid4())
        kept, public = self.engine.make(key_id, spec, usage)
        key = KmsKey(
            id=key_id, account=place.account, region=place.region, spec=spec, usage=usage,
            created=self._now(), engine=self.engine.name, kept=kept, public=public,
            policy=policy or default_policy(place.account), description=description, tags=tags,
        )  # fmt: skip
        with self._lock:
            self._check_room(place.account)
            self._store.write_key(key)
            self._keys[key_id] = key
        return key

    def change(self, key_id: str, alter: Callable[[KmsKey], KmsKey]) -> KmsKey:
        """Change what may change of a key; ``alter`` sees it as it is now, and may refuse.

        Raises:
            KeyNotFound: it is gone.
        """
        with self._lock:
            key = self.get(key_id)
            if key is None:
                raise KeyNotFound(f"Key {key_id!r} does not exist")
            changed = alter(key)
            if changed != key:
                self._store.write_key(changed)
                self._keys[key_id] = changed
            return changed

    def add_alias(self, place: Place, name: str, key: KmsKey) -> None:
        """Give a key another name. Raises AlreadyThere, KeyNotFound, TooManyOfThem."""
        now = self._now()
        with self._lock:
            if self.get(key.id) is None:
                raise KeyNotFound(f"Key {key.arn!r} does not exist")
            if (place.account, name) in self._aliases:
                arn = place.arn("kms", name)
                raise AlreadyThere(f"An alias with the name {arn} already exists")
            alias = Alias(account=place.account, name=name, key=key.id, created=now, updated=now)
            self._put_alias(alias)

    def move_alias(self, alias: Alias, key: KmsKey) -> None:
        """Let an alias name another key. Raises TooManyOfThem."""
        with self._lock:
            self._put_alias(replace(alias, key=key.id, updated=self._now()))

    def drop_alias(self, alias: Alias) -> None:
        """Let an alias go."""
        with self._lock:
            self._store.drop_alias(alias)
            self._aliases.pop((alias.account, alias.name), None)
            self._index()

    def erase_due(self) -> None:
        """Erase the keys whose time has come, their material and aliases with them."""
        now = self._now()
        with self._lock:
            due = [key for key in self._keys.values() if key.gone(now)]
            if not due:
                return
            gone = {key.id for key in due}
            self._store.erase(gone)
            self._aliases = {at: each for at, each in self._aliases.items() if each.key not in gone}
            for key in due:
                del self._keys[key.id]
            self._index()
        for key in due:
            engine = self.engine_of(key)
            try:
                if engine is not None:
                    engine.forget(key.material)
            except Unusable as error:
                log.warning("%s is erased here, but not in its engine: %s", key.arn, error)

    def _put_alias(self, alias: Alias) -> None:
        others = set(self.names(alias.key)) - {alias.name}
        if len(others) >= ALIASES_MAX:
            raise TooManyOfThem(f"Key {alias.key} has {ALIASES_MAX} aliases; delete one.")
        self._store.write_alias(alias)
        self._aliases[alias.account, alias.name] = alias
        self._index()

    def _index(self) -> None:
        """Note anew which key has which aliases: every use asks that, and few ever change one."""
        names: dict[str, list[str]] = {}
        for account, name in sorted(self._aliases):
            names.setdefault(self._aliases[account, name].key, []).append(name)
        self._names = {key_id: tuple(each) for key_id, each in names.items()}

    def _check_room(self, account: str) -> None:
        held = sum(key.account == account for key in list(self._keys.values()))
        if held >= KEYS_MAX:
            raise TooManyOfThem(f"Account {account} has {KEYS_MAX} keys; delete some.")
