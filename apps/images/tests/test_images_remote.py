"""http(s) sources: honest servers, dishonest ones, and the guard against forged requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

import limits
import refusals
import remote

Serve = Callable[[socket.socket, bytes], object]
LIMITS = limits.Limits(
    source_bytes=100_000, connect_seconds=0.5, read_seconds=0.3, fetch_seconds=0.6
)


class Server:
    """A server that answers each request with what ``serve`` sends; it counts connections."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        try:
            while request := self._request(peer):
                self.requests.append(request)
                if self._serve(peer, request) != "keep":
                    break
        except OSError:
            pass
        finally:
            peer.close()

    @staticmethod
    def _request(peer: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = peer.recv(4096)
            if not piece:
                return b""
            data += piece
        return data

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._open:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._thread.join()


@contextmanager
def serving(serve: Serve) -> Iterator[Server]:
    server = Server(serve)
    try:
        yield server
    finally:
        server.stop()


def answer(head: str, body: bytes = b"", *, keep: bool = False) -> Serve:
    lines = "HTTP/1.1 " + head.replace("\n", "\r\n") + "\r\n\r\n"

    def serve(peer: socket.socket, _: bytes) -> object:
        peer.sendall(lines.encode() + body)
        return "keep" if keep else None

    return serve


def fetch(
    base: str, path: str = "a.jpg", *, client: remote.Client | None = None
) -> remote.original.Original:
    used = client or remote.Client(LIMITS)
    try:
        found = used.open_file(base, path)
        try:
            return found.read()
        finally:
            found.close()
    finally:
        if client is None:
            used.close()


def refused(base: str, *, client: remote.Client | None = None) -> tuple[int, str]:
    with pytest.raises(refusals.Refusal) as caught:
        fetch(base, client=client)
    return caught.value.status, caught.value.code


def test_a_file_is_downloaded() -> None:
    """The bytes, the path encoded once more, and the validators."""
    head = '200 OK\nContent-Length: 3\nETag: "x"\nLast-Modified: Thu, 01 Jan 1970 00:00:09 GMT'
    with serving(answer(head, b"abc")) as server:
        got = fetch(server.base + "/sub/", "ä b/%2e.jpg")
    assert (got.data, got.revision, got.modified) == (b"abc", 'etag "x"', 9)
    assert server.requests[0].startswith(b"GET /sub/%C3%A4%20b/%252e.jpg HTTP/1.1\r\n")
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("headers", "revision"),
    [
        ("Last-Modified: Thu, 01 Jan 1970 00:00:09 GMT", "modified Thu"),
        ("X: y", "sha256 ba7816bf8f01"),
    ],
)
def test_without_an_etag_the_revision_is_the_next_best(headers: str, revision: str) -> None:
    """Last-Modified and length, else the bytes themselves."""
    with serving(answer(f"200 OK\nContent-Length: 3\n{headers}", b"abc")) as server:
        assert fetch(server.base).revision.startswith(revision)


def test_chunked_and_unframed_bodies() -> None:
    """Bodies without a length are read to their end."""
    with serving(answer("200 OK\nTransfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n")) as server:
        assert fetch(server.base).data == b"abc"
    with serving(answer("200 OK", b"abc")) as server:
        assert fetch(server.base).data == b"abc"


def test_connections_are_kept() -> None:
    """Two downloads from one server use one connection."""
    client = remote.Client(LIMITS)
    with serving(answer("200 OK\nContent-Length: 3", b"abc", keep=True)) as server:
        for _ in range(3):
            assert fetch(server.base, client=client).data == b"abc"
        client.close()
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    """A server may close while idle; the next download opens a new one."""
    client = remote.Client(LIMITS)
    with serving(answer("200 OK\nContent-Length: 3", b"abc")) as server:
        for _ in range(2):
            assert fetch(server.base, client=client).data == b"abc"
        client.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    ("head", "body", "status", "code"),
    [
        ("404 No\nContent-Length: 0", b"", 404, "not_found"),
        ("410 Gone\nContent-Length: 0", b"", 404, "not_found"),
        ("403 No\nContent-Length: 0", b"", 502, "source_failed"),
        ("500 No\nContent-Length: 0", b"", 502, "source_failed"),
        ("206 Part\nContent-Length: 1", b"x", 502, "source_failed"),
        ("204 None", b"", 502, "source_failed"),
        ("200 OK\nContent-Length: 10", b"abc", 502, "source_cut_off"),
        ("200 OK\nTransfer-Encoding: chunked", b"5\r\nab", 502, "source_failed"),
        ("200 OK\nTransfer-Encoding: chunked", b"zz\r\nab", 502, "source_failed"),
        ("200 OK\nContent-Length: 100001", b"abc", 422, "source_too_large"),
        ("200 OK\nContent-Length: " + "9" * 30, b"abc", 422, "source_too_large"),
        ("200 OK\nContent-Length: 3\nContent-Encoding: gzip", b"abc", 502, "source_encoded"),
        ("301 Moved\nContent-Length: 0", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: file:///etc/passwd", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: gopher://127.0.0.1/", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: http://a:b@127.0.0.1/", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: http://127.0.0.1:99999/", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: http://[::1/", b"", 502, "bad_redirect"),
        ("302 Moved\nLocation: http://169.254.169.254/x", b"", 502, "private_address"),
        ("302 Moved\nLocation: //127.0.0.1:1/x", b"", 502, "private_address"),
        ("302 Moved\nLocation: http://localhost:1/x", b"", 502, "private_address"),
        ("302 Moved\nLocation: http://[::ffff:127.0.0.1]/x", b"", 502, "private_address"),
        ("302 Moved\nLocation: /again", b"", 502, "too_many_redirects"),
        ("200 OK\n" + "\n".join(f"x{i}: y" for i in range(200)), b"", 502, "source_failed"),
        ("200 OK\nx: " + "y" * 70_000, b"", 502, "source_failed"),
    ],
)
def test_failures_of_the_server(head: str, body: bytes, status: int, code: str) -> None:
    """What a server may do wrong, and what the client is told."""
    with serving(answer(head, body)) as server:
        assert refused(server.base) == (status, code)


def test_a_server_that_speaks_no_http() -> None:
    """Garbage, and nothing at all."""
    with serving(lambda peer, _: peer.sendall(b"SSH-2.0-x\r\n")) as server:
        assert refused(server.base) == (502, "source_failed")
    with serving(lambda _, __: None) as server:
        assert refused(server.base)[0] == 502


def test_nobody_listens() -> None:
    """A refused connection is 502."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}") == (502, "source_unreachable")


def test_an_endless_body_is_cut_at_the_limit() -> None:
    """A body without an end costs no more than the limit."""

    def pour(peer: socket.socket, _: bytes) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(b"x" * 10_000)

    with serving(pour) as server:
        assert refused(server.base) == (422, "source_too_large")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_slow_server_runs_out_of_time(head: bytes, drip: bytes) -> None:
    """Silence ends at read_seconds; a drip of bytes, in head or body, at fetch_seconds."""
    stop = threading.Event()

    def dawdle(peer: socket.socket, _: bytes) -> None:
        peer.sendall(head)
        while not stop.wait(0.05):
            peer.sendall(drip)

    with serving(dawdle) as server:
        assert refused(server.base) == (504, "source_too_slow")
        stop.set()


def test_a_redirect_within_the_configured_server_is_followed() -> None:
    """The same private host and port stays allowed."""

    def serve(peer: socket.socket, request: bytes) -> None:
        if b"GET /a.jpg" in request:
            peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b.jpg\r\nContent-Length: 0\r\n\r\n")
        else:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

    with serving(serve) as server:
        assert fetch(server.base).data == b"abc"


def test_a_redirect_to_another_local_port_is_refused() -> None:
    """Only the configured host and port may be private, not its neighbours."""
    with serving(answer("200 OK\nContent-Length: 3", b"abc")) as neighbour:
        moved = answer(f"302 Found\nLocation: {neighbour.base}/x\nContent-Length: 0")
        with serving(moved) as server:
            assert refused(server.base) == (502, "private_address")
    assert neighbour.requests == []


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"]])
def test_a_name_that_resolves_to_a_private_address_is_refused(found: list[str]) -> None:
    """Every address of the name must be public; no connection is made."""
    client = remote.Client(LIMITS, resolve=lambda _, __: found)
    assert refused("http://pictures.example", client=client) == (502, "private_address")


def test_a_name_without_addresses_is_refused() -> None:
    """Resolving to nothing is 502."""
    client = remote.Client(LIMITS, resolve=lambda _, __: [])
    assert refused("http://pictures.example", client=client) == (502, "no_address")


def test_a_name_may_be_private_when_the_deployment_says_so() -> None:
    """private_hosts opens one host and port; the name is resolved once and the address pinned."""
    asked = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    with serving(answer("200 OK\nContent-Length: 3", b"abc")) as server:
        name = f"pictures.example:{server.port}"
        client = remote.Client(LIMITS, private_hosts=frozenset({name}), resolve=resolve)
        assert fetch(f"http://{name}", client=client).data == b"abc"
        client.close()
    assert asked == ["pictures.example"]
    assert f"Host: {name}".encode() in server.requests[0]
