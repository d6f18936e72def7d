"""The store of a real edge, as its operator sees and changes it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.edges import Edge, Origin, cli

PATIENCE_SECONDS = 30.0


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


def _on_disk(edge: Edge, path: str) -> Any:
    """Wait until an answer is written (the writer lets some gather); give what is told of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        (seen,) = _told(edge, "inspect", path)
        if "disk" in seen["tier"]:
            return seen
        assert time.monotonic() < deadline, "it is never written"


def test_what_is_stored_can_be_seen_and_purged(edge: Edge) -> None:
    """inspect, top, stats and purge, in JSON and in words; by tag, URL and softly."""
    for _ in range(3):
        assert "surrogate-key" not in edge.get("/a").headers
    edge.get("/b")
    seen = _on_disk(edge, "/a")
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


def test_warm_fetches_what_is_not_there(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    """A list, then the popular ones after a soft purge; the key goes no further than the edge."""
    edge.get("/1")
    listed = tmp_path / "list"
    listed.write_text("# for the launch\n\n" + "".join(f"/{n}\n" for n in range(1, 21)))
    first = _told(edge, "warm", str(listed), "--at-once", "3")
    again = _told(edge, "warm", str(listed))
    edge.get("/7")
    _told(edge, "purge", "--all", "--soft")
    popular = _told(edge, "warm", "--popular", "2")

    assert (first["asked"], first["fetched"], first["there"], first["failed"]) == (20, 19, 1, 0)
    assert (again["fetched"], again["there"]) == (0, 20)
    assert (popular["asked"], popular["stale"]) == (2, 2)
    assert all(origin.asked[f"/{number}"] >= 1 for number in range(1, 21))
    assert not any("x-dynimo-key" in each or "dynimo-priority" in each for each in origin.seen)


def test_warm_says_what_could_not_be_had(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    """Addresses that fail are told and make the command fail; a list that is none is refused."""
    origin.headers["cache-control"] = "no-store"
    listed = tmp_path / "list"
    listed.write_text("/a\n")
    failed = cli("edge", "warm", str(listed), "--data", str(edge.data))
    listed.write_text("ftp://x/\n")
    wrong = cli("edge", "warm", str(listed), "--data", str(edge.data))

    assert (failed.returncode, wrong.returncode) == (1, 2)
    assert "/a: not stored" in failed.stderr
    assert "line 1 is no address" in wrong.stderr


def test_purges_hold_after_a_kill(edge: Edge, origin: Origin) -> None:
    """A purge that was answered is still one when the server was killed at once."""
    edge.get("/a")
    edge.get("/b/c")
    edge.get("/d")
    for path in ("/a", "/b/c", "/d"):
        _on_disk(edge, path)
    assert _told(edge, "purge", "--prefix", "/b") == {"purged": 1}
    edge.stop(9)
    edge.start()

    assert [edge.get(path).body for path in ("/a", "/b/c", "/d")] == [b"/a 1", b"/b/c 2", b"/d 1"]
    assert origin.asked["/a"] == 1
