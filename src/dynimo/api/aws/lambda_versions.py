"""Versions and aliases: publish, list, and lead names to them, also by weight.

Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dynimo.api.aws import lambda_documents as documents
from dynimo.api.aws import names, pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.preparing import Preparing
from dynimo.api.aws.validation import Faults, shown
from dynimo.model.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from dynimo.model.names import LATEST
from dynimo.registry.records import AliasRecord, FunctionRecord
from dynimo.registry.registry import Registry, check_revision, check_sha256

_ONE = "/2015-03-31/functions/{FunctionName}"
_ALIAS = _ONE + "/aliases/{Name}"
ALIAS_PATTERN = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
VERSION_PATTERN = r"(\$LATEST(\.PUBLISHED)?|[0-9]+)"
ALIAS_CHARACTERS_MAX = 128
ADDITIONAL_MAX = 1
_WEIGHTS = "routingConfig.additionalVersionWeights"
_WEIGHT_BOUNDS = (
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member"
    " must have value greater than or equal to 0.0, Member must not be null]"
)
_WEIGHT_KEYS = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member"
    " must have length greater than or equal to 1, Member must satisfy regular expression pattern:"
    " [0-9]+, Member must not be null]"
)


class Versions:
    """The operations on versions and aliases."""

    def __init__(self, registry: Registry, preparing: Preparing) -> None:
        self._registry = registry
        self._preparing = preparing

    def operations(self) -> list[Operation]:
        """All of them."""
        arn = names.function_arn

        def one(name: str, method: str, path: str, run: Any, status: int = 200) -> Operation:
            return Operation(
                name=name, method=method, path=path, run=run, status=status, resource=arn
            )

        return [
            one("PublishVersion", "POST", _ONE + "/versions", self._publish, 201),
            one("ListVersionsByFunction", "GET", _ONE + "/versions", self._list_versions),
            one("CreateAlias", "POST", _ONE + "/aliases", self._create, 201),
            one("ListAliases", "GET", _ONE + "/aliases", self._list_aliases),
            one("GetAlias", "GET", _ALIAS, self._get),
            one("UpdateAlias", "PUT", _ALIAS, self._update),
            one("DeleteAlias", "DELETE", _ALIAS, self._delete, 204),
        ]

    async def _publish(self, call: Call) -> Answer:
        wanted = asked(call)
        named = names.named(call)
        function = self._registry.function(named.place, named.function)
        self._registry.check_idle(function)
        latest = function.latest
        check_revision(wanted.get("RevisionId"), latest.revision)
        check_sha256(wanted.get("CodeSha256"), documents.sha256(latest.code.sha256))
        faults = Faults()
        faults.at_most(wanted.get("Description"), "description", 256)
        faults.check()
        record = self._registry.publish(function, wanted.get("Description"))
        arn = named.place.function(named.function, str(record.number))
        return Answer(document=documents.version(record, self._registry, arn=arn))

    async def _list_versions(self, call: Call) -> Answer:
        named = names.named(call)
        function = self._registry.function(named.place, named.function)
        records = [
            function.latest,
            *(function.versions[each] for each in sorted(function.versions)),
        ]

        def document(number: int) -> dict[str, Any]:
            record = function.versions[number] if number else function.latest
            arn = named.place.function(named.function, str(number) if number else LATEST)
            return documents.listed(documents.version(record, self._registry, arn=arn))

        numbers = [record.number for record in records]
        found = pages.page(call, numbers, lambda number: f"{number:012}", document)
        return Answer(document=pages.listed("Versions", found))

    async def _create(self, call: Call) -> Answer:
        wanted = asked(call)
        named = names.named(call)
        name = wanted.get("Name")
        faults = Faults()
        faults.required(name, "name")
        faults.required(wanted.get("FunctionVersion"), "functionVersion")
        faults.at_most(name, "name", ALIAS_CHARACTERS_MAX)
        faults.pattern(name, "name", ALIAS_PATTERN)
        faults.pattern(wanted.get("FunctionVersion"), "functionVersion", VERSION_PATTERN)
        self._check_weights(wanted, faults)
        faults.check()
        assert isinstance(name, str)
        function = self._registry.function(named.place, named.function, self._first(wanted))
        record = AliasRecord(
            name=name,
            version=self._number(function, wanted["FunctionVersion"]),
            additional=self._additional(function, wanted, wanted["FunctionVersion"]),
            description=wanted.get("Description") or "",
            revision="",
        )
        if name in function.aliases:
            arn = named.place.function(named.function, name)
            raise ResourceConflict(f"Alias already exists: {arn}")
        return await self._moved(named, self._registry.put_alias(function, record))

    async def _list_aliases(self, call: Call) -> Answer:
        named = names.named(call)
        function = self._registry.function(named.place, named.function)
        faults = Faults()
        faults.pattern(call.first("FunctionVersion"), "functionVersion", VERSION_PATTERN)
        faults.check()
        which = call.first("FunctionVersion")
        number = int(which) if which and which.isdecimal() else None if which is None else 0
        aliases = [
            function.aliases[name]
            for name in sorted(function.aliases)
            if number is None or _leads_to(function.aliases[name], number)
        ]
        found = pages.page(
            call, aliases, lambda alias: alias.name, lambda alias: _document(named, alias)
        )
        return Answer(document=pages.listed("Aliases", found))

    async def _get(self, call: Call) -> Answer:
        named, name = names.named(call), call.parameters["Name"]
        function = self._registry.function(named.place, named.function)
        record = function.aliases.get(name)
        if record is None:
            arn = named.place.function(named.function, name)
            raise ResourceNotFound(f"Cannot find alias arn: {arn}")
        return Answer(document=_document(named, record))

    async def _update(self, call: Call) -> Answer:
        wanted = asked(call)
        named, name = names.named(call), call.parameters["Name"]
        faults = Faults()
        faults.pattern(wanted.get("FunctionVersion"), "functionVersion", VERSION_PATTERN)
        self._check_weights(wanted, faults)
        faults.check()
        function = self._registry.function(named.place, named.function)
        record = function.aliases.get(name)
        if record is None:
            arn = named.place.function(named.function, name)
            raise ResourceNotFound(f"Alias not found: {arn}")
        check_revision(wanted.get("RevisionId"), record.revision)
        changed = record
        if wanted.get("FunctionVersion") is not None:
            changed = replace(changed, version=self._number(function, wanted["FunctionVersion"]))
        if wanted.get("Description") is not None:
            changed = replace(changed, description=wanted["Description"])
        if wanted.get("RoutingConfig") is not None:
            label = str(changed.version) if changed.version else LATEST
            changed = replace(changed, additional=self._additional(function, wanted, label))
        elif any(number == changed.version for number, _ in changed.additional):
            raise _included(changed.version)
        return await self._moved(named, self._registry.put_alias(function, changed))

    async def _delete(self, call: Call) -> Answer:
        named = names.named(call)
        function = self._registry.function(named.place, named.function)
        self._registry.delete_alias(function, call.parameters["Name"])
        await self._preparing.changed(named.place, named.function)
        return Answer(status=204)

    async def _moved(self, named: names.Named, record: AliasRecord) -> Answer:
        await self._preparing.changed(named.place, named.function)
        return Answer(document=_document(named, record))

    @staticmethod
    def _first(wanted: Mapping[str, Any]) -> str:
        """The qualifier that AWS names when the function is missing."""
        return str(wanted.get("FunctionVersion") or "")

    @staticmethod
    def _number(function: FunctionRecord, label: Any) -> int:
        """A version's number; 0 for ``$LATEST``. Raises ResourceNotFound."""
        if label == LATEST:
            return 0
        if str(label).isdecimal() and int(label) in function.versions:
            return int(label)
        latest = function.latest
        arn = latest.place.function(latest.function, str(label))
        raise ResourceNotFound(f"Function not found: {arn}")

    @staticmethod
    def _check_weights(wanted: Mapping[str, Any], faults: Faults) -> None:
        weights = (wanted.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        for label, weight in weights.items():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            told = "{" + f"{label}={float(weight) if number else weight}" + "}"
            if not str(label).isdecimal():
                faults.add(told, _WEIGHTS, _WEIGHT_KEYS)
            if not number or not 0 <= weight <= 1:
                faults.add(shown(told), _WEIGHTS, _WEIGHT_BOUNDS)

    def _additional(
        self, function: FunctionRecord, wanted: Mapping[str, Any], main: Any
    ) -> tuple[tuple[int, float], ...]:
        """The other version and its weight, checked against each other and the main one."""
        weights = (wanted.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        if len(weights) > ADDITIONAL_MAX:
            raise InvalidParameterValue(
                "Number of items in AdditionalVersionWeights cannot be greater than"
                f" {ADDITIONAL_MAX}"
            )
        for label, weight in weights.items():
            if main == LATEST:
                raise InvalidParameterValue(
                    "$LATEST is not supported for an alias pointing to more than 1 version"
                )
            if label == str(main):
                raise _included(int(label))
            number = self._number(function, label)
            self._check_alike(function, int(main), number)
            return ((number, float(weight)),)
        return ()

    @staticmethod
    def _check_alike(function: FunctionRecord, one: int, other: int) -> None:
        """Both versions act in one name: they must be the same principal, and fail alike."""
        first = function.versions[one].configuration
        second = function.versions[other].configuration
        for member, left, right in (
            ("execution role", first.role, second.role),
            ("dead-letter queue", first.dead_letter, second.dead_letter),
        ):
            if left != right:
                raise InvalidParameterValue(
                    f"Versions {one} and {other} must have the same {member} to share an alias."
                )


def _document(named: names.Named, record: AliasRecord) -> dict[str, Any]:
    return documents.alias(record, named.place.function(named.function, record.name))


def _included(number: int) -> InvalidParameterValue:
    return InvalidParameterValue(
        f"Invalid function version {number}. Function version {number} is already included in"
        " routing configuration."
    )


def _leads_to(alias: AliasRecord, number: int) -> bool:
    return alias.version == number or number in dict(alias.additional)
