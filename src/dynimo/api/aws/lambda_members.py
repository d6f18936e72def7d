"""What the members of a request to AWS Lambda are: texts, numbers, lists, structures. Pure.

One table for all operations, for a name means the same in each (botocore's service model). What a
member may be beside its type is with its operation. Members that are not here are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeAlias

from dynimo.api.aws.calls import Call
from dynimo.model.errors import SerializationFailed

Shape: TypeAlias = "str | list[Shape] | dict[str, Shape]"
"""``text``, ``whole``, ``number`` or ``flag``; a list of one shape; a structure by its members.

A structure whose only member is ``*`` is a map.
"""

ANY = "*"
_TEXTS = (
    "Action", "AuthType", "CodeSha256", "CodeSigningConfigArn", "Description", "EventSourceArn",
    "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "FunctionVersion", "Handler",
    "ImageUri", "InvokeMode", "KMSKeyArn", "LicenseInfo", "Name", "OrganizationId", "PackageType",
    "Principal", "PrincipalOrgID", "RecursiveLoop", "RevisionId", "Role", "Runtime",
    "RuntimeVersionArn", "S3Bucket", "S3Key", "S3ObjectVersion", "SourceAccount", "SourceArn",
    "StartingPosition", "StatementId", "UpdateRuntimeOn", "ZipFile",
)  # fmt: skip
_WHOLE = (
    "BatchSize", "MaximumBatchingWindowInSeconds", "MaximumEventAgeInSeconds",
    "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "MemorySize", "ParallelizationFactor",
    "ProvisionedConcurrentExecutions", "ReservedConcurrentExecutions", "Timeout",
    "TumblingWindowInSeconds",
)  # fmt: skip
_FLAGS = ("BisectBatchOnFunctionError", "DryRun", "Enabled", "InvokedViaFunctionUrl", "Publish")
_LISTS = (
    "Architectures", "CompatibleArchitectures", "CompatibleRuntimes", "FunctionResponseTypes",
    "Layers", "Queues", "Topics",
)  # fmt: skip
_SOURCES = ("S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile")
_CONTENT: dict[str, Shape] = dict.fromkeys(_SOURCES, "text")
_DESTINATION: Shape = {"Destination": "text"}
MEMBERS: dict[str, Shape] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_WHOLE, "whole"),
    **dict.fromkeys(_FLAGS, "flag"),
    **{name: ["text"] for name in _LISTS},
    "Code": {**_CONTENT, "ImageUri": "text"},
    "Content": _CONTENT,
    "Cors": {
        "AllowCredentials": "flag", "AllowHeaders": ["text"], "AllowMethods": ["text"],
        "AllowOrigins": ["text"], "ExposeHeaders": ["text"], "MaxAge": "whole",
    },
    "DeadLetterConfig": {"TargetArn": "text"},
    "DestinationConfig": {"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION},
    "Environment": {"Variables": {ANY: "text"}},
    "EphemeralStorage": {"Size": "whole"},
    "FileSystemConfigs": [{"Arn": "text", "LocalMountPath": "text"}],
    "FilterCriteria": {"Filters": [{"Pattern": "text"}]},
    "ImageConfig": {"Command": ["text"], "EntryPoint": ["text"], "WorkingDirectory": "text"},
    "LoggingConfig": {
        "ApplicationLogLevel": "text", "LogFormat": "text", "LogGroup": "text",
        "SystemLogLevel": "text",
    },
    "RoutingConfig": {"AdditionalVersionWeights": {ANY: "number"}},
    "ScalingConfig": {"MaximumConcurrency": "whole"},
    "SelfManagedEventSource": {"Endpoints": {ANY: ["text"]}},
    "SnapStart": {"ApplyOn": "text"},
    "SourceAccessConfigurations": [{"Type": "text", "URI": "text"}],
    "Tags": {ANY: "text"},
    "TracingConfig": {"Mode": "text"},
    "VpcConfig": {"SecurityGroupIds": ["text"], "SubnetIds": ["text"]},
}  # fmt: skip
_SAID = {"text": "a text", "whole": "a whole number", "number": "a number", "flag": "true or false"}


def asked(call: Call) -> dict[str, Any]:
    """The document of a request, each member of its type; members that are null are left out.

    Raises:
        InvalidRequestContent: it is no JSON object.
        SerializationFailed: a member is of another type than the service model's.
    """
    found: dict[str, Any] = _structure(call.document(), MEMBERS, "")
    return found


def _read(value: Any, shape: Shape, member: str) -> Any:
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            raise _wrong(member, "a structure")
        if ANY in shape:
            return {_text(key, member): _read(value[key], shape[ANY], member) for key in value}
        return _structure(value, shape, f"{member}.")
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _wrong(member, "a list")
        return [_read(each, shape[0], member) for each in value]
    if shape == "text":
        return _text(value, member)
    if shape == "flag":
        if not isinstance(value, bool):
            raise _wrong(member, _SAID[shape])
        return value
    if not _is_number(value) or (shape == "whole" and value != int(value)):
        raise _wrong(member, _SAID[shape])
    return int(value) if shape == "whole" else value


def _is_number(value: Any) -> bool:
    """Whether it is one that fits into 64 bits."""
    if isinstance(value, int):
        return not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, float) and isfinite(value)


def _structure(value: Mapping[str, Any], shapes: Mapping[str, Shape], prefix: str) -> Any:
    return {
        name: _read(each, shapes[name], prefix + name) if name in shapes else each
        for name, each in value.items()
        if each is not None
    }


def _text(value: Any, member: str) -> str:
    if not isinstance(value, str):
        raise _wrong(member, _SAID["text"])
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong(member, "a text of whole characters") from None
    return value


def _wrong(member: str, what: str) -> SerializationFailed:
    return SerializationFailed(f"The member '{member}' of the request must be {what}.")
