"""The operator's paths: answered here, and only these."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynimo.api.admin import Admin
from dynimo.telemetry import Metrics
from dynimo.web.message import Headers, Request, Response


class Rig:
    """An Admin whose parts are plain values."""

    def __init__(self, **ready: str) -> None:
        self.purged: list[dict[str, Any]] = []
        self.admin = Admin(
            self._following,
            metrics=Metrics(),
            purge=self._purge,
            ready=lambda: ready,
            statistics=lambda: {"a": 1},
            key="key",
        )

    async def _following(self, request: Request) -> Response:
        return Response(status=299)

    async def _purge(self, **asked: Any) -> int:
        self.purged.append({name: value for name, value in asked.items() if value})
        return 7

    async def ask(self, method: str, path: str, body: Any = b"", key: str = "key") -> Response:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = Headers([("x-dynimo-key", key)])
        return await self.admin(Request(method=method, path=path, headers=headers, body=body))


async def test_what_is_not_its_own_goes_on() -> None:
    """The next Handler answers everything else."""
    assert (await Rig().ask("GET", "/anything")).status == 299


@pytest.mark.parametrize(("state", "status"), [("ok", 200), ("starting", 503)])
async def test_ready_means_every_part_is(state: str, status: int) -> None:
    """And the part that is not is named; being alive does not depend on it."""
    rig = Rig(edge="ok", work=state)
    health = await rig.ask("GET", "/readyz")

    assert health.status == status
    assert json.loads(health.body)["work"] == state
    assert (await rig.ask("GET", "/livez")).status == 200


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"url": "/a?b"}, {"url": "/a?b"}),
        ({"url": "http://h/a", "soft": True}, {"url": "http://h/a", "soft": True}),
        ({"prefix": "/a/"}, {"url": "/a/", "prefix": True}),
        ({"tag": "red", "soft": False}, {"tag": "red"}),
        ({"everything": True}, {"everything": True}),
        ({"soft": True, "everything": True}, {"everything": True, "soft": True}),
    ],
)
async def test_a_purge_is_carried_out(body: dict[str, Any], asked: dict[str, Any]) -> None:
    """One URL, a prefix, a tag, or everything; soft if that is said."""
    rig = Rig()
    answer = await rig.ask("POST", "/_dynimo/purge", body)

    assert (answer.status, json.loads(answer.body)) == (200, {"purged": 7})
    assert rig.purged == [asked]


async def test_many_tags_are_purged_at_once() -> None:
    """Each is a purge; the answer tells how much they took together."""
    rig = Rig()
    answer = await rig.ask("POST", "/_dynimo/purge", {"tags": ["red", "blue"]})

    assert json.loads(answer.body) == {"purged": 14}
    assert rig.purged == [{"tag": "red"}, {"tag": "blue"}]


@pytest.mark.parametrize(
    ("method", "body", "key", "status"),
    [
        ("GET", b"", "key", 405),
        ("POST", {"everything": True}, "wrong", 403),
        ("POST", {"everything": True}, "ключ", 403),
        ("POST", b"{", "key", 400),
        ("POST", {"url": "a"}, "key", 400),
        ("POST", {"url": "/a", "prefix": "/"}, "key", 400),
        ("POST", {"everything": False}, "key", 400),
        ("POST", {"tag": ""}, "key", 400),
        ("POST", {"tags": ["x"] * 300}, "key", 400),
        ("POST", {"tags": [1]}, "key", 400),
        ("POST", {"soft": True}, "key", 400),
        ("POST", [1], "key", 400),
        ("POST", b"[" * 60_000, "key", 400),
        ("POST", b"x" * 70_000, "key", 413),
    ],
)
async def test_a_bad_purge_drops_nothing(method: str, body: Any, key: str, status: int) -> None:
    """A clear no, and the cache as it was."""
    rig = Rig()

    assert (await rig.ask(method, "/_dynimo/purge", body, key)).status == status
    assert rig.purged == []


async def test_statistics_and_metrics_are_told() -> None:
    """To whoever asks."""
    rig = Rig()

    assert json.loads((await rig.ask("GET", "/_dynimo/statistics")).body) == {"a": 1}
    assert b"dynimo_requests_total" in (await rig.ask("GET", "/metrics")).body
    assert (await rig.ask("GET", "/_dynimo/nothing")).status == 404
