"""Refusals as AWS was recorded to give them: how a test says one, and looks at one. No asserts.

Source: LocalStack's snapshots of AWS. ``{fn}`` in what is asked and told stands for the function
that the cases of a file share, ``{arn}`` for the start of a function's ARN.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.aws import kit

FN = "fn"
MISSING = "doesnotexist"
BAD = "InvalidParameterValueException"
INVALID = "ValidationException"
NOT_FOUND = "ResourceNotFoundException"
CONFLICT = "ResourceConflictException"
STALE = "PreconditionFailedException"
NOT_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"

STATUS = {
    BAD: 400, INVALID: 400, NOT_FOUND: 404, NOT_PROVISIONED: 404, CONFLICT: 409, STALE: 412,
    "RequestEntityTooLargeException": 413, "RequestTooLargeException": 413,
    "InvalidRequestContentException": 400, "TooManyRequestsException": 429,
}  # fmt: skip
CAPITAL_MESSAGE = frozenset({NOT_FOUND})
"""Errors whose text is under ``Message``; of the others it is under ``message``."""
WITHOUT_TYPE = frozenset({INVALID})

ONE_ERROR = "1 validation error detected: Value "


@dataclass(frozen=True)
class Case:
    """One refusal. ``cut`` says that the record ends before the message does."""

    operation: str
    asked: dict[str, Any]
    code: str
    message: str
    cut: bool = False

    def __str__(self) -> str:
        return f"{self.operation}-{self.message[:60]}"


@dataclass(frozen=True)
class Wire:
    """An answer as it came: nothing of it was parsed by the client."""

    status: int
    headers: dict[str, str]
    body: bytes


def watched(aws: Any) -> list[Wire]:
    """Every answer that a client gets from here on, as it came."""
    seen: list[Wire] = []

    def note(response_dict: dict[str, Any], **_: Any) -> None:
        headers = {name.lower(): value for name, value in response_dict["headers"].items()}
        seen.append(Wire(response_dict["status_code"], headers, response_dict["body"]))

    aws.meta.events.register("before-parse.lambda.*", note)
    return seen


def told(case: Case, aws: Any, seen: list[Wire]) -> tuple[Any, Any]:
    """(what AWS answers to a case, what the platform answered), in one form."""
    seen.clear()
    try:
        answer: Any = getattr(aws, case.operation)(**filled(case.asked))
    except ClientError:
        answer = None
    if not seen:
        return "an answer", f"none: {answer}"
    wire = seen[-1]
    message_key = "Message" if case.code in CAPITAL_MESSAGE else "message"
    expected = {
        "status": STATUS[case.code],
        "code": case.code,
        "kind": None if case.code in WITHOUT_TYPE else "User",
        message_key: filled(case.message),
    }
    document = json.loads(wire.body) if wire.body else {}
    got = {
        "status": wire.status,
        "code": wire.headers.get("x-amzn-errortype"),
        "kind": document.pop("Type", None),
        **document,
    }
    text = got.get(message_key)
    if case.cut and isinstance(text, str):
        got[message_key] = text[: len(filled(case.message))]
    return expected, got


def filled(value: Any) -> Any:
    """A value with the shared function's name and ARN put in."""
    if isinstance(value, str):
        return value.replace("{fn}", FN).replace("{arn}", kit.ARN)
    if isinstance(value, dict):
        return {filled(key): filled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    return value


def two_versions(aws: Any, name: str = FN) -> None:
    """A function with versions 1 and 2 and the alias ``live`` of the first."""
    kit.create(aws, name, Publish=True)
    aws.update_function_configuration(FunctionName=name, Description="second")
    kit.updated(aws, name)
    aws.publish_version(FunctionName=name)
    aws.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
