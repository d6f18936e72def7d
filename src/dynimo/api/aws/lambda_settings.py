"""From CreateFunction's and UpdateFunctionConfiguration's members to a configuration. Pure.

Here live the members' limits and AWS's words for what breaks them, and what this platform lacks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from dynimo.api.aws.validation import Faults, shown
from dynimo.model.errors import InvalidParameterValue
from dynimo.model.function import Configuration, Logging
from dynimo.registry.layers import Layers
from dynimo.sdk.app import NETWORKS

ENVIRONMENT_BYTES_MAX = 4096
LAYERS_MAX = 5
NETWORK_TAG = "dynimo:network"
LAYER_CHARACTERS_MAX = 140
LAYER_PATTERN = (
    r"(arn:[a-zA-Z0-9-]+:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:"
    r"[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
)
ROLE_PATTERN = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
RUNTIMES = (
    "nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x",
    "nodejs22.x", "java25", "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4",
    "provided.al2", "java17", "dotnet8", "dotnet10", "nodejs18.x", "python3.9",
)  # fmt: skip
"""Runtimes that AWS would take; which of them this host has is another question."""
DEPRECATED = (
    "nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x",
    "nodejs16.x", "python2.7", "python3.6", "python3.7", "python3.8", "java8", "java8.al2",
    "java11", "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6",
    "go1.x", "ruby2.5", "ruby2.7", "ruby3.2", "provided",
)  # fmt: skip
RESERVED_NAMES = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ]
)
_LACKING = {
    "VpcConfig": "virtual networks", "FileSystemConfigs": "network file systems",
    "ImageConfig": "containers", "KMSKeyArn": "keys of a key service",
    "CapacityProviderConfig": "capacity providers", "DurableConfig": "durable executions",
    "TenancyConfig": "tenants",
}  # fmt: skip


def settled(
    wanted: Mapping[str, Any],
    before: Configuration,
    *,
    layers: Layers,
    region: str,
    runtimes: Collection[str],
) -> Configuration:
    """``before`` with the members that ``wanted`` names; layers must be of ``region``.

    Raises:
        ValidationFailed, InvalidParameterValue: a member cannot be used.
    """
    _check(wanted)
    for member, what in _LACKING.items():
        if any(_held(wanted.get(member))):
            raise InvalidParameterValue(f"{member}: Dynimo has no {what}; leave it out.")
    changed: dict[str, Any] = {}
    for member, name in (
        ("Handler", "handler"), ("Role", "role"), ("Description", "description"),
        ("Timeout", "timeout_seconds"), ("MemorySize", "memory_mib"),
    ):  # fmt: skip
        if wanted.get(member) is not None:
            changed[name] = wanted[member]
    if wanted.get("Runtime") is not None:
        check_runtime(wanted["Runtime"], runtimes)
        changed["runtime"] = wanted["Runtime"]
    if wanted.get("Environment") is not None:
        changed["environment"] = _environment(wanted["Environment"])
    if wanted.get("EphemeralStorage") is not None:
        changed["ephemeral_mib"] = wanted["EphemeralStorage"].get("Size", 512)
    if wanted.get("Layers") is not None:
        changed["layers"] = _layers(wanted["Layers"], layers, region)
    if wanted.get("Architectures"):
        changed["architecture"] = wanted["Architectures"][0]
    if wanted.get("DeadLetterConfig") is not None:
        changed["dead_letter"] = wanted["DeadLetterConfig"].get("TargetArn") or ""
    if wanted.get("TracingConfig") is not None:
        changed["tracing"] = wanted["TracingConfig"].get("Mode", "PassThrough")
    if wanted.get("SnapStart") is not None:
        changed["snap_start"] = wanted["SnapStart"].get("ApplyOn", "None")
    if wanted.get("LoggingConfig") is not None:
        changed["logging"] = _logging(wanted["LoggingConfig"], before.logging)
    network = (wanted.get("Tags") or {}).get(NETWORK_TAG)
    if network is not None:
        changed["network"] = checked_network(network)
    return replace(before, **changed)


def checked_network(network: str) -> str:
    """A network switch that is one. Raises InvalidParameterValue."""
    if network not in NETWORKS:
        raise InvalidParameterValue(
            f"The tag {NETWORK_TAG} is '{network}'; it must be one of {', '.join(NETWORKS)}."
        )
    return network


def check_runtime(runtime: str, present: Collection[str]) -> None:
    """Refuse a runtime that does not exist, is no longer supported, or is not on this host."""
    if runtime in DEPRECATED:
        raise InvalidParameterValue(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating"
            " AWS Lambda functions. We recommend you use a supported runtime while creating or"
            " updating functions."
        )
    if runtime not in RUNTIMES:
        raise InvalidParameterValue(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum"
            f" value set: [{', '.join(RUNTIMES)}] or be a valid ARN"
        )
    if runtime not in present:
        raise InvalidParameterValue(
            f"The runtime {runtime} is not available on this host, which has:"
            f" {', '.join(sorted(present))}. Install it, or choose another."
        )


def _check(wanted: Mapping[str, Any]) -> None:
    faults = Faults()
    faults.pattern(wanted.get("Role"), "role", ROLE_PATTERN)
    faults.between(wanted.get("Timeout"), "timeout", 1, 900)
    faults.between(wanted.get("MemorySize"), "memorySize", 128, 10_240)
    faults.at_most(wanted.get("Description"), "description", 256)
    faults.at_most(wanted.get("Handler"), "handler", 128)
    faults.pattern(wanted.get("Handler"), "handler", r"[^\s]+")
    storage = wanted.get("EphemeralStorage") or {}
    faults.between(storage.get("Size"), "ephemeralStorage.size", 512, 10_240)
    tracing = wanted.get("TracingConfig") or {}
    faults.one_of(tracing.get("Mode"), "tracingConfig.mode", ("Active", "PassThrough"))
    snap = wanted.get("SnapStart") or {}
    faults.one_of(snap.get("ApplyOn"), "snapStart.applyOn", ("PublishedVersions", "None"))
    architectures = wanted.get("Architectures")
    if architectures:
        faults.at_most(architectures, "architectures", 1)
        if len(architectures) == 1 and architectures[0] not in {"x86_64", "arm64"}:
            constraint = (
                "Member must satisfy constraint: [Member must satisfy enum value set:"
                " [x86_64, arm64], Member must not be null]"
            )
            faults.add(shown(architectures), "architectures", constraint)
    faults.check()


def _environment(wanted: Mapping[str, Any]) -> dict[str, str]:
    variables = dict(wanted.get("Variables") or {})
    reserved = sorted(RESERVED_NAMES & variables.keys())
    if reserved:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided contains reserved keys that are currently not supported"
            f" for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    faults = Faults()
    for name, value in variables.items():
        faults.pattern(name, "environment.variables", r"[a-zA-Z]([a-zA-Z0-9_])+")
        if not isinstance(value, str) or "\0" in value:
            faults.add(value, "environment.variables", "Member must be a text without NUL")
    faults.check()
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode("utf-8", "surrogatepass")) > ENVIRONMENT_BYTES_MAX:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided exceeded the 4KB limit. String measured: " + measured
        )
    return variables


def _layers(wanted: Any, layers: Layers, region: str) -> tuple[str, ...]:
    arns = tuple(map(str, wanted))
    if len(arns) > LAYERS_MAX:
        raise InvalidParameterValue(f"Cannot reference more than {LAYERS_MAX} layers.")
    faults = Faults()
    if not all(
        re.fullmatch(LAYER_PATTERN, arn) and len(arn) <= LAYER_CHARACTERS_MAX for arn in arns
    ):
        constraint = (
            "Member must satisfy constraint: [Member must have length less than or equal to"
            f" {LAYER_CHARACTERS_MAX}, Member must have length greater than or equal to 1, Member"
            f" must satisfy regular expression pattern: {LAYER_PATTERN}, Member must not be null]"
        )
        faults.add(shown(arns), "layers", constraint)
    faults.check()
    seen: dict[str, str] = {}
    for arn in arns:
        if arn.split(":")[3] != region:
            raise InvalidParameterValue(
                "Layers are not in the same region as the function. Layers are expected to be in"
                f" region {region}."
            )
        if layers.by_arn(arn) is None:
            raise InvalidParameterValue(f"Layer version {arn} does not exist.")
        name = arn.rpartition(":")[0]
        if name in seen:
            raise InvalidParameterValue(
                "Two different versions of the same layer are not allowed to be referenced in the"
                f" same function. {seen[name]} and {arn} are versions of the same layer."
            )
        seen[name] = arn
    return arns


def _logging(wanted: Mapping[str, Any], before: Logging) -> Logging:
    faults = Faults()
    faults.one_of(wanted.get("LogFormat"), "loggingConfig.logFormat", ("Text", "JSON"))
    levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    application, system = wanted.get("ApplicationLogLevel"), wanted.get("SystemLogLevel")
    faults.one_of(application, "loggingConfig.applicationLogLevel", levels)
    faults.one_of(system, "loggingConfig.systemLogLevel", ("DEBUG", "INFO", "WARN"))
    faults.pattern(wanted.get("LogGroup"), "loggingConfig.logGroup", r"[\.\-_/#A-Za-z0-9]+")
    faults.check()
    form = wanted.get("LogFormat") or before.form
    if form != "JSON" and (application or system):
        raise InvalidParameterValue(
            "To use the ApplicationLogLevel or SystemLogLevel, you must set LogFormat to JSON."
        )
    return Logging(
        form=form,
        group=wanted.get("LogGroup") or before.group,
        application_level=application or (before.application_level if form == "JSON" else ""),
        system_level=system or (before.system_level if form == "JSON" else ""),
    )


def _held(value: Any) -> list[Any]:
    """What a member holds beside nothing, so that empty ones may pass."""
    if isinstance(value, Mapping):
        return [each for inner in value.values() for each in _held(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _held(inner)]
    return [value] if value else []
