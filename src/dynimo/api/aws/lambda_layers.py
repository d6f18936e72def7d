"""Layers: publish, read, list, delete, and who else may use them.

Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dynimo.api.aws import lambda_documents as documents
from dynimo.api.aws import pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_code import Uploads
from dynimo.api.aws.lambda_functions import held_bytes
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.lambda_settings import RUNTIMES
from dynimo.api.aws.validation import Faults, shown
from dynimo.model.errors import (
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
    ValidationFailed,
)
from dynimo.model.names import Place
from dynimo.registry.records import Code, LayerRecord
from dynimo.registry.registry import Registry, fresh_revision, timestamp

_ALL = "/2018-10-31/layers"
_ONE = _ALL + "/{LayerName}/versions"
_VERSION = _ONE + "/{VersionNumber}"
_POLICY = _VERSION + "/policy"
NAME_PATTERN = (
    r"(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+"
)
VERSION_PATTERN = (
    r"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))"
)
FILTER_RUNTIMES = (
    "ruby3.5", "ruby2.6", "dotnetcore1.0", "python3.7", "nodejs8.10", "nasa", "ruby2.7",
    "python2.7-greengrass", "dotnetcore2.0", "python3.8", "java21", "dotnet6", "dotnetcore2.1",
    "python3.9", "java11", "nodejs6.10", "provided", "dotnetcore3.1", "dotnet8", "dotnet10",
    "java25", "java17", "nodejs", "nodejs4.3", "java8.al2", "go1.x", "nodejs20.x", "go1.9", "byol",
    "nodejs10.x", "provided.al2023", "nodejs22.x", "nodejs24.x", "python3.10", "java8",
    "nodejs12.x", "python3.11", "nodejs8.x", "python3.12", "nodejs14.x", "nodejs8.9", "python3.13",
    "python3.14", "nodejs16.x", "provided.al2", "nodejs4.3-edge", "nodejs18.x", "ruby3.2",
    "python3.4", "ruby3.3", "ruby3.4", "ruby2.5", "python3.6", "python2.7",
)  # fmt: skip
"""What a list of layers may be asked for: every runtime that there ever was."""
ARCHITECTURES = ("x86_64", "arm64")
RUNTIMES_MAX = 15
PAGE_MAX = 50


class LayerOperations:
    """The operations on layers."""

    def __init__(
        self, registry: Registry, uploads: Uploads, location: Callable[[Call, Code], str]
    ) -> None:
        self._registry = registry
        self._layers = registry.layers
        self._uploads = uploads
        self._location = location

    def operations(self) -> list[Operation]:
        """All of them."""

        def one(name: str, method: str, path: str, run: Any, status: int = 200) -> Operation:
            return Operation(
                name=name, method=method, path=path, run=run, status=status, resource=_arn
            )

        return [
            one("PublishLayerVersion", "POST", _ONE, self._publish, 201),
            Operation(name="GetLayerVersionByArn", method="GET", path=_ALL, run=self._get_by_arn,
                      query_flag=("find", "LayerVersion"), resource=_queried_arn,
                      action="lambda:GetLayerVersion"),
            Operation(name="ListLayers", method="GET", path=_ALL, run=self._list),
            one("ListLayerVersions", "GET", _ONE, self._list_versions),
            one("GetLayerVersion", "GET", _VERSION, self._get),
            one("DeleteLayerVersion", "DELETE", _VERSION, self._delete, 204),
            one("AddLayerVersionPermission", "POST", _POLICY, self._add_permission, 201),
            one("GetLayerVersionPolicy", "GET", _POLICY, self._get_policy),
            one("RemoveLayerVersionPermission", "DELETE", _POLICY + "/{StatementId}",
                self._remove_permission, 204),
        ]  # fmt: skip

    async def _publish(self, call: Call) -> Answer:
        self._uploads.check_request(len(call.request.body), "PublishLayerVersion")
        wanted = asked(call)
        place, name = _named(call)
        _check_published(wanted)
        content = wanted.get("Content")
        if not isinstance(content, dict):
            raise InvalidParameterValue("Please provide a source for the layer's content.")
        held = held_bytes(self._registry, place.account)
        code = await self._uploads.take(content, held_bytes=held)
        record = self._layers.publish(
            LayerRecord(
                place=place,
                name=name,
                number=0,
                code=code,
                description=wanted.get("Description") or "",
                license=wanted.get("LicenseInfo") or "",
                runtimes=tuple(wanted.get("CompatibleRuntimes") or ()),
                architectures=tuple(wanted.get("CompatibleArchitectures") or ()),
                created=timestamp(),
            )
        )
        return Answer(document=self._whole(call, record))

    async def _get(self, call: Call) -> Answer:
        return Answer(document=self._whole(call, self._found(call)))

    async def _get_by_arn(self, call: Call) -> Answer:
        arn = call.first("Arn") or ""
        record = self._layers.by_arn(arn)
        if record is None:
            faults = Faults()
            faults.pattern(arn, "arn", VERSION_PATTERN)
            faults.check()
            raise _missing()
        return Answer(document=self._whole(call, record))

    async def _list(self, call: Call) -> Answer:
        keep = _filter(call)
        account = call.place.account
        rows = []
        for name in self._layers.names(account):
            versions = [each for each in self._layers.versions(call.place, name) if keep(each)]
            if versions:
                rows.append(versions[0])
        found = pages.page(
            call,
            rows,
            lambda record: record.name,
            lambda record: {
                "LayerName": record.name,
                "LayerArn": record.place.layer(record.name),
                "LatestMatchingVersion": documents.layer(record),
            },
            most=PAGE_MAX,
        )
        return Answer(document=pages.listed("Layers", found))

    async def _list_versions(self, call: Call) -> Answer:
        place, name = _named(call)
        keep = _filter(call)
        rows = [each for each in self._layers.versions(place, name) if keep(each)]
        top = 10**12  # newest first, while a page's keys rise
        found = pages.page(
            call, rows, lambda record: f"{top - record.number:013}", documents.layer, most=PAGE_MAX
        )
        return Answer(document=pages.listed("LayerVersions", found))

    async def _delete(self, call: Call) -> Answer:
        place, name = _named(call)
        number = _number(call)
        record = self._layers.get(place, name, number)
        if record is not None:
            self._layers.delete(record)
        return Answer(status=204)

    async def _add_permission(self, call: Call) -> Answer:
        wanted = asked(call)
        faults = Faults()
        for member in ("StatementId", "Action", "Principal"):
            faults.required(wanted.get(member), member[0].lower() + member[1:])
        faults.pattern(wanted.get("StatementId"), "statementId", r"([a-zA-Z0-9-_]+)")
        faults.pattern(wanted.get("Action"), "action", r"lambda:GetLayerVersion")
        faults.pattern(
            wanted.get("Principal"), "principal", r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root"
        )
        faults.check()
        record = self._permitted(call)
        statements, revision = _policy(record)
        _check_revision(call, revision)
        sid = wanted["StatementId"]
        if any(each["Sid"] == sid for each in statements):
            raise ResourceConflict(
                f"The statement id ({sid}) provided already exists. Please provide a new statement"
                " id, or remove the existing statement."
            )
        statement = _statement(wanted, record.arn)
        revision = self._keep_policy(record, [*statements, statement])
        return Answer(document={"Statement": json.dumps(statement), "RevisionId": revision})

    async def _get_policy(self, call: Call) -> Answer:
        record = self._permitted(call)
        statements, revision = _policy(record)
        if not statements:
            raise ResourceNotFound("No policy is associated with the given resource.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return Answer(document={"Policy": json.dumps(policy), "RevisionId": revision})

    async def _remove_permission(self, call: Call) -> Answer:
        record = self._permitted(call)
        sid = call.parameters["StatementId"]
        statements, revision = _policy(record)
        _check_revision(call, revision)
        kept = [each for each in statements if each["Sid"] != sid]
        if len(kept) == len(statements):
            raise ResourceNotFound(f"Statement {sid} is not found in resource policy.")
        self._keep_policy(record, kept)
        return Answer(status=204)

    def _keep_policy(self, record: LayerRecord, statements: list[dict[str, Any]]) -> str:
        """Keep a layer version's statements; their revision."""
        revision = fresh_revision()
        self._layers.replace(
            replace(record, policy={"statements": statements, "revision": revision})
        )
        return revision

    def _permitted(self, call: Call) -> LayerRecord:
        """The version whose policy is meant; others say in other words that it is not there."""
        place, name = _named(call)
        record = self._layers.get(place, name, _number(call))
        if record is None:
            raise ResourceNotFound(
                f"Layer version {place.layer(name, _number(call))} does not exist."
            )
        return record

    def _found(self, call: Call) -> LayerRecord:
        place, name = _named(call)
        record = self._layers.get(place, name, _number(call))
        if record is None:
            raise _missing()
        return record

    def _whole(self, call: Call, record: LayerRecord) -> dict[str, Any]:
        """GetLayerVersion's answer."""
        content = {
            "Location": self._location(call, record.code),
            "CodeSha256": documents.sha256(record.code.sha256),
            "CodeSize": record.code.size,
        }
        arn = record.place.layer(record.name)
        return {**documents.layer(record), "LayerArn": arn, "Content": content}


def _named(call: Call) -> tuple[Place, str]:
    """Whose layer, and its name. Raises ValidationFailed."""
    text = call.parameters["LayerName"]
    faults = Faults()
    faults.at_most(text, "layerName", 140)
    faults.pattern(text, "layerName", NAME_PATTERN)
    faults.check()
    if text.startswith("arn:"):
        parts = text.split(":")
        return Place(parts[4], parts[3]), parts[6]
    return call.place, text


def _number(call: Call) -> int:
    text = call.parameters["VersionNumber"]
    if not text.lstrip("-").isdecimal():
        raise ValidationFailed(f"The version number '{text}' is no number.")
    if int(text) < 1:
        raise InvalidParameterValue("Layer Version Cannot be less than 1")
    return int(text)


def _check_revision(call: Call, present: str) -> None:
    """Refuse a change made from an old view of a policy. Raises PreconditionFailed."""
    if call.first("RevisionId") not in (None, present):
        raise PreconditionFailed(
            "The Revision Id provided does not match the latest Revision Id. Call the"
            " GetLayerPolicy API to retrieve the latest Revision Id"
        )


def _missing() -> ResourceNotFound:
    return ResourceNotFound("The resource you requested does not exist.")


def _check_published(wanted: Mapping[str, Any]) -> None:
    faults = Faults()
    runtimes = wanted.get("CompatibleRuntimes") or []
    if any(each not in RUNTIMES for each in runtimes):
        listed = ", ".join(RUNTIMES)
        constraint = f"Member must satisfy enum value set: [{listed}]"
        faults.add(shown(runtimes), "compatibleRuntimes", constraint)
    architectures = wanted.get("CompatibleArchitectures") or []
    if any(each not in ARCHITECTURES for each in architectures):
        constraint = (
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64],"
            " Member must not be null]"
        )
        faults.add(shown(architectures), "compatibleArchitectures", constraint)
    faults.at_most(runtimes, "compatibleRuntimes", RUNTIMES_MAX)
    faults.at_most(wanted.get("Description"), "description", 256)
    faults.at_most(wanted.get("LicenseInfo"), "licenseInfo", 512)
    faults.check()


def _filter(call: Call) -> Callable[[LayerRecord], bool]:
    runtime, architecture = call.first("CompatibleRuntime"), call.first("CompatibleArchitecture")
    faults = Faults()
    faults.one_of(runtime, "compatibleRuntime", FILTER_RUNTIMES)
    faults.one_of(architecture, "compatibleArchitecture", ARCHITECTURES)
    faults.check()

    def keep(record: LayerRecord) -> bool:
        return (runtime is None or runtime in record.runtimes) and (
            architecture is None or architecture in record.architectures
        )

    return keep


def _statement(wanted: Mapping[str, Any], arn: str) -> dict[str, Any]:
    principal = wanted["Principal"]
    if principal != "*" and not principal.startswith("arn:"):
        principal = f"arn:aws:iam::{principal}:root"
    statement: dict[str, Any] = {
        "Sid": wanted["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": principal},
        "Action": wanted["Action"],
        "Resource": arn,
    }
    if wanted.get("OrganizationId"):
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": wanted["OrganizationId"]}}
    return statement


def _policy(record: LayerRecord) -> tuple[list[dict[str, Any]], str]:
    """A layer version's statements and their revision."""
    held: Mapping[str, Any] = record.policy or {}
    return list(held.get("statements", ())), str(held.get("revision", ""))


def _arn(call: Call) -> str:
    """What policies are asked about; never raises."""
    text = call.parameters["LayerName"]
    number = call.parameters.get("VersionNumber")
    name = text if text.startswith("arn:") else call.place.layer(text)
    return f"{name}:{number}" if number else name


def _queried_arn(call: Call) -> str:
    return call.first("Arn") or "*"
