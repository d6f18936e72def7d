"""What a request to CloudWatch Logs asks for, checked against the service model. Pure.

Members that are missing or of the wrong kind are refused in the service's words; nothing is looked
up here.
"""

from __future__ import annotations

import json
import re
from typing import Any

from dynimo.api.aws.calls import Call
from dynimo.model.errors import AwsError

_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_STREAM = re.compile(r"[^:*]{1,512}")
_GROUP_ARN = re.compile(r"arn:[^:]+:logs:[^:]*:[^:]*:log-group:([^:]+)(?::.*)?")


class LogsError(AwsError):
    """An error of CloudWatch Logs; all of them are 400 (JSON-RPC)."""

    status = 400
    kind = ""


class NotFound(LogsError):
    """No such group or stream."""

    code = "ResourceNotFoundException"


class Exists(LogsError):
    """There is such a group or stream."""

    code = "ResourceAlreadyExistsException"


class Invalid(LogsError):
    """A parameter cannot be used."""

    code = "InvalidParameterException"


class LimitExceeded(LogsError):
    """There are too many."""

    code = "LimitExceededException"


class Unreadable(LogsError):
    """The body is no JSON object."""

    code = "SerializationException"


class Asked:
    """The members of one request."""

    def __init__(self, call: Call) -> None:
        self.account = call.place.account
        self.place = call.place
        try:
            self._members = json.loads(call.request.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"The request is no JSON: {error}") from None
        if not isinstance(self._members, dict):
            raise Unreadable("The request is no JSON object.")

    def text(self, name: str, default: str = "") -> str:
        """A member that is text; ``default`` when it is not there."""
        value = self._members.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value.encode("utf-8", "ignore").decode() != value:
            raise Invalid(_fault(value, name, "Member must be a string"))
        return value

    def number(self, name: str, default: int, *, low: int = 0, high: int = 1 << 62) -> int:
        """A member that is a whole number within bounds."""
        value = self._members.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid(_fault(value, name, "Member must be a number"))
        if value < low:
            bound = f"Member must have value greater than or equal to {low}"
            raise Invalid(_fault(value, name, bound))
        if value > high:
            raise Invalid(
                _fault(value, name, f"Member must have value less than or equal to {high}")
            )
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A member that is true or false."""
        value = self._members.get(name)
        return default if value is None else value is True

    def texts(self, name: str) -> list[str]:
        """A member that is a list of texts."""
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise Invalid(_fault(value, name, "Member must be a list of strings"))
        return value

    def pairs(self, name: str) -> dict[str, str]:
        """A member that maps texts to texts."""
        value = self._members.get(name)
        if value is None:
            return {}
        held = value.items() if isinstance(value, dict) else [(None, None)]
        if not all(isinstance(key, str) and isinstance(each, str) for key, each in held):
            raise Invalid(_fault(value, name, "Member must be a map of strings"))
        return dict(held)

    def items(self, name: str) -> list[dict[str, Any]]:
        """A member that is a list of structures."""
        value = self._members.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise Invalid(_fault(value, name, "Member must not be null"))
        return value

    def group(self) -> str:
        """The group's name, from logGroupName or from logGroupIdentifier (a name or an ARN)."""
        name = self.text("logGroupName")
        identifier = self.text("logGroupIdentifier")
        if name and identifier:
            raise Invalid(
                "LogGroup name and LogGroup ARN are mutually exclusive parameters. Select only one."
            )
        return self._named(name or group_of(identifier), "logGroupName")

    def resource(self) -> str:
        """The group's name from resourceArn."""
        return self._named(group_of(self.text("resourceArn")), "resourceArn")

    def stream(self) -> str:
        """LogStreamName."""
        name = self.text("logStreamName")
        if not name:
            raise Invalid(_fault(None, "logStreamName", "Member must not be null"))
        if not _STREAM.fullmatch(name):
            pattern = "Member must satisfy regular expression pattern: [^:*]*"
            raise Invalid(_fault(name, "logStreamName", pattern))
        return name

    def _named(self, name: str, member: str) -> str:
        if not name:
            raise Invalid(_fault(None, member, "Member must not be null"))
        if not _GROUP.fullmatch(name):
            pattern = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
            raise Invalid(_fault(name, member, pattern))
        return name


def group_of(identifier: str) -> str:
    """A group's name from its name or its ARN."""
    found = _GROUP_ARN.fullmatch(identifier)
    return found[1] if found else identifier


def resource_arn(call: Call) -> str:
    """What policies are asked about: the stream or the group of a request; never raises."""
    try:
        asked = Asked(call)
        identifier = asked.text("logGroupIdentifier") or asked.text("resourceArn")
        group = asked.text("logGroupName") or group_of(identifier) or "*"
        stream = asked.text("logStreamName")
    except LogsError:
        group, stream = "*", ""
    tail = f"log-stream:{stream}" if stream else "*"
    return call.place.arn("logs", f"log-group:{group}:{tail}")


def _fault(value: object, member: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return (
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint:"
        f" {constraint}"
    )
