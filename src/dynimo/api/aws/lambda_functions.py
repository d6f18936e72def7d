"""Functions: create, read, change, list, delete. The control plane's first half.

Checks what is asked, lets the registry do it, and shows the result. Versions and aliases are in
``lambda_versions``. Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from dynimo.api.aws import lambda_documents as documents
from dynimo.api.aws import names, pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_code import Uploads
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.lambda_settings import settled
from dynimo.api.aws.lambda_tags import check_tags
from dynimo.api.aws.preparing import Preparing
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from dynimo.model.function import Configuration
from dynimo.model.names import LATEST, Place
from dynimo.registry.records import Code, FunctionRecord, VersionRecord
from dynimo.registry.registry import Registry, check_revision, unchanged

REST_PATH = "/2015-03-31/functions"
_ONE = REST_PATH + "/{FunctionName}"


class Functions:
    """The operations on functions.

    ``runtimes`` are those that this host has; ``location`` gives the address of a code's zip as the
    caller of a request can reach it.
    """

    def __init__(
        self,
        registry: Registry,
        uploads: Uploads,
        preparing: Preparing,
        *,
        runtimes: Collection[str],
        location: Callable[[Call, Code], str],
    ) -> None:
        self._registry = registry
        self._uploads = uploads
        self._preparing = preparing
        self._runtimes = runtimes
        self._location = location

    def operations(self) -> list[Operation]:
        """All of them."""
        arn = names.function_arn

        def one(name: str, method: str, path: str, run: Any, status: int = 200) -> Operation:
            return Operation(
                name=name, method=method, path=path, run=run, status=status, resource=arn
            )

        return [
            Operation(name="CreateFunction", method="POST", path=REST_PATH, run=self._create,
                      status=201, resource=_created_arn),
            Operation(name="ListFunctions", method="GET", path=REST_PATH, run=self._list),
            one("GetFunction", "GET", _ONE, self._get),
            one("GetFunctionConfiguration", "GET", _ONE + "/configuration", self._configuration),
            one("UpdateFunctionCode", "PUT", _ONE + "/code", self._update_code),
            one("UpdateFunctionConfiguration", "PUT", _ONE + "/configuration", self._update),
            one("DeleteFunction", "DELETE", _ONE, self._delete, 204),
        ]  # fmt: skip

    async def _create(self, call: Call) -> Answer:
        self._uploads.check_request(len(call.request.body), "CreateFunction")
        wanted = asked(call)
        _check_created(wanted)
        named = names.parse(call, str(wanted["FunctionName"]))
        check_tags(wanted.get("Tags") or {})
        place = call.place
        configuration = self._settled(wanted, Configuration(), place)
        self._refuse_second(place, named.function)
        code = await self._uploads.take(
            wanted["Code"], held_bytes=held_bytes(self._registry, place.account)
        )
        self._refuse_second(place, named.function)
        function = self._registry.create(place, named.function, configuration, code)
        if wanted.get("Tags"):
            self._registry.documents.put("tags", place.account, named.function, "", wanted["Tags"])
        shown = function.latest
        if wanted.get("Publish"):
            shown = self._registry.publish(function)
        self._preparing.begin(function, creating=True)
        return Answer(document=self._shown(shown, function, arn=place.function(named.function)))

    async def _get(self, call: Call) -> Answer:
        named = names.named(call)
        record = self._registry.record(named.place, named.function, named.qualifier)
        function = self._registry.function(named.place, named.function)
        account = named.place.account
        document: dict[str, Any] = {
            "Configuration": self._shown(record, function, arn=named.arn),
            "Code": {"RepositoryType": "S3", "Location": self._location(call, record.code)},
        }
        tags = self._registry.documents.get("tags", account, named.function)
        if tags:
            document["Tags"] = tags
        reserved = self._registry.documents.get("concurrency", account, named.function)
        if reserved is not None:
            document["Concurrency"] = reserved
        return Answer(document=document)

    async def _configuration(self, call: Call) -> Answer:
        named = names.named(call)
        record = self._registry.record(named.place, named.function, named.qualifier)
        function = self._registry.function(named.place, named.function)
        return Answer(document=self._shown(record, function, arn=named.arn))

    async def _list(self, call: Call) -> Answer:
        which = call.first("FunctionVersion")
        faults = Faults()
        faults.one_of(which, "functionVersion", ("ALL",))
        faults.check()
        functions = self._registry.functions(call.place.account)
        rows: list[tuple[str, FunctionRecord, VersionRecord, str]] = []
        for function in functions:
            name = function.latest.function
            numbered = [function.versions[number] for number in sorted(function.versions)]
            for record in [function.latest, *(numbered if which else ())]:
                label = _label(record)
                arn = record.place.function(name, label if which else "")
                rows.append((f"{name}:{record.number:012}", function, record, arn))
        found = pages.page(
            call,
            rows,
            lambda row: row[0],
            lambda row: documents.listed(self._shown(row[2], row[1], arn=row[3])),
        )
        return Answer(document=pages.listed("Functions", found))

    async def _update_code(self, call: Call) -> Answer:
        self._uploads.check_request(len(call.request.body), "UpdateFunctionCode")
        wanted = asked(call)
        named, function = self._changed(call)
        check_revision(wanted.get("RevisionId"), function.latest.revision)
        before = function.latest
        if wanted.get("ImageUri"):
            raise InvalidParameterValue(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        held = held_bytes(self._registry, named.place.account)
        code = await self._uploads.take(wanted, held_bytes=held)
        changed = {key: wanted[key] for key in ("Architectures",) if wanted.get(key)}
        configuration = self._settled(changed, before.configuration, named.place)
        arn = named.place.function(named.function)
        if wanted.get("DryRun"):
            return Answer(document=self._shown(before, function, arn=arn))
        self._still(function, before)
        self._registry.update(function, code=code, configuration=configuration)
        return self._changed_to(function, before, publish=bool(wanted.get("Publish")))

    async def _update(self, call: Call) -> Answer:
        wanted = asked(call)
        _, function = self._changed(call)
        before = function.latest
        check_revision(wanted.get("RevisionId"), before.revision)
        configuration = self._settled(wanted, before.configuration, before.place)
        self._registry.update(function, configuration=configuration)
        return self._changed_to(function, before, publish=False)

    async def _delete(self, call: Call) -> Answer:
        named = names.named(call)
        function = self._registry.function(named.place, named.function, named.qualifier)
        if not named.qualifier:
            self._registry.delete(function)
            for gone in (function.latest, *function.versions.values()):
                self._preparing.retire(gone)
            await self._preparing.changed(named.place, named.function)
            return Answer(status=204)
        if named.qualifier == LATEST:
            raise InvalidParameterValue(
                "$LATEST version cannot be deleted without deleting the function."
            )
        if not named.qualifier.isdecimal():
            raise InvalidParameterValue("Deletion of aliases is not currently supported.")
        record = function.versions.get(int(named.qualifier))
        if record is None:
            raise ResourceNotFound(f"Function not found: {named.arn}")
        self._registry.delete_version(function, record.number)
        self._preparing.retire(record)
        await self._preparing.changed(named.place, named.function)
        return Answer(status=204)

    def _settled(
        self, wanted: Mapping[str, Any], before: Configuration, place: Place
    ) -> Configuration:
        layers = self._registry.layers
        return settled(wanted, before, layers=layers, region=place.region, runtimes=self._runtimes)

    def _changed(self, call: Call) -> tuple[names.Named, FunctionRecord]:
        """The function that is to be changed, when nothing else is changing it."""
        named = names.named(call)
        function = self._registry.function(named.place, named.function)
        self._registry.check_idle(function)
        return named, function

    def _still(self, function: FunctionRecord, before: VersionRecord) -> None:
        """Refuse to go on where somebody else has changed or removed it meanwhile."""
        self._registry.check_idle(function)
        place = before.place
        if self._registry.function(place, before.function) is not function:
            raise ResourceNotFound(f"Function not found: {place.function(before.function)}")
        if not unchanged(function, before):
            raise ResourceConflict(
                "The operation cannot be performed at this time. An update is in progress for"
                f" resource: {place.function(before.function)}"
            )

    def _changed_to(
        self, function: FunctionRecord, before: VersionRecord, *, publish: bool
    ) -> Answer:
        place, name = before.place, before.function
        self._preparing.retire(before)
        shown = self._registry.publish(function) if publish else function.latest
        self._preparing.begin(function)
        arn = place.function(name, str(shown.number) if publish else "")
        return Answer(document=self._shown(shown, function, arn=arn, updating=True))

    def _refuse_second(self, place: Place, name: str) -> None:
        if self._registry.exists(place, name):
            raise ResourceConflict(f"Function already exist: {name}")

    def _shown(
        self, record: VersionRecord, function: FunctionRecord, *, arn: str, updating: bool = False
    ) -> dict[str, Any]:
        state = function if updating or not record.number or function.state == "Pending" else None
        return documents.version(record, self._registry, arn=arn, state=state)


def held_bytes(registry: Registry, account: str) -> int:
    """The zips of an account together."""
    return sum(
        record.code.size
        for function in registry.functions(account)
        for record in (function.latest, *function.versions.values())
    )


def _created_arn(call: Call) -> str:
    """What policies are asked about when a function is made."""
    name = str(call.document().get("FunctionName") or "*")
    return call.place.function(name.rpartition(":")[2] or "*")


def _label(record: VersionRecord) -> str:
    return str(record.number) if record.number else LATEST


def _check_created(wanted: dict[str, Any]) -> None:
    faults = Faults()
    for member in ("FunctionName", "Role", "Code"):
        faults.required(wanted.get(member), member[0].lower() + member[1:])
    faults.check()
    if wanted.get("PackageType", "Zip") != "Zip":
        raise InvalidParameterValue("Dynimo runs zips, not containers: PackageType Zip.")
    if not wanted.get("Runtime") or not wanted.get("Handler"):
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment"
            " packages."
        )
    if not isinstance(wanted["Code"], dict):
        raise InvalidParameterValue("Please provide a source for function code.")
