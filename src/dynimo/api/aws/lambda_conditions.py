"""The condition keys of AWS Lambda that a request itself decides. Pure.

Source: AWS's Service Authorization Reference, "Actions, resources, and condition keys for AWS
Lambda". Only small documents are looked at: those that carry code have no such key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynimo.api.aws.calls import Call
from dynimo.api.aws.names import function_arn
from dynimo.model.errors import AwsError

DOCUMENT_BYTES_MAX = 64 * 1024
_MEMBERS = {
    "AddPermission": {
        "Principal": "lambda:Principal",
        "FunctionUrlAuthType": "lambda:FunctionUrlAuthType",
    },
    "CreateFunctionUrlConfig": {"AuthType": "lambda:FunctionUrlAuthType"},
    "UpdateFunctionUrlConfig": {"AuthType": "lambda:FunctionUrlAuthType"},
    "CreateEventSourceMapping": {"FunctionName": "lambda:FunctionArn"},
    "UpdateEventSourceMapping": {"FunctionName": "lambda:FunctionArn"},
}
"""Operation → member of its document → condition key."""


def of(operation: str, call: Call) -> dict[str, Sequence[str]]:
    """The keys of one call, in lower case, with their values."""
    found: dict[str, Sequence[str]] = {}
    peer = call.request.peer
    if peer:
        found["aws:sourceip"] = [peer]
    agent = call.request.headers.get("user-agent")
    if agent:
        found["aws:useragent"] = [agent]
    members = _MEMBERS.get(operation)
    if members is None or len(call.request.body) > DOCUMENT_BYTES_MAX:
        return found
    try:
        document = call.document()
    except AwsError:
        return found  # the operation says what is wrong with it
    for member, key in members.items():
        value: Any = document.get(member)
        if isinstance(value, str) and value:
            text = _arn(call, value) if key == "lambda:FunctionArn" else value
            found[key.lower()] = [text]
    return found


def _arn(call: Call, name: str) -> str:
    named = Call(
        request=call.request, place=call.place, caller=call.caller,
        parameters={"FunctionName": name},
    )  # fmt: skip
    return function_arn(named)
