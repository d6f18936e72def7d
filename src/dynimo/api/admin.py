"""Health, metrics, statistics and purge: the Handler in front of all others.

Anything that is not for it goes on to the next Handler, unchanged. What changes state needs the key
of the data folder; what tells of it does not.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from dynimo.telemetry import METRICS_CONTENT_TYPE, Metrics
from dynimo.web.message import Handler, Headers, Request, Response

PREFIX = "/_dynimo/"
KEY_HEADER = "x-dynimo-key"
PURGE_BYTES_MAX = 64 * 1024
TAGS_MAX = 256
"""Tags in one purge."""

PURGES = (
    '{"url": "/path?query"}, {"prefix": "/path/"}, {"tag": "name"} or {"everything": true};'
    ' with "soft": true it stays, stale'
)

_ADDRESS = re.compile(r"/|https?://", re.IGNORECASE)

Purge: TypeAlias = Callable[..., Awaitable[int]]
"""``purge(url, prefix=…, everything=…, tag=…, soft=…)`` → how many stored answers that took."""


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
        bare: bool = True,
    ) -> None:
        """``bare``: whether health and metrics are found outside ``PREFIX`` too."""
        self._following = following
        self._bare = bare
        self._metrics = metrics
        self._purge = purge
        self._ready = ready
        self._statistics = statistics
        self._key = key

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not self._bare and not request.path.startswith(PREFIX):
            return await self._following(request)
        match request.path:
            case "/livez" | "/_dynimo/livez":
                return _json(200, {"status": "alive"})
            case "/health" | "/readyz" | "/_dynimo/health" | "/_dynimo/readyz":
                return self._health()
            case "/metrics" | "/_dynimo/metrics":
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
        purges = _read(request.body)
        if not purges:
            return _problem(400, "bad_purge", f"Ask with one of {PURGES}.")
        try:
            purged = sum(await asyncio.gather(*(self._purge(**each) for each in purges)))
        except ValueError as error:
            return _problem(400, "bad_purge", f"{error} Ask with one of {PURGES}.")
        except (OSError, sqlite3.Error) as error:
            message = f"It is purged here, but not surely for good and everywhere: {error}."
            return _problem(500, "not_everywhere", message)
        return _json(200, {"purged": purged})


def _read(body: bytes) -> list[dict[str, Any]]:
    """Return what to call ``Purge`` with, each; nothing if it is no purge."""
    try:
        asked = json.loads(body)
        soft = asked.pop("soft", False)
        ((kind, value),) = asked.items()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return []
    mild = {"soft": True} if soft is True else {}
    if kind == "everything" and value is True and isinstance(soft, bool):
        return [{"url": "", "everything": True, **mild}]
    if kind in {"tag", "tags"}:
        tags = value if isinstance(value, list) else [value]
        fit = len(tags) <= TAGS_MAX and all(isinstance(tag, str) and tag for tag in tags)
        return [{"url": "", "tag": tag, **mild} for tag in tags] if fit else []
    if kind in {"url", "prefix"} and isinstance(value, str) and _ADDRESS.match(value):
        return [{"url": value, "prefix": kind == "prefix", **mild}]
    return []


def _json(status: int, value: Mapping[str, Any]) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())


def _problem(status: int, error: str, message: str) -> Response:
    return _json(status, {"error": error, "message": message})
