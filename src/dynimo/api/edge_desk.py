"""The operator's look into the edge's store: a Handler in front of another. Needs the key.

Addresses tell what people looked at, so that reading them takes the key of the data folder too.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from dynimo.api.admin import KEY_HEADER
from dynimo.web.message import Handler, Headers, Request, Response

PREFIX = "/_dynimo/edge/"
TOP_DEFAULT, TOP_MAX = 20, 1000

Answers: TypeAlias = list[dict[str, Any]]


class EdgeDesk:
    """Answers what is below ``PREFIX`` itself and leaves the rest to ``following``."""

    def __init__(
        self,
        following: Handler,
        *,
        inspect: Callable[[str], Awaitable[Answers]],
        top: Callable[[int], Awaitable[Answers]],
        key: str,
    ) -> None:
        self._following = following
        self._inspect = inspect
        self._top = top
        self._key = key

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not request.path.startswith(PREFIX):
            return await self._following(request)
        if request.method != "GET":
            refused = _problem(405, "method", "Look into the store with GET.")
            refused.headers.set("allow", "GET")
            return refused
        if not hmac.compare_digest(request.headers.get(KEY_HEADER).encode(), self._key.encode()):
            return _problem(403, "key", f"{KEY_HEADER} must be the key in the data folder.")
        asked = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            match request.path.removeprefix(PREFIX):
                case "inspect":
                    return _json(200, {"stored": await self._inspect(asked.get("url", ""))})
                case "top":
                    limit = int(asked.get("limit", TOP_DEFAULT))
                    return _json(200, {"top": await self._top(max(1, min(limit, TOP_MAX)))})
        except ValueError as error:
            return _problem(400, "bad_question", str(error))
        return _problem(404, "no_route", f"Nothing is served at {request.path}.")


def _json(status: int, value: Mapping[str, Any]) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())


def _problem(status: int, error: str, message: str) -> Response:
    return _json(status, {"error": error, "message": message})
