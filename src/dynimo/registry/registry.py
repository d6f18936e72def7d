"""What functions exist: reading, resolving, and the changes that the API and app folders ask for.

Memory holds everything and answers; SQLite keeps it. A change is written first, in one transaction,
and then becomes visible. Starts and imports nothing; slow work with contents is the caller's to do
first (``contents``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dynimo.model.errors import (
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from dynimo.model.function import Configuration, Route, Version
from dynimo.model.names import LATEST, REGION_DEFAULT, Place
from dynimo.registry.config import Config
from dynimo.registry.contents import Contents
from dynimo.registry.database import Database
from dynimo.registry.documents import Documents
from dynimo.registry.layers import Layers
from dynimo.registry.records import AliasRecord, Code, FunctionRecord, VersionRecord

STALE_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias"
    " API to retrieve the latest Revision Id"
)
APP_KIND = "app"
"""Kind of the documents that say which app was uploaded: key is its name."""
RUNNABLE_KEPT_MAX = 4096
"""Versions whose folders need not be named anew; when there are more, all are forgotten."""


class Registry:
    """The functions in ``folder``. One process at a time owns a folder."""

    def __init__(self, folder: Path, config: Config, *, region: str = REGION_DEFAULT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.contents = Contents(folder, config)
        self.database = Database(folder / "functions.sqlite3", region)
        self.documents = Documents(self.database.change)
        self.layers = Layers(self.database)
        self._runnable: dict[int, tuple[VersionRecord, Version]] = {}
        self._routes: dict[tuple[str, str, str, str], tuple[object, Route]] = {}
        self._functions = {
            (each.latest.place.account, each.latest.function): each
            for each in self.database.functions()
        }

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # Reading.

    def function(self, place: Place, name: str, qualifier: str = "") -> FunctionRecord:
        """A function's record; ``qualifier`` is only for the words of the refusal.

        Raises:
            ResourceNotFound: there is none by that name.
        """
        found = self._functions.get((place.account, name))
        if found is None:
            raise ResourceNotFound(f"Function not found: {place.function(name, qualifier)}")
        return found

    def functions(self, account: str) -> list[FunctionRecord]:
        """An account's functions, by name."""
        owned = (item for item in self._functions.items() if item[0][0] == account)
        return [record for _, record in sorted(owned, key=lambda item: item[0])]

    def every(self) -> Iterator[FunctionRecord]:
        """Every function of every account."""
        return iter(self._functions.values())

    def record(self, place: Place, name: str, qualifier: str = "") -> VersionRecord:
        """The version that a qualifier (number, alias, ``$LATEST`` or nothing) leads to.

        Raises:
            ResourceNotFound: there is no such function, version or alias.
        """
        function = self.function(place, name, qualifier)
        found = _lookup(function, qualifier)
        if found is None:
            raise ResourceNotFound(f"Function not found: {place.function(name, qualifier)}")
        return found

    def exists(self, place: Place, name: str, qualifier: str = "") -> bool:
        """Whether there is such a function, and such a version or alias of it."""
        function = self._functions.get((place.account, name))
        return function is not None and _lookup(function, qualifier) is not None

    def resolve(self, place: Place, name: str, qualifier: str = "") -> Route:
        """Where an invocation goes. From memory, for it is asked every time.

        Raises:
            ResourceNotFound: there is no such function, version or alias.
        """
        function = self.function(place, name, qualifier)
        named = function.aliases.get(qualifier) or _lookup(function, qualifier)
        key = (place.account, place.region, name, qualifier)
        held = self._routes.get(key)
        if held is not None and held[0] is named:
            return held[1]
        route = self._route(function, place.function(name, qualifier), qualifier)
        if len(self._routes) >= RUNNABLE_KEPT_MAX:
            self._routes.clear()
        self._routes[key] = named, route
        return route

    def _route(self, function: FunctionRecord, arn: str, qualifier: str) -> Route:
        alias = function.aliases.get(qualifier)
        if alias is None:
            record = _lookup(function, qualifier)
            if record is None:
                raise ResourceNotFound(f"Function not found: {arn}")
            return Route(arn=arn, choices=((self.version(record), 1.0),))
        rest = 1.0 - sum(weight for _, weight in alias.additional)
        choices = tuple(
            (self.version(function.numbered(number)), weight)
            for number, weight in ((alias.version, rest), *alias.additional)
        )
        return Route(arn=arn, choices=choices, alias=alias.name, revision=alias.revision)

    def version(self, record: VersionRecord) -> Version:
        """What can be run, of a record. Kept, for it is asked at every invocation."""
        held = self._runnable.get(id(record))
        if held is not None and held[0] is record:
            return held[1]
        if len(self._runnable) >= RUNNABLE_KEPT_MAX:
            self._runnable.clear()
        made = Version(
            function=record.function,
            number=record.number,
            sha256=record.code.sha256,
            code=self.contents.path(record.code.sha256),
            configuration=record.configuration,
            revision=record.revision,
            layers=self.layers.folder(record.configuration.layers, self.contents),
            place=record.place,
        )
        self._runnable[id(record)] = record, made
        return made

    # Changes of functions.

    def create(
        self,
        place: Place,
        name: str,
        configuration: Configuration,
        code: Code,
        *,
        app: bool = False,
    ) -> FunctionRecord:
        """Make a function with its ``$LATEST``.

        Raises:
            ResourceConflict: it exists.
        """
        if (place.account, name) in self._functions:
            raise ResourceConflict(f"Function already exist: {name}")
        latest = VersionRecord(
            place=place, function=name, number=0, configuration=configuration, code=code,
            revision=fresh_revision(), modified=timestamp(),
        )  # fmt: skip
        with self.database.change:
            self.database.put_function(place.account, name, 1, app=app)
            self.database.put_version(latest)
        record = FunctionRecord(latest=latest, app=app)
        self._functions[place.account, name] = record
        return record

    def update(
        self,
        function: FunctionRecord,
        *,
        configuration: Configuration | None = None,
        code: Code | None = None,
    ) -> VersionRecord:
        """Replace ``$LATEST``'s configuration, code, or both; returns the new one."""
        latest = replace(
            function.latest,
            configuration=configuration or function.latest.configuration,
            code=code or function.latest.code,
            revision=fresh_revision(),
            modified=timestamp(),
        )
        with self.database.change:
            self.database.put_version(latest)
        function.latest = latest
        return latest

    def begin(self, function: FunctionRecord, *, creating: bool = False) -> None:
        """Say that a change is being prepared; ``settle`` ends it."""
        function.state = "Pending" if creating else "Active"
        function.update = "Successful" if creating else "InProgress"

    def settle(self, function: FunctionRecord, latest: VersionRecord) -> None:
        """Say that ``latest`` is ready, unless another change has come since.

        It gets a new revision, as the service gives it one.
        """
        key = (latest.place.account, latest.function)
        if not unchanged(function, latest) or self._functions.get(key) is not function:
            return
        settled = replace(function.latest, revision=fresh_revision())
        with self.database.change:
            self.database.put_version(settled)
        function.latest = settled
        function.state, function.update = "Active", "Successful"

    def check_idle(self, function: FunctionRecord) -> None:
        """Refuse a second change at the same time. Raises ResourceConflict."""
        latest = function.latest
        arn = latest.place.function(latest.function)
        if function.state == "Pending":
            raise ResourceConflict(
                "The operation cannot be performed at this time. The function is currently in the"
                " following state: Pending"
            )
        if function.update == "InProgress":
            raise ResourceConflict(
                "The operation cannot be performed at this time. An update is in progress for"
                f" resource: {arn}"
            )

    def publish(self, function: FunctionRecord, description: str | None = None) -> VersionRecord:
        """Make ``$LATEST`` a numbered version; the newest one if nothing changed since it.

        ``$LATEST`` gets a new revision then, as the service gives it one.
        """
        latest = function.latest
        if function.versions:
            newest = function.versions[max(function.versions)]
            described = latest.configuration.description
            same = replace(newest.configuration, description=described)
            # A version may be published under a description of its own; that is no change.
            untouched = latest.modified == newest.modified
            told_alike = described == newest.configuration.description
            if (same, newest.code) == (latest.configuration, latest.code) and (
                untouched or told_alike
            ):
                return newest
        configuration = latest.configuration
        if description is not None:
            configuration = replace(configuration, description=description)
        number = function.next_number
        record = replace(
            latest, number=number, configuration=configuration, revision=fresh_revision()
        )
        latest = replace(latest, revision=fresh_revision())
        account, name = latest.place.account, latest.function
        with self.database.change:
            self.database.put_version(record)
            self.database.put_version(latest)
            self.database.put_function(account, name, number + 1, app=function.app)
        function.latest = latest
        function.versions[number] = record
        function.next_number = number + 1
        return record

    def touch(self, function: FunctionRecord, qualifier: str = "") -> str:
        """Give a function, version or alias a new revision, for something beside it has changed."""
        revision = fresh_revision()
        alias = function.aliases.get(qualifier)
        if alias is not None:
            return self.put_alias(function, alias).revision
        number = int(qualifier) if qualifier.isdecimal() else 0
        record = replace(function.numbered(number), revision=revision)
        with self.database.change:
            self.database.put_version(record)
        if number:
            function.versions[number] = record
        else:
            function.latest = record
        return revision

    def delete_version(self, function: FunctionRecord, number: int) -> None:
        """Remove one version, and what is kept beside it.

        Raises:
            ResourceConflict: an alias leads to it.
        """
        latest = function.latest
        users = [
            alias.name
            for alias in function.aliases.values()
            if number == alias.version or number in dict(alias.additional)
        ]
        if users:
            raise ResourceConflict(
                f"Function {latest.place.function(latest.function, str(number))} is currently"
                f" referenced by alias(es): {', '.join(users)}."
            )
        with self.database.change:
            self.database.drop_version(latest.place.account, latest.function, number)
            self.documents.forget(latest.place.account, latest.function, str(number))
        function.versions.pop(number, None)

    def delete(self, function: FunctionRecord) -> None:
        """Remove a function with its versions, aliases and documents."""
        account, name = function.latest.place.account, function.latest.function
        with self.database.change:
            self.database.drop_function(account, name)
            self.documents.forget(account, name)
        self._functions.pop((account, name), None)

    # Aliases.

    def put_alias(self, function: FunctionRecord, alias: AliasRecord) -> AliasRecord:
        """Make or move an alias, at once and wholly; it gets a new revision."""
        record = replace(alias, revision=fresh_revision())
        latest = function.latest
        with self.database.change:
            self.database.put_alias(latest.place.account, latest.function, record)
        function.aliases[record.name] = record
        return record

    def delete_alias(self, function: FunctionRecord, name: str) -> None:
        """Remove an alias, if it is there, and what is kept beside it."""
        latest = function.latest
        with self.database.change:
            self.database.drop_alias(latest.place.account, latest.function, name)
            self.documents.forget(latest.place.account, latest.function, name)
        function.aliases.pop(name, None)

    def change_app(
        self,
        place: Place,
        app: str,
        document: Mapping[str, object] | None,
        aliases: Iterable[tuple[FunctionRecord, AliasRecord]] = (),
        gone: Iterable[FunctionRecord] = (),
    ) -> None:
        """Keep an app's document (None drops it), move aliases, drop functions: all or nothing."""
        moved = [(each, replace(alias, revision=fresh_revision())) for each, alias in aliases]
        names = [function.latest.function for function in gone]
        with self.database.change:
            for function, alias in moved:
                self.database.put_alias(place.account, function.latest.function, alias)
            for name in names:
                self.database.drop_function(place.account, name)
                self.documents.forget(place.account, name)
            self.documents.write(APP_KIND, place.account, "", app, document)
        for function, alias in moved:
            function.aliases[alias.name] = alias
        for name in names:
            self._functions.pop((place.account, name), None)

    def used_contents(self) -> set[str]:
        """Hashes of all content that something names; the rest may be swept."""
        records = [
            record
            for function in self._functions.values()
            for record in (function.latest, *function.versions.values())
        ]
        used = {record.code.sha256 for record in records} | self.layers.used()
        folders = (
            self.layers.folder(record.configuration.layers, self.contents) for record in records
        )
        return used | {folder.name for folder in folders if folder is not None}


def unchanged(function: FunctionRecord, before: VersionRecord) -> bool:
    """Whether ``$LATEST`` is still what it was; another revision alone is no change of it."""
    return replace(function.latest, revision=before.revision) == before


def check_revision(given: str | None, present: str) -> None:
    """Refuse a change made from an old view of things. Raises PreconditionFailed."""
    if given is not None and given != present:
        raise PreconditionFailed(STALE_REVISION)


def check_sha256(given: str | None, present: str) -> None:
    """Refuse to publish other code than was meant. Raises InvalidParameterValue."""
    if given is not None and given != present:
        raise InvalidParameterValue(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in {LATEST} ({present})."
            f" Please try again with the CodeSHA256 in {LATEST}."
        )


def fresh_revision() -> str:
    """A RevisionId."""
    return str(uuid.uuid4())


def timestamp() -> str:
    """Now, as AWS's LastModified."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}+0000"


def _lookup(function: FunctionRecord, qualifier: str) -> VersionRecord | None:
    if qualifier in {"", LATEST}:
        return function.latest
    if qualifier.isdecimal():
        return function.versions.get(int(qualifier))
    alias = function.aliases.get(qualifier)
    return function.numbered(alias.version) if alias is not None else None
