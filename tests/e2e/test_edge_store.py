"""The store of a real edge, as its operator sees and changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.edges import Edge, Origin, cli


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An origin whose answers are fresh and bear tags."""
    headers = {
        "cache-control": "max-age=600, stale-while-revalidate=60",
        "surrogate-key": "red blue",
        "content-type": "text/plain",
    }
    with Origin(headers=headers).running() as running:
        yield running


@pytest.fixture
def edge(origin: Origin, tmp_path: Path) -> Iterator[Edge]:
    """An edge in front of it."""
    running = Edge(tmp_path / "edge", upstream=origin.address).start()
    yield running
    running.stop()


def _told(edge: Edge, *arguments: str) -> Any:
    ran = cli("edge", *arguments, "--data", str(edge.data), "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_what_is_stored_can_be_seen_and_purged(edge: Edge) -> None:
    """inspect, top, stats and purge, in JSON and in words; by tag, URL and softly."""
    for _ in range(3):
        assert "surrogate-key" not in edge.get("/a").headers
    edge.get("/b")
    (seen,) = _told(edge, "inspect", "/a")
    top = _told(edge, "top", "--limit", "1")
    stats = _told(edge, "stats")
    words = cli("edge", "inspect", "/a", "--data", str(edge.data)).stdout

    assert seen["target"] == "/a"
    assert (seen["tags"], seen["hits"], seen["tier"]) == (["red", "blue"], 2, "memory and disk")
    assert 590 <= seen["fresh_seconds"] <= 600
    assert [each["target"] for each in top] == ["/a"]
    assert (stats["hits"], stats["misses"]) == (2, 2)
    assert "tags red blue" in words
    assert "hit ratio" in cli("edge", "stats", "--data", str(edge.data)).stdout
    assert "memory" in cli("edge", "top", "--data", str(edge.data)).stdout

    assert _told(edge, "purge", "--tag", "blue", "--soft") == {"purged": 2}
    assert "stale-while-revalidate" in edge.get("/a").headers["cache-status"]
    assert _told(edge, "purge", "/b") == {"purged": 1}
    assert cli("edge", "inspect", "/b", "--data", str(edge.data)).returncode == 3
    assert edge.get("/b").body == b"/b 2"


def test_purges_hold_after_a_kill(edge: Edge, origin: Origin) -> None:
    """A purge that was answered is still one when the server was killed at once."""
    edge.get("/a")
    edge.get("/b/c")
    edge.get("/d")
    assert _told(edge, "purge", "--prefix", "/b") == {"purged": 1}
    edge.stop(9)
    edge.start()

    assert [edge.get(path).body for path in ("/a", "/b/c", "/d")] == [b"/a 1", b"/b/c 2", b"/d 1"]
    assert origin.asked["/a"] == 1
