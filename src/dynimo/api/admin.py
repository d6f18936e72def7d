"""Health, metrics, statistics and purge: the Handler in front of all others.

Anything that is not for it goes on to the next Handler, unchanged. What changes state needs the key
of the data folder; what tells of it does not.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from dynimo.telemetry import METRICS_CONTENT_TYPE, Metrics
from dynimo.web.message import Handler, Headers, Request, Response

PREFIX = "/_dynimo/"
KEY_HEADER = "x-dynimo-key"
PURGE_BYTES_MAX = 64 * 1024
PURGES = '{"url": "/path?query"}, {"prefix": "/path/"} or {"everything": true}'

Purge: TypeAlias = Callable[..., Awaitable[int]]
"""``purge(url, prefix=…, everything=…)`` → how many stored answers were dropped."""


class Admin:
    """Answers the operator's paths itself and leaves the rest to ``following``."""

    def __init__(
        self,
        following: Handler,
        *,
        metrics: Metrics,
        purge: Purge,
        ready: Callable[[], Mapping[str, str]],
        statistics: Callable[[], Mapping[str, Any]],
        key: str,
    ) -> None:
        self._following = following
        self._metrics = metrics
        self._purge = purge
        self._ready = ready
        self._statistics = statistics
        self._key = key

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        match request.path:
            case "/livez":
                return _json(200, {"status": "alive"})
            case "/health" | "/readyz":
                return self._health()
            case "/metrics":
                headers = [("content-type", METRICS_CONTENT_TYPE), ("cache-control", "no-store")]
                return Response(headers=Headers(headers), body=self._metrics.render())
            case "/_dynimo/statistics":
                return _json(200, self._statistics())
            case "/_dynimo/purge":
                return await self._purged(request)
        if request.path.startswith(PREFIX):
            return _problem(404, "no_route", f"Nothing is served at {request.path}.")
        return await self._following(request)

    def _health(self) -> Response:
        """Ready means every part says ``ok``; a part that does not is named."""
        parts = self._ready()
        well = all(state == "ok" for state in parts.values())
        return _json(200 if well else 503, {"status": "ok" if well else "not ready", **parts})

    async def _purged(self, request: Request) -> Response:
        if request.method != "POST":
            refused = _problem(405, "method", "Purge with POST.")
            refused.headers.set("allow", "POST")
            return refused
        if not hmac.compare_digest(request.headers.get(KEY_HEADER).encode(), self._key.encode()):
            return _problem(403, "key", f"{KEY_HEADER} must be the key in the data folder.")
        if len(request.body) > PURGE_BYTES_MAX:
            return _problem(413, "too_large", f"At most {PURGE_BYTES_MAX} bytes.")
        try:
            asked = json.loads(request.body)
            ((kind, value),) = asked.items()
        except (ValueError, AttributeError, RecursionError):
            kind, value = "", None
        everything = kind == "everything" and value is True
        some = kind in {"url", "prefix"} and isinstance(value, str) and value.startswith("/")
        if not everything and not some:
            return _problem(400, "bad_purge", f"Ask with one of {PURGES}.")
        try:
            if everything:
                purged = await self._purge("", everything=True)
            else:
                purged = await self._purge(value, prefix=kind == "prefix")
        except ValueError as error:
            return _problem(400, "bad_purge", f"{error} Ask with one of {PURGES}.")
        except (OSError, sqlite3.Error) as error:
            message = f"Memory is purged; the disk failed ({error}) and may still hold some."
            return _problem(500, "disk", message)
        return _json(200, {"purged": purged})


def _json(status: int, value: Mapping[str, Any]) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())


def _problem(status: int, error: str, message: str) -> Response:
    return _json(status, {"error": error, "message": message})
