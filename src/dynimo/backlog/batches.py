"""Batches of SQS messages: the event's shape, what filters let through, what answers say. Pure.

Source: AWS Lambda Developer Guide, using Lambda with Amazon SQS; recorded events.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dynimo.backlog.patterns import Pattern
from dynimo.model.invocation import Outcome

Received: TypeAlias = Mapping[str, Any]
"""A message as ReceiveMessage gives it."""

EVENT_BYTES_MAX = 6 * 1024 * 1024
RECEIVE_MAX = 10
"""Messages that one receive, or one delete, takes."""
REPORT = "ReportBatchItemFailures"


def record(message: Received, queue_arn: str) -> dict[str, Any]:
    """One record of the event."""
    region = queue_arn.split(":")[3]
    told: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes") or {}),
        "messageAttributes": {
            name: _attribute(held)
            for name, held in (message.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if message.get("MD5OfMessageAttributes"):
        told["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return told


def event(messages: Sequence[Received], queue_arn: str) -> bytes:
    """The event for a batch."""
    records = [record(message, queue_arn) for message in messages]
    return json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False).encode(
        errors="replace"
    )


def size(message: Received) -> int:
    """About how many bytes a message adds to the event."""
    return len(json.dumps(message["Body"], ensure_ascii=False).encode(errors="replace")) + 4096


def parts(messages: Sequence[Received]) -> list[list[Received]]:
    """A batch cut so that no event is over ``EVENT_BYTES_MAX``."""
    cut: list[list[Received]] = []
    room = 0
    for message in messages:
        needed = size(message)
        if not cut or needed > room:
            cut.append([])
            room = EVENT_BYTES_MAX
        cut[-1].append(message)
        room -= needed
    return cut


def passes(message: Received, patterns: Sequence[Pattern], queue_arn: str) -> bool:
    """Whether any pattern lets a message through; without patterns, all pass.

    A pattern that looks into ``body`` sees its JSON, and nothing passes that has none; one that
    lists values for it sees the text.
    """
    if not patterns:
        return True
    plain = record(message, queue_arn)
    parsed: dict[str, Any] | None = None
    try:
        body = json.loads(message["Body"])
        parsed = {**plain, "body": body} if isinstance(body, dict) else None
    except (ValueError, RecursionError):
        parsed = None
    for pattern in patterns:
        inside = isinstance(pattern.document.get("body"), dict) or "$or" in pattern.document
        seen = (parsed or (plain if "$or" in pattern.document else None)) if inside else plain
        if seen is not None and pattern.matches(seen):
            return True
    return False


def done(messages: Sequence[Received], outcome: Outcome, *, reported: bool) -> list[Received]:
    """Which messages of a batch are done with; the others come again.

    With ``reported`` the function names those that failed; if what it answers cannot be understood,
    all failed.
    """
    if outcome.error is not None:
        return []
    if not reported:
        return list(messages)
    failed = _failed(outcome.value or b"null")
    known = {message["MessageId"] for message in messages}
    if failed is None or not failed <= known:
        return []
    return [message for message in messages if message["MessageId"] not in failed]


def _failed(value: bytes) -> set[str] | None:
    """The ids that an answer names; None if it makes no sense."""
    try:
        answer = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if answer in (None, "", {}):
        return set()
    if not isinstance(answer, dict):
        return None
    items = answer.get("batchItemFailures", [])
    if items is None:
        return set()
    if not isinstance(items, list):
        return None
    failed = set()
    for item in items:
        name = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            return None
        failed.add(name)
    return failed


def _attribute(held: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "StringValue" in held:
        told["stringValue"] = held["StringValue"]
    if "BinaryValue" in held:
        told["binaryValue"] = base64.b64encode(held["BinaryValue"]).decode()
    return {
        **told,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": held.get("DataType", "String"),
    }
