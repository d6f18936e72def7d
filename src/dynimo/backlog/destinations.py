"""Where results go, and what is said there: targets by ARN, and the exact bodies. Pure.

Source: AWS Lambda Developer Guide, retaining records of asynchronous invocations; recorded answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from dynimo.backlog.events import Event
from dynimo.model.invocation import Outcome
from dynimo.model.names import LATEST, Place

UNDELIVERED = "undelivered"
"""The built-in queue of what could not be delivered."""
NO_BUS = (
    "Dynimo has no event bus yet, so an event bus cannot be a destination; name a function, an SQS"
    " queue, an SNS topic, or a built-in queue (arn:aws:dynimo:REGION:ACCOUNT:queue/NAME)."
)
ERROR_MESSAGE_CHARACTERS_MAX = 1024

_UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SQS and SNS refuse."""
_raw = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an ARN names: ``kind`` is ``function``, ``sqs``, ``sns``, ``queue`` or ``bus``."""

    arn: str
    kind: str
    place: Place
    name: str
    qualifier: str = ""


def target(arn: str) -> Target | None:
    """What an ARN names; None if nothing that results can go to."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn" or not parts[1].startswith("aws"):
        return None
    service, region, account, rest = parts[2], parts[3], parts[4], parts[5:]
    place = Place(account, region)
    if service == "lambda" and rest[0] == "function" and 2 <= len(rest) <= 3 and rest[1]:
        qualifier = rest[2] if len(rest) == 3 else ""
        return Target(arn=arn, kind="function", place=place, name=rest[1], qualifier=qualifier)
    if service in {"sqs", "sns"} and len(rest) == 1 and rest[0]:
        return Target(arn=arn, kind=service, place=place, name=rest[0])
    if service == "events" and rest[0].startswith("event-bus/"):
        return Target(arn=arn, kind="bus", place=place, name=rest[0].partition("/")[2])
    queue = rest[0].partition("queue/")
    if service == "dynimo" and not queue[0] and queue[2] and len(rest) == 1:
        return Target(arn=arn, kind="queue", place=place, name=queue[2])
    return None


def destination(document: Mapping[str, Any] | None, *, success: bool) -> str:
    """The ARN that an EventInvokeConfig names for a result, or nothing."""
    held = ((document or {}).get("DestinationConfig") or {}).get(
        "OnSuccess" if success else "OnFailure"
    )
    return str((held or {}).get("Destination") or "")


def record(event: Event, condition: str, outcome: Outcome | None, now: float) -> bytes:
    """The body for a destination, as AWS writes it; ``now`` is epoch seconds."""
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": timestamp(now),
        "requestContext": {
            "requestId": event.id,
            "functionArn": event.arn,
            "condition": condition,
            "approximateInvokeCount": event.tries,
        },
        "requestPayload": as_json(event.body),
    }
    if outcome is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": outcome.version or LATEST}
        if outcome.error is not None:
            context["functionError"] = "Unhandled"
        document["responseContext"] = context
        document["responsePayload"] = answered(outcome)
    return msgspec.json.encode(document)


def dead_letter_attributes(
    event: Event, outcome: Outcome | None, *, status: int, message: str
) -> dict[str, tuple[str, str]]:
    """The attributes of a dead letter: name → (data type, text). Its body is the event itself."""
    if outcome is not None and outcome.error is not None:
        status, message = 200, str(outcome.error.get("errorMessage") or "")
    attributes = {"RequestID": ("String", event.id), "ErrorCode": ("Number", str(status))}
    if message:
        told = _UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", message[:ERROR_MESSAGE_CHARACTERS_MAX])
        attributes["ErrorMessage"] = ("String", told)
    return attributes


def answered(outcome: Outcome) -> Any:
    """What the function answered, for a JSON document."""
    if outcome.error is not None:
        return msgspec.Raw(json.dumps(outcome.error).encode())  # it may hold halves of characters
    if outcome.reply is not None:
        return outcome.reply.body.decode(errors="replace")
    return as_json(outcome.value or b"null")


def as_json(body: bytes) -> Any:
    """JSON as it is, unparsed; what is none becomes a text."""
    try:
        return _raw.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")


def timestamp(now: float) -> str:
    """AWS's form: UTC, with milliseconds and a Z."""
    when = datetime.fromtimestamp(now, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
