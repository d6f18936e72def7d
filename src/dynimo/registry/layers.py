"""Layers: numbered contents that functions lay under their code. Nothing here reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dynimo.model.names import Place
from dynimo.registry.contents import Contents
from dynimo.registry.database import Database
from dynimo.registry.records import LayerRecord


class Layers:
    """Every layer version of every account."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[tuple[str, str], dict[int, LayerRecord]] = {}
        for record in database.layers():
            self._held.setdefault((record.place.account, record.name), {})[record.number] = record
        self._next = database.next_layer_numbers()
        self._gone: dict[str, str] = {}

    def publish(self, record: LayerRecord) -> LayerRecord:
        """Keep a new version; its number is settled here."""
        key = (record.place.account, record.name)
        number = self._next.get(key, 1)
        record = replace(record, number=number)
        with self._database.change:
            self._database.put_layer(record, number + 1)
        self._next[key] = number + 1
        self._held.setdefault(key, {})[number] = record
        return record

    def replace(self, record: LayerRecord) -> None:
        """Keep a version whose policy has changed."""
        key = (record.place.account, record.name)
        with self._database.change:
            self._database.put_layer(record, self._next[key])
        self._held[key][record.number] = record

    def delete(self, record: LayerRecord) -> None:
        """Remove a version; functions that use it keep its content."""
        with self._database.change:
            self._database.drop_layer(record)
        versions = self._held[record.place.account, record.name]
        del versions[record.number]
        if not versions:
            del self._held[record.place.account, record.name]

    def get(self, place: Place, name: str, number: int) -> LayerRecord | None:
        """One version, or None."""
        return self._held.get((place.account, name), {}).get(number)

    def by_arn(self, arn: str) -> LayerRecord | None:
        """The version of an ARN, whosever it is, or None."""
        parts = arn.split(":")
        if len(parts) != 8 or not parts[7].isdecimal():
            return None
        return self._held.get((parts[4], parts[6]), {}).get(int(parts[7]))

    def names(self, account: str) -> list[str]:
        """An account's layers."""
        return sorted(name for owner, name in self._held if owner == account)

    def versions(self, place: Place, name: str) -> list[LayerRecord]:
        """A layer's versions, newest first."""
        held = self._held.get((place.account, name), {})
        return [held[number] for number in sorted(held, reverse=True)]

    def folder(self, arns: tuple[str, ...], contents: Contents) -> Path | None:
        """The merged content of layers, made when it is first asked for."""
        if not arns:
            return None
        records = [self.by_arn(arn) for arn in arns]
        return contents.merged(tuple(each.code.sha256 for each in records if each is not None))

    def used(self) -> set[str]:
        """Hashes of the contents of all versions."""
        return {record.code.sha256 for held in self._held.values() for record in held.values()}
