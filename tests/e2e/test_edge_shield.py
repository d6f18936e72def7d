"""Three real edges in front of one origin: each thing is fetched once, whoever is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.edges import Edge, Origin, cli

HOST = {"host": "a.example"}


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An origin whose answers are fresh and bear tags."""
    headers = {"cache-control": "max-age=600", "surrogate-key": "all"}
    with Origin(headers=headers).running() as running:
        yield running


@pytest.fixture
def edges(origin: Origin, tmp_path: Path) -> Iterator[list[Edge]]:
    """Three edges that know each other."""
    ports = _free_ports(3)
    peers = [f"http://127.0.0.1:{port}" for port in ports]
    made = []
    for number, (port, peer) in enumerate(zip(ports, peers, strict=True)):
        config = tmp_path / f"{number}.toml"
        config.write_text(
            f'[edge]\npeers = {json.dumps(peers)}\npeer_self = "{peer}"\npeer_key = "secret"\n'
            "peer_down_seconds = 0.1\npeer_connect_seconds = 5.0\n"
        )
        made.append(
            Edge(
                tmp_path / f"edge{number}", ("--config", str(config)), port=port,
                upstream=origin.address,
            )
        )  # fmt: skip
    with ThreadPoolExecutor() as threads:
        list(threads.map(Edge.start, made))
    yield made
    for edge in made:
        edge.stop()


def test_three_edges_ask_the_origin_once(edges: list[Edge], origin: Origin) -> None:
    """Each key once, until one is killed: then its share moves and nobody fails.

    A purge names the edge that it could not reach.
    """
    keys = [f"/{number}" for number in range(30)]
    for key in keys:
        bodies = {edge.get(key, HOST).body for edge in edges}
        assert bodies == {f"{key} 1".encode()}

    assert {key: origin.asked[key] for key in keys} == dict.fromkeys(keys, 1)
    shares = [edge.statistics()["shield"]["asked_origin"] for edge in edges]
    assert all(shares)
    assert all("dynimo-peer" not in each for each in origin.seen)

    edges[0].stop(9)
    left = edges[1:]
    later = [f"/later/{number}" for number in range(30)]
    for key in later:
        answers = [edge.get(key, HOST) for edge in left]
        assert [answer.status for answer in answers] == [200, 200]
    assert {key: origin.asked[key] for key in later} == dict.fromkeys(later, 1)

    purged = cli("edge", "purge", later[0], "--data", str(left[0].data))
    assert purged.returncode == 1
    assert f"127.0.0.1:{edges[0].port}" in purged.stderr
    assert {edge.get(later[0], HOST).body for edge in left} == {f"{later[0]} 2".encode()}


def test_a_purge_reaches_all_edges(edges: list[Edge], origin: Origin) -> None:
    """Tags go with what edges get from each other, and no client sees them."""
    for edge in edges:
        edge.get("/a", HOST)
    purged = cli("edge", "purge", "--tag", "all", "--data", str(edges[1].data))
    bodies = {edge.get("/a", HOST).body for edge in edges}

    assert purged.returncode == 0, purged.stderr
    assert (bodies, origin.asked["/a"]) == ({b"/a 2"}, 2)
    assert all("surrogate-key" not in edge.get("/a", HOST).headers for edge in edges)

    # Who only says that it is an edge is a client: it cannot send edges around.
    lie = {**HOST, "dynimo-peer": "guess", "cdn-loop": "dynimo-shield, other"}
    answers = [edge.get("/b", lie) for edge in edges]
    assert {answer.body for answer in answers} == {b"/b 1"}
    assert all("surrogate-key" not in answer.headers for answer in answers)
    mine = [each for each in origin.seen if "/b" in each["target"]]
    assert {each["cdn-loop"].split(", ")[0] for each in mine} == {"other"}
    refused = edges[0].get("/_dynimo/peer/purge", lie, method="POST", body=b"{}")
    assert refused.status == 403
