"""``dynimo edge`` from outside: the real program before a real server, with raw sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e
SECONDS = 60.0
END = b"\r\n\r\n"


@dataclass
class Origin:
    """A server that answers with bytes, by path; a body's later part waits until it is released."""

    listener: socket.socket
    answers: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    heads: list[bytes] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        """Answer until the listener is closed, each connection in a thread."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            head = read(client, lambda got: END in got)
            if not head:
                return
            self.heads.append(head)
            first, later = self.answers[head.split(b" ", 2)[1].decode()]
            client.sendall(first)
            if later:
                assert self.release.wait(SECONDS)
                client.sendall(later)

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(head.split(b" ", 2)[1].decode() == path for head in self.heads)

    def close(self) -> None:
        """Serve nobody any more."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"


def read(client: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """Read until there is enough, or the end."""
    got = b""
    while not enough(got):
        piece = client.recv(65536)
        if not piece:
            break
        got += piece
    return got


def ask(port: int, path: str, headers: str = "", method: str = "GET") -> socket.socket:
    """Send a request; the connection to read its answer from."""
    client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    lines = f"{method} {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{headers}\r\n"
    client.sendall(lines.encode())
    return client


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A running origin."""
    made = Origin(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=made.serve, daemon=True).start()
    yield made
    made.release.set()
    if made.listener.fileno() >= 0:
        made.close()


@pytest.fixture
def edge(origin: Origin, tmp_path: Path) -> Iterator[Server]:
    """The program before that origin, as it is by default."""
    server = Server(tmp_path / "data", ("--upstream", origin.url), verb="edge").start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.stop()


def test_who_waits_reads_along(origin: Origin, edge: Server) -> None:
    """Two clients have the first half before the second exists; the server is asked once."""
    head = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 8\r\n\r\n"
    origin.answers["/a"] = (head + b"half", b"more")
    with ask(edge.port, "/a") as leader, ask(edge.port, "/a") as waiter:
        got = [read(client, lambda data: data.endswith(b"half")) for client in (leader, waiter)]
        assert all(b"content-length: 8\r\n" in data for data in got)
        origin.release.set()
        assert [read(client, lambda _: False) for client in (leader, waiter)] == [b"more"] * 2
    part = edge.get("/a", {"host": "a.example", "range": "bytes=3-4"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"fm", "bytes 3-4/8")
    assert origin.asked("/a") == 1


def test_an_answer_cut_short_is_not_taken_for_whole(origin: Origin, edge: Server) -> None:
    """The client sees that the end is missing, and nothing is stored."""
    head = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n"
    origin.answers["/a"] = (head + b"4\r\nhalf\r\n", b"4\r\nmo")
    origin.release.set()
    with ask(edge.port, "/a") as client:
        got = read(client, lambda _: False)
    assert b"half" in got
    assert b"0\r\n\r\n" not in got
    origin.answers["/a"] = (head + b"3\r\nall\r\n0\r\ntrailer: x\r\n\r\n", b"")
    again = edge.get("/a", {"host": "a.example"})
    assert (again.body, "trailer" in again.headers, origin.asked("/a")) == (b"all", False, 2)


def test_what_comes_ahead_of_the_answer_passes(origin: Origin, edge: Server) -> None:
    """103 reaches the client before the answer is there (RFC 8297); an odd status passes too."""
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"
    origin.answers["/a"] = (early, b"HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\nhi")
    with ask(edge.port, "/a") as client:
        got = read(client, lambda data: END in data)
        assert got.startswith(b"HTTP/1.1 103 ")
        assert b"link: </a.css>\r\n" in got
        origin.release.set()
        assert read(client, lambda _: False).startswith(b"HTTP/1.1 299 ")


def test_its_own_paths_are_apart(origin: Origin, edge: Server) -> None:
    """Health and metrics are below /_dynimo/; /metrics and /health are the server's."""
    for path in ("/metrics", "/health"):
        origin.answers[path] = (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nyours", b"")
        assert edge.get(path).body == b"yours"
        assert b"yours" not in edge.get(f"/_dynimo{path}").body
    assert b"dynimo_edge" in edge.get("/_dynimo/metrics").body


def test_rather_stale_than_failing(origin: Origin, edge: Server) -> None:
    """With the server gone and the program restarted, what was stored is given; the rest is 502."""
    for path, control in (("/a", "max-age=0"), ("/b", "max-age=0, must-revalidate")):
        head = f'HTTP/1.1 200 OK\r\netag: "1"\r\ncache-control: {control}\r\ncontent-length: 2'
        origin.answers[path] = (head.encode() + END + b"hi", b"")
        assert edge.get(path, {"host": "a.example"}).status == 200
    origin.close()
    edge.stop()
    edge.start()
    stale = edge.get("/a", {"host": "a.example"})
    assert (stale.status, stale.body) == (200, b"hi")
    assert "detail=stale-if-error" in stale.headers["cache-status"]
    assert "dynimo-unreachable" not in stale.headers
    assert edge.get("/b", {"host": "a.example"}).status == 502
    assert edge.get("/c", {"host": "a.example"}).json["error"] == "UpstreamUnreachable"
