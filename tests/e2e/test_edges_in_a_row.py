"""Edges that ask edges: a client's variant is the same by whichever it comes, and few are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.e2e.edges import Edge, cli
from tests.e2e.serving import Server
from tests.e2e.test_edge_shield import _free_ports

pytestmark = pytest.mark.e2e

HOST = {"host": "a.example"}
RULES = """\
version = "1"
[[rule]]
path = "boats.jpg"
when = { locale = ["de", "fr"], device = "phone" }
effects = "grey"
"""
URL = "/img/sample/boats.jpg?w=8"


@pytest.fixture(scope="module")
def image_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The image service, which tells edges in front how little of a header matters."""
    folder = tmp_path_factory.mktemp("row")
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.toml").write_text(RULES)
    (folder / "settings.toml").write_text(
        '[apps.images]\nrules = "rules/rules.toml"\nhints = ["dpr", "save-data"]\n'
        "[edge]\nvary_shown = true\n"
    )
    server = Server(folder / "data", ("--config", str(folder / "settings.toml"))).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def edges(image_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Edge]]:
    """Two edges in front of it; each asks the other for what is not its own."""
    folder = tmp_path_factory.mktemp("edges")
    ports = _free_ports(2)
    peers = [f"http://127.0.0.1:{port}" for port in ports]
    made = []
    for port, peer in zip(ports, peers, strict=True):
        config = folder / f"{port}.toml"
        config.write_text(
            f'[edge]\npeers = {json.dumps(peers)}\npeer_self = "{peer}"\npeer_key = "secret"\n'
            "peer_connect_seconds = 5.0\n"
        )
        upstream = f"http://127.0.0.1:{image_server.port}"
        edge = Edge(folder / str(port), ("--config", str(config)), port=port, upstream=upstream)
        made.append(edge)
    with ThreadPoolExecutor() as threads:
        list(threads.map(Edge.start, made))
    yield made
    for edge in made:
        edge.stop()


def _clients() -> Iterator[dict[str, str]]:
    """Clients that say the same in many ways."""
    for number in range(48):
        yield {
            **HOST,
            "accept": ("image/avif,image/webp;q=0.{n}", "image/webp, x/{n}")[
                number // 2 % 2
            ].format(n=number + 1),
            "accept-language": f"{('de', 'en')[number % 2]}-x{number},sv;q=0.{number}",
            "user-agent": f"Some {('Mobile', 'Desk')[number // 4 % 2]}/{number}",
            "dpr": ("1", "1.9{n:03}", "2.000{n:03}", "2.0")[number // 12].format(n=number),
        }


def _kept(server: Server) -> int:
    """How many answers for the URL there are, whatever Host it has."""
    told = cli("edge", "inspect", URL, "--json", "--data", str(server.data))
    assert told.returncode == 0, told.stderr
    return len(json.loads(told.stdout))


def _between(edges: list[Edge]) -> int:
    """How often one of them asked the other."""
    return sum(edge.statistics()["shield"]["asked_peers"] for edge in edges)


def _seen(body: bytes) -> tuple[object, ...]:
    with Image.open(io.BytesIO(body)) as image:
        red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
        return image.format, image.size, max(red, green, blue) - min(red, green, blue) < 4


def test_two_edges_in_a_row_tell_apart_what_one_does(
    image_server: Server, edges: list[Edge]
) -> None:
    """Nobody is given another variant than by the service itself, and no more are kept."""
    clients = list(_clients())
    wanted = [_seen(image_server.get(URL, each).body) for each in clients]
    assert len(set(wanted)) == 8  # 2 formats, 2 sizes, grey or not
    decided = _kept(image_server)
    assert decided == 12  # whose language is not asked for is not asked for a device
    before = _between(edges)
    for edge in edges:
        answers = [edge.get(URL, each) for each in clients]
        assert [_seen(each.body) for each in answers] == wanted
        assert not any("dynimo-vary" in each.headers for each in answers)
        assert _kept(edge) == decided
    assert _between(edges) - before == decided


def test_who_is_no_edge_is_told_nothing_of_it(edges: list[Edge]) -> None:
    """Nor is who only says to be one."""
    for edge in edges:
        answer = edge.get(f"{URL}&h=9", {**HOST, "dynimo-peer": "guess"})
        assert (answer.status, "dynimo-vary" in answer.headers) == (200, False)
        assert "Accept-Language" in answer.headers["vary"]
