"""The HTTP server, from outside: raw bytes on real sockets, and what must come back."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dynimo.web import config, message, server
from tests.requests import ACCEPTED, GET, HOST, REFUSED

pytestmark = pytest.mark.e2e
SECONDS = 30.0
"""Generous: what must come comes sooner."""
LARGE_BYTES = 64_000_000
NEVER = threading.Event()
"""Waiting for it is passing time: a slow client is slow in real time."""


@dataclass
class Site:
    """A server in a thread, and what its handler saw."""

    port: int = 0
    seen: list[message.Request] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None
    server: server.Server | None = None

    async def handle(self, request: message.Request) -> message.Response:
        """Echo, or do what the path says."""
        self.seen.append(request)
        if request.path == "/wait":
            self.entered.set()
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if request.path == "/raise":
            raise RuntimeError("secret detail")
        if request.path == "/split":
            headers = message.Headers([("x-bad", "a\r\nset-cookie: b=c")])
            return message.Response(headers=headers, body=b"x")
        if request.path == "/204":
            return message.Response(status=204)
        if request.path == "/304":
            return message.Response(status=304, body=b"not to be sent")
        if request.path == "/999":
            return message.Response(status=999, body=b"odd")
        if request.path == "/large":
            return message.Response(body=b"x" * LARGE_BYTES)
        body = json.dumps([request.method, request.target, request.body.decode("latin-1")])
        return message.Response(body=body.encode())

    def ask(self, data: bytes, *, until: bytes = b"") -> bytes:
        """Send bytes; return all that comes until the server closes, or ``until`` was seen."""
        with self.connect() as client:
            client.sendall(data)
            return read(client, until)

    def connect(self) -> socket.socket:
        """Open a connection with a time limit."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client


def read(client: socket.socket, until: bytes = b"") -> bytes:
    """Read until the end, or until these bytes."""
    got = b""
    while not until or until not in got:
        piece = client.recv(65536)
        if not piece:
            break
        got += piece
    return got


def status_of(answer: bytes) -> int:
    """Return the first status code, 0 for no answer."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


LIMITS = config.Config(linger_timeout_seconds=0.4, connections_max=20, body_bytes_max=1000)
HASTY = dataclasses.replace(
    LIMITS, head_timeout_seconds=0.8, body_timeout_seconds=1.0, idle_timeout_seconds=0.8,
    write_timeout_seconds=0.3, write_rate_bytes_min=1 << 30, body_rate_bytes_min=100,
)  # fmt: skip
"""For what must time out; nothing else may be asked of it, since a machine may be slow."""
LOOPS = ("asyncio", "uvloop")


@pytest.fixture(params=LOOPS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A running server on each kind of loop."""
    yield from running(request.param, LIMITS)


@pytest.fixture(params=LOOPS)
def hasty(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The same, of little patience."""
    yield from running(request.param, HASTY)


def running(loop: str, limits: config.Config) -> Iterator[Site]:
    """Run a server in a thread."""
    made = Site()
    started = threading.Event()
    done: list[asyncio.Event] = []

    async def main() -> None:
        made.loop = asyncio.get_running_loop()
        made.server = server.Server(made.handle, config=limits)
        made.port = await made.server.start("127.0.0.1", 0)
        done.append(asyncio.Event())
        started.set()
        await done[0].wait()
        made.release.set()
        await made.server.stop(1.0)

    def run() -> None:
        if loop == "uvloop":
            pytest.importorskip("uvloop").run(main())
        else:
            asyncio.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(SECONDS)
    yield made
    assert made.loop is not None
    made.loop.call_soon_threadsafe(done[0].set)
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_request_is_refused_and_the_connection_closed(site: Site, case: str) -> None:
    """Whatever two parsers could read in two ways is answered with an error, then the end."""
    data, status = REFUSED[case]
    answer = site.ask(data + GET + HOST + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (status, 1) == (status_of(answer), answer.count(b"HTTP/1.1 "))
    assert b"connection: close" in head
    assert {"error", "message"} == set(json.loads(body))
    assert site.seen == []


@pytest.mark.parametrize("case", ACCEPTED)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_request_is_read_alike_however_it_is_cut(site: Site, case: str, piece: int) -> None:
    """A valid request reaches the handler whole, even one byte at a time, and nothing desyncs."""
    data, *expected = ACCEPTED[case]
    if b"\r\n\r\n" not in data:
        data += b"\r\n"
    data += b"GET /last HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    if b"HTTP/1.0" in data:
        data = data.replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1)
    with site.connect() as client:
        for at in range(0, len(data), piece):
            client.sendall(data[at : at + piece])
        answer = read(client)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    first = site.seen[0]
    assert expected == [first.method, first.target, first.body.decode()]
    assert site.seen[1].path == "/last"


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """Fifty requests in one packet give fifty answers, in order."""
    data = b"".join(b"GET /%d HTTP/1.1\r\n" % n + HOST + b"\r\n" for n in range(50))
    answer = site.ask(data + b"GET /end HTTP/1.0\r\n\r\n")
    positions = [answer.find(b'"/%d"' % n) for n in range(50)]
    assert positions == sorted(positions)
    assert -1 not in positions


def test_head_has_the_length_but_not_the_body(site: Site) -> None:
    """HEAD gives what GET would, without the body (RFC 9110 9.3.2)."""
    answer = site.ask(b"HEAD /x HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b""
    assert b"content-length: 18" in head


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_body_have_none(site: Site, status: int) -> None:
    """204 and 304 end after the head, and the next answer follows."""
    data = b"GET /%d HTTP/1.1\r\n" % status + HOST + b"\r\n" + b"GET /n HTTP/1.0\r\n\r\n"
    answer = site.ask(data)
    assert b"content-length" not in answer.partition(b"\r\n\r\n")[0]
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"HTTP/1.1 200 ")


def test_unknown_status_passes(site: Site) -> None:
    """A status that nobody registered is sent as it is."""
    assert status_of(site.ask(b"GET /999 HTTP/1.0\r\n\r\n")) == 999


def test_http10_keeps_alive_only_when_asked(site: Site) -> None:
    """HTTP/1.0 closes by default; when asked to stay, the answer says that it does."""
    assert b"connection: close" in site.ask(b"GET /x HTTP/1.0\r\n\r\n")
    asked = b"GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    assert b"connection: keep-alive" in site.ask(asked, until=b"]")


def test_expect_continue_is_answered_before_the_body(site: Site) -> None:
    """A client that waits for a 100 gets it, then its answer (RFC 9110 10.1.1)."""
    with site.connect() as client:
        client.sendall(
            b"POST /x HTTP/1.1\r\nConnection: close\r\n" + HOST
            + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )  # fmt: skip
        assert read(client, until=b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert status_of(read(client)) == 200


def test_handler_failure_is_500_without_detail(site: Site) -> None:
    """An exception becomes JSON that tells nothing of the inside; the connection lives on."""
    answer = site.ask(b"GET /raise HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /n HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 500
    assert b"secret" not in answer
    assert answer.count(b"HTTP/1.1 200 ") == 1


def test_response_header_cannot_split_the_response(site: Site) -> None:
    """A header value with a line break is never sent."""
    answer = site.ask(b"GET /split HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 500
    assert b"set-cookie" not in answer


def test_hang_up_cancels_the_handler(site: Site) -> None:
    """When the client goes, its handler's task is cancelled."""
    with site.connect() as client:
        client.sendall(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        assert site.entered.wait(SECONDS)
    assert site.cancelled.wait(SECONDS)


@pytest.mark.parametrize(
    "data",
    [b"GET / HT", GET + b"Host: a", b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\na"],
)
def test_request_that_does_not_end_is_408(hasty: Site, data: bytes) -> None:
    """A head or body that stays unfinished is answered 408 after its timeout."""
    assert status_of(hasty.ask(data)) == 408


@pytest.mark.parametrize("data", [b"", GET + HOST + b"\r\n"])
def test_idle_connection_is_closed(hasty: Site, data: bytes) -> None:
    """A connection that rests too long ends without a word."""
    answer = b""
    with hasty.connect() as client:
        client.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            answer = read(client)
    assert b"408" not in answer


def test_reader_too_slow_is_cut_off(hasty: Site) -> None:
    """A client that does not read its answer loses the connection."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(SECONDS)
        client.connect(("127.0.0.1", hasty.port))
        client.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        assert hasty.server is not None
        never = threading.Event()
        while not hasty.server.statistics()["connections_expired"]:
            assert not never.wait(0.02)
        assert len(read(client)) < LARGE_BYTES


def test_one_connection_too_many_is_503(site: Site) -> None:
    """Above the limit, with none that rests, a connection is answered 503 and closed."""
    clients = [site.connect() for _ in range(LIMITS.connections_max)]
    try:
        for client in clients:
            client.sendall(GET)
        with site.connect() as late:
            assert status_of(read(late)) == 503
    finally:
        for client in clients:
            client.close()


def test_resting_connections_make_room_for_new_ones(site: Site) -> None:
    """Above the limit those that rest between requests are closed, and the new one is served."""
    clients = [site.connect() for _ in range(LIMITS.connections_max)]
    try:
        for client in clients:
            client.sendall(GET + HOST + b"\r\n")
            assert status_of(read(client, until=b"]")) == 200
        assert status_of(site.ask(GET + HOST + b"\r\n", until=b"]")) == 200
        assert site.server is not None
        assert site.server.statistics()["connections_evicted"] == LIMITS.connections_max
        assert read(clients[0]) == b""
    finally:
        for client in clients:
            client.close()


def test_a_body_that_comes_fast_enough_has_all_its_time(hasty: Site) -> None:
    """What has come buys time at the slowest allowed rate; a trickle buys none and is 408."""
    with hasty.connect() as steady, hasty.connect() as trickle:
        for client in (steady, trickle):
            client.sendall(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n")
        for _ in range(10):
            steady.sendall(b"x" * 99)
            trickle.sendall(b"x")
            NEVER.wait(HASTY.body_timeout_seconds / 6)
        steady.sendall(b"x" * 10)
        assert status_of(read(steady, until=b"]")) == 200
        assert status_of(read(trickle)) == 408


def test_stop_lets_requests_in_progress_finish(site: Site) -> None:
    """Stopping closes idle connections at once and answers what is in progress."""
    assert site.loop is not None
    assert site.server is not None
    with site.connect() as idle, site.connect() as busy:
        idle.sendall(GET + HOST + b"\r\n")
        read(idle, until=b"]")
        busy.sendall(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        assert site.entered.wait(SECONDS)
        stopping = asyncio.run_coroutine_threadsafe(site.server.stop(SECONDS), site.loop)
        assert read(idle) == b""
        site.loop.call_soon_threadsafe(site.release.set)
        answer = read(busy)
        assert (status_of(answer), b"connection: close" in answer) == (200, True)
        stopping.result(SECONDS)


def test_stop_aborts_after_the_grace(site: Site) -> None:
    """What is still in progress after the grace is cut off."""
    assert site.loop is not None
    assert site.server is not None
    with site.connect() as busy:
        busy.sendall(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        assert site.entered.wait(SECONDS)
        asyncio.run_coroutine_threadsafe(site.server.stop(0.05), site.loop).result(SECONDS)
        assert site.cancelled.wait(SECONDS)


async def test_busy_port_is_the_callers_to_handle() -> None:
    """A port in use raises OSError untouched."""

    async def handler(_: message.Request) -> message.Response:
        return message.Response()

    first, second = server.Server(handler), server.Server(handler)
    port = await first.start("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await second.start("127.0.0.1", port)
    await second.stop(0)
    await first.stop(0)
