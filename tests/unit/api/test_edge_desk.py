"""The operator's look into the store: with the key, and never a guess at what was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynimo.api.edge_desk import EdgeDesk
from dynimo.web.message import Headers, Request, Response


async def _inspect(url: str) -> list[dict[str, Any]]:
    if not url.startswith("/"):
        raise ValueError("no URL")
    return [{"key": url}]


async def _top(limit: int) -> list[dict[str, Any]]:
    return [{"hits": limit}]


async def _following(request: Request) -> Response:
    return Response(status=299)


async def _ask(target: str, key: str = "key", method: str = "GET") -> tuple[int, Any]:
    path, _, query = target.partition("?")
    headers = Headers([("x-dynimo-key", key)])
    desk = EdgeDesk(_following, inspect=_inspect, top=_top, key="key")
    answer = await desk(Request(method=method, path=path, query=query, headers=headers))
    return answer.status, json.loads(answer.body or b"{}")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/_dynimo/edge/inspect?url=%2Fa%3Fb", {"stored": [{"key": "/a?b"}]}),
        ("/_dynimo/edge/top", {"top": [{"hits": 20}]}),
        ("/_dynimo/edge/top?limit=99999", {"top": [{"hits": 1000}]}),
    ],
)
async def test_what_is_asked_is_told(target: str, told: Any) -> None:
    """One URL, or the most asked for, within a limit."""
    assert await _ask(target) == (200, told)


@pytest.mark.parametrize(
    ("target", "key", "method", "status"),
    [
        ("/_dynimo/edge/top", "other", "GET", 403),
        ("/_dynimo/edge/top", "key", "POST", 405),
        ("/_dynimo/edge/top?limit=x", "key", "GET", 400),
        ("/_dynimo/edge/inspect", "key", "GET", 400),
        ("/_dynimo/edge/other", "key", "GET", 404),
        ("/elsewhere", "other", "GET", 299),
    ],
)
async def test_what_is_refused(target: str, key: str, method: str, status: int) -> None:
    """Without the key, with another method, or without sense; the rest goes on."""
    assert (await _ask(target, key, method))[0] == status
