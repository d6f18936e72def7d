"""How functions, aliases and layers look to a client of AWS Lambda. Pure; keys as the service's."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from dynimo.registry.records import AliasRecord, FunctionRecord, LayerRecord, VersionRecord
from dynimo.registry.registry import Registry

CREATING = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}
UPDATING = {
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}

_NOT_LISTED = frozenset({*CREATING, *UPDATING, "RuntimeVersionConfig"})


def version(
    record: VersionRecord, registry: Registry, *, arn: str, state: FunctionRecord | None = None
) -> dict[str, Any]:
    """A FunctionConfiguration. ``state`` tells what is being done, for ``$LATEST``."""
    settings = record.configuration
    document = {
        "FunctionName": record.function,
        "FunctionArn": arn,
        "Runtime": settings.runtime or "python3.11",
        "Role": settings.role,
        "Handler": settings.handler,
        "CodeSize": record.code.size,
        "Description": settings.description,
        "Timeout": int(settings.timeout_seconds),
        "MemorySize": settings.memory_mib,
        "LastModified": record.modified,
        "CodeSha256": sha256(record.code.sha256),
        "Version": str(record.number) if record.number else "$LATEST",
        "TracingConfig": {"Mode": settings.tracing},
        "RevisionId": record.revision,
        "PackageType": "Zip",
        "Architectures": [settings.architecture],
        "EphemeralStorage": {"Size": settings.ephemeral_mib},
        "SnapStart": {"ApplyOn": settings.snap_start, "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_arn(record)},
        "LoggingConfig": _logging(record),
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
    if settings.environment is not None:
        document["Environment"] = {"Variables": dict(settings.environment)}
    if settings.dead_letter:
        document["DeadLetterConfig"] = {"TargetArn": settings.dead_letter}
    if settings.layers:
        document["Layers"] = [_layer_reference(each, registry) for each in settings.layers]
    if state is not None and state.state == "Pending":
        document |= CREATING
        del document["LastUpdateStatus"]
    elif state is not None and state.update == "InProgress":
        document |= UPDATING
    return document


def listed(document: dict[str, Any]) -> dict[str, Any]:
    """A FunctionConfiguration as lists show it: without what is being done to it, and with what."""
    return {name: value for name, value in document.items() if name not in _NOT_LISTED}


def alias(record: AliasRecord, arn: str) -> dict[str, Any]:
    """An AliasConfiguration."""
    document: dict[str, Any] = {
        "AliasArn": arn,
        "Name": record.name,
        "FunctionVersion": str(record.version) if record.version else "$LATEST",
        "Description": record.description,
        "RevisionId": record.revision,
    }
    if record.additional:
        weights = {str(number): weight for number, weight in record.additional}
        document["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    return document


def layer(record: LayerRecord) -> dict[str, Any]:
    """A LayerVersionsListItem; GetLayerVersion adds the content."""
    document: dict[str, Any] = {
        "LayerVersionArn": record.arn,
        "Version": record.number,
        "Description": record.description,
        "CreatedDate": record.created,
    }
    if record.runtimes:
        document["CompatibleRuntimes"] = list(record.runtimes)
    if record.architectures:
        document["CompatibleArchitectures"] = list(record.architectures)
    if record.license:
        document["LicenseInfo"] = record.license
    return document


def sha256(hexadecimal: str) -> str:
    """A hash in base64, as CodeSha256 shows it."""
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def runtime_arn(record: VersionRecord) -> str:
    """The RuntimeVersionArn: a stable name for the runtime that runs it."""
    name = hashlib.sha256(record.configuration.runtime.encode()).hexdigest()
    return f"arn:aws:lambda:{record.place.region}::runtime:{name}"


def _logging(record: VersionRecord) -> dict[str, Any]:
    logging = record.configuration.logging
    document = {
        "LogFormat": logging.form,
        "LogGroup": logging.group or f"/aws/lambda/{record.function}",
    }
    if logging.form == "JSON":
        document["ApplicationLogLevel"] = logging.application_level or "INFO"
        document["SystemLogLevel"] = logging.system_level or "INFO"
    return document


def _layer_reference(arn: str, registry: Registry) -> dict[str, Any]:
    record = registry.layers.by_arn(arn)
    return {"Arn": arn, "CodeSize": record.code.size if record is not None else 0}
