"""The operator's path to the built-in queues: a Handler in front of another.

Questions go to ``ask`` as they are; the answer, or what is wrong with the question, comes back in
JSON. Both reading and changing need the key of the data folder, for messages hold people's events.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from dynimo.api.admin import KEY_HEADER
from dynimo.model.errors import DynimoError
from dynimo.web.message import Handler, Headers, Request, Response

PATH = "/_dynimo/queue"
ASKED_BYTES_MAX = 64 * 1024
ASK = '{"do": "list"|"show"|"redrive"|"purge", "name": …}'

Ask: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class QueueDesk:
    """Answers ``PATH`` itself and leaves the rest to ``following``."""

    def __init__(self, following: Handler, ask: Ask, key: str) -> None:
        self._following = following
        self._ask = ask
        self._key = key

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.path != PATH:
            return await self._following(request)
        if request.method != "POST":
            refused = _problem(405, "method", "Ask about queues with POST.")
            refused.headers.set("allow", "POST")
            return refused
        if not hmac.compare_digest(request.headers.get(KEY_HEADER).encode(), self._key.encode()):
            return _problem(403, "key", f"{KEY_HEADER} must be the key in the data folder.")
        if len(request.body) > ASKED_BYTES_MAX:
            return _problem(413, "too_large", f"At most {ASKED_BYTES_MAX} bytes.")
        try:
            asked = json.loads(request.body)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            return _problem(400, "bad_question", f"Ask with {ASK}.")
        try:
            return _json(200, await self._ask(asked))
        except LookupError as error:
            return _problem(404, "queue", str(error.args[0]))
        except ValueError as error:
            return _problem(400, "bad_question", f"{error} Ask with {ASK}.")
        except DynimoError as error:
            return _problem(error.status, "failed", str(error))


def _json(status: int, value: Mapping[str, Any]) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())


def _problem(status: int, error: str, message: str) -> Response:
    return _json(status, {"error": error, "message": message})
