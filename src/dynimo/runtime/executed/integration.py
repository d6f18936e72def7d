"""The head that a streamed answer may carry inside its body: status, headers, cookies. Pure.

With the content type of AWS's HTTP integration, a body begins with a JSON object and eight zero
bytes (what ``awslambda.HttpResponseStream.from`` writes). Source: Lambda developer guide, response
streaming.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
END = b"\0" * 8
HEAD_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the object said."""

    status: int = 200
    headers: list[list[str]] = field(default_factory=list)


class Prelude:
    """Takes a body's pieces; gives the head once, and what follows it.

    ``held`` is what was kept back to look for the end of the head, if that never came.
    """

    def __init__(self, content_type: str) -> None:
        self._looking = content_type.partition(";")[0].strip().lower() == CONTENT_TYPE
        self.held = b""

    def feed(self, piece: bytes) -> tuple[Head | None, bytes]:
        """The head, if it is whole just now, and bytes of the body."""
        if not self._looking:
            return None, piece
        self.held += piece
        text, end, rest = self.held.partition(END)
        if not end and len(self.held) <= HEAD_BYTES_MAX:
            return None, b""
        self._looking = False
        head = _head(text) if end else None
        if head is None:
            held, self.held = self.held, b""
            return None, held
        self.held = b""
        return head, rest


def _head(text: bytes) -> Head | None:
    try:
        told = json.loads(text)
        status = int(told.get("statusCode") or 200)
        pairs = list((told.get("headers") or {}).items())
        cookies = [("set-cookie", cookie) for cookie in told.get("cookies") or ()]
    except (ValueError, TypeError, AttributeError):
        return None
    return Head(status=status, headers=[[str(name), str(value)] for name, value in pairs + cookies])
