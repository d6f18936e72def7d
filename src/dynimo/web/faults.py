"""What is wrong with bytes that a client sent, and the answer the server makes of it by itself.

Only the server's own refusals; what a handler answers is the handler's.
"""

from __future__ import annotations

import json

from dynimo.web import message


class Fault(Exception):
    """A request that the server refuses. ``status`` is what it answers; it then closes."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text

    def response(self) -> message.Response:
        """Return the small JSON answer: ``{"error": CODE, "message": TEXT}``."""
        return refusal(self.status, self.code, self.text)


def refusal(status: int, code: str, text: str) -> message.Response:
    """Build a JSON answer of the server's own."""
    body = json.dumps({"error": code, "message": text}, separators=(",", ":")).encode() + b"\n"
    headers = message.Headers()
    headers.add("content-type", "application/json")
    headers.add("cache-control", "no-store")
    return message.Response(status=status, headers=headers, body=body)


def bad_request(text: str) -> Fault:
    """400: the bytes are not a valid HTTP/1.x request."""
    return Fault(400, "BadRequest", text)
