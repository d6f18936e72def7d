"""The registry's rows: one SQLite file, every change one durable transaction. No rules here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dynimo.model.function import Configuration, Logging
from dynimo.model.names import Place
from dynimo.registry.records import AliasRecord, Code, FunctionRecord, LayerRecord, VersionRecord

_SCHEMA = """
create table if not exists version_of (
    account text not null, function text not null, number integer not null,
    configuration text not null, sha256 text not null, size integer not null,
    revision text not null, modified text not null,
    primary key (account, function, number)
) strict;
create table if not exists function_of (
    account text not null, function text not null,
    next_number integer not null, app integer not null,
    primary key (account, function)
) strict;
create table if not exists alias_of (
    account text not null, function text not null, alias text not null,
    version integer not null, additional text not null, description text not null,
    revision text not null,
    primary key (account, function, alias)
) strict;
create table if not exists layer_of (
    account text not null, layer text not null, number integer not null, record text not null,
    primary key (account, layer, number)
) strict;
create table if not exists layer_count (
    account text not null, layer text not null, next_number integer not null,
    primary key (account, layer)
) strict;
"""


class Database:
    """Rows of functions, versions, aliases and layers. Use ``with database.change:`` to write."""

    def __init__(self, path: Path, region: str) -> None:
        self.change = sqlite3.connect(path)
        self.change.execute("pragma journal_mode = wal")
        self.change.execute("pragma synchronous = full")  # what was answered must survive a crash
        self.change.executescript(_SCHEMA)
        self._region = region

    def close(self) -> None:
        """Close the file."""
        self.change.close()

    def functions(self) -> Iterator[FunctionRecord]:
        """Yield every function with its versions and aliases."""
        held: dict[tuple[str, str], list[VersionRecord]] = {}
        for row in self.change.execute("select * from version_of order by number"):
            held.setdefault((row[0], row[1]), []).append(self._version(row))
        aliases: dict[tuple[str, str], dict[str, AliasRecord]] = {}
        for (
            account,
            function,
            name,
            version,
            additional,
            description,
            revision,
        ) in self.change.execute("select * from alias_of order by alias"):
            aliases.setdefault((account, function), {})[name] = AliasRecord(
                name=name,
                version=version,
                additional=tuple((int(n), float(w)) for n, w in json.loads(additional)),
                description=description,
                revision=revision,
            )
        for account, function, number, app in self.change.execute("select * from function_of"):
            versions = {each.number: each for each in held.get((account, function), ())}
            latest = versions.pop(0, None)
            if latest is not None:
                yield FunctionRecord(
                    latest=latest,
                    versions=versions,
                    aliases=aliases.get((account, function), {}),
                    next_number=number,
                    app=bool(app),
                )

    def put_function(self, account: str, function: str, next_number: int, *, app: bool) -> None:
        """Write what is counted of a function."""
        row = (account, function, next_number, int(app))
        self.change.execute("insert or replace into function_of values (?, ?, ?, ?)", row)

    def put_version(self, record: VersionRecord) -> None:
        """Write one version; number 0 replaces the one before."""
        row = (
            record.place.account, record.function, record.number,
            json.dumps(asdict(record.configuration)), record.code.sha256, record.code.size,
            record.revision, record.modified,
        )  # fmt: skip
        self.change.execute("insert or replace into version_of values (?,?,?,?,?,?,?,?)", row)

    def put_alias(self, account: str, function: str, record: AliasRecord) -> None:
        """Write one alias."""
        row = (
            account, function, record.name, record.version, json.dumps(record.additional),
            record.description, record.revision,
        )  # fmt: skip
        self.change.execute("insert or replace into alias_of values (?,?,?,?,?,?,?)", row)

    def drop_alias(self, account: str, function: str, alias: str) -> None:
        """Remove one alias."""
        self.change.execute(
            "delete from alias_of where account = ? and function = ? and alias = ?",
            (account, function, alias),
        )

    def drop_version(self, account: str, function: str, number: int) -> None:
        """Remove one version."""
        self.change.execute(
            "delete from version_of where account = ? and function = ? and number = ?",
            (account, function, number),
        )

    def drop_function(self, account: str, function: str) -> None:
        """Remove a function with all that is its own."""
        for table in ("function_of", "version_of", "alias_of"):
            self.change.execute(
                f"delete from {table} where account = ? and function = ?",  # noqa: S608 - our names
                (account, function),
            )

    def layers(self) -> Iterator[LayerRecord]:
        """Yield every layer version."""
        for account, name, number, text in self.change.execute("select * from layer_of"):
            fields = json.loads(text)
            yield LayerRecord(
                place=Place(account, self._region),
                name=name,
                number=number,
                code=Code(**fields.pop("code")),
                runtimes=tuple(fields.pop("runtimes")),
                architectures=tuple(fields.pop("architectures")),
                **fields,
            )

    def next_layer_numbers(self) -> dict[tuple[str, str], int]:
        """(account, layer) → the number that its next version gets; none is used twice."""
        rows = self.change.execute("select * from layer_count")
        return {(account, layer): number for account, layer, number in rows}

    def put_layer(self, record: LayerRecord, next_number: int) -> None:
        """Write one layer version."""
        fields = asdict(record)
        for key in ("place", "name", "number"):
            del fields[key]
        account = record.place.account
        row = (account, record.name, record.number, json.dumps(fields))
        self.change.execute("insert or replace into layer_of values (?, ?, ?, ?)", row)
        counted = (account, record.name, next_number)
        self.change.execute("insert or replace into layer_count values (?, ?, ?)", counted)

    def drop_layer(self, record: LayerRecord) -> None:
        """Remove one layer version."""
        self.change.execute(
            "delete from layer_of where account = ? and layer = ? and number = ?",
            (record.place.account, record.name, record.number),
        )

    def _version(self, row: tuple[Any, ...]) -> VersionRecord:
        account, function, number, text, sha256, size, revision, modified = row
        return VersionRecord(
            place=Place(account, self._region),
            function=function,
            number=number,
            configuration=configuration(json.loads(text)),
            code=Code(sha256=sha256, size=size),
            revision=revision,
            modified=modified,
        )


def configuration(fields: Mapping[str, Any]) -> Configuration:
    """A configuration from JSON's types; members that a later version knows have their defaults."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }
    values["logging"] = Logging(**fields.get("logging", {}))
    return Configuration(**values)
