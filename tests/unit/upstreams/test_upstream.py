"""Asking an upstream, over real sockets: what is passed, kept, refused, and given up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dynimo.upstreams.config import Config
from dynimo.upstreams.failures import Broken, Full, TimedOut, Unreachable
from dynimo.upstreams.heads import HOPS_MAX
from dynimo.upstreams.upstream import Upstream
from dynimo.web import message

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


@dataclass
class Origin:
    """A server made of bytes: it answers each request with the next of ``answers``."""

    answers: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection: ``|`` in an answer waits for release, ``!`` closes after it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving[task] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                self.bodies.append(await reader.readexactly(int(length or 0)))
                answer = self.answers.pop(0) if self.answers else OK
                first, _, later = answer.removesuffix(b"!").partition(b"|")
                writer.write(first)
                if later:
                    await self.release.wait()
                    writer.write(later)
                if answer.endswith(b"!"):
                    break
        writer.close()


@asynccontextmanager
async def asking(*answers: bytes, **limits: object) -> AsyncIterator[tuple[Origin, Upstream]]:
    """An origin with these answers, and an upstream that asks it."""
    origin = Origin(answers=list(answers))
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    upstream = Upstream(origin.url, Config(**limits))  # type: ignore[arg-type]
    try:
        yield origin, upstream
    finally:
        await upstream.close()
        server.close()
        origin.release.set()
        for writer in origin.serving.values():
            writer.transport.abort()
        await asyncio.gather(*origin.serving, return_exceptions=True)


def get(
    path: str = "/a", method: str = "GET", body: bytes = b"", **headers: str
) -> message.Request:
    """A request, with headers by their name in Python's spelling."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return message.Request(method=method, path=path, headers=message.Headers(pairs), body=body)


async def whole(response: message.Response) -> bytes:
    """All of a body."""
    if response.pieces is None:
        return response.body
    return b"".join([piece async for piece in response.pieces])


async def test_connections_are_kept_and_shared() -> None:
    """The second request goes over the first one's connection."""
    async with asking() as (origin, upstream):
        for _ in range(3):
            answer = await upstream.ask(get("/a", query_is="x"))
            assert (answer.status, answer.body) == (200, b"hi")
        assert origin.connections == 1
        assert upstream.statistics()["reused"] == 2


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nto the end!", b"to the end"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi!", b"hi"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: y\r\n\r\n",
            b"hi",
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi|\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhi|ho", b"hiho"),
        (b"HTTP/1.1 204 No\r\n\r\n", b""),
    ],
)
async def test_every_framing_is_read(answer: bytes, body: bytes) -> None:
    """Length, chunks with a trailer (dropped), until the close, none; in one packet or two."""
    async with asking(answer) as (origin, upstream):
        got = await upstream.ask(get())
        origin.release.set()
        assert await whole(got) == body
        assert "x" not in got.headers
        assert (await upstream.ask(get())).body == b"hi"


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\nb: c\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
        b"HTTP/1.1 103 Early\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le!",
    ],
)
async def test_what_could_be_read_in_two_ways_is_no_answer(answer: bytes) -> None:
    """It is refused, the client is told 502, and the connection serves nobody else."""
    async with asking(answer) as (origin, upstream):
        got = await upstream(get())
        with contextlib.suppress(Broken):
            got.status if got.pieces is None else await whole(got)
        assert got.status == 502 or got.pieces is not None
        assert (await upstream.ask(get())).body == b"hi"
        assert origin.connections == 2


async def test_more_than_was_asked_for_ends_the_connection() -> None:
    """Bytes after an answer are not taken for the answer to the next question."""
    async with asking(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil") as (
        origin,
        upstream,
    ):
        assert (await upstream.ask(get())).body == b"hi"
        assert (await upstream.ask(get())).body == b"hi"
        assert origin.connections == 2


async def test_an_answer_cut_short_breaks_off() -> None:
    """A body that ends before its length, or without its last chunk, is never whole."""
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi!"
    open_ended = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n!"
    async with asking(short, open_ended) as (_, upstream):
        for _ in range(2):
            with pytest.raises(Broken):
                await whole(await upstream.ask(get()))


async def test_a_kept_connection_that_closed_costs_nothing() -> None:
    """A safe request is asked again on a new connection when the kept one turns out closed."""
    async with asking(OK, b"!") as (origin, upstream):
        await upstream.ask(get())
        assert (await upstream.ask(get())).body == b"hi"
        assert origin.connections == 2
        assert upstream.statistics()["retried"] == 1


async def test_what_is_not_idempotent_is_never_asked_twice() -> None:
    """POST goes over a connection of its own, and fails if that closes."""
    async with asking(OK, b"!") as (origin, upstream):
        await upstream.ask(get())
        with pytest.raises(Broken) as caught:
            await upstream.ask(get(method="POST", body=b"x"))
        assert caught.value.sent
        assert [head.split()[0] for head in origin.heads] == ["GET", "POST"]


async def test_what_is_between_two_hops_stays_there() -> None:
    """Hop-by-hop headers, those that Connection names, and forged origins do not pass."""
    headers = b"connection: x-mine\r\nx-mine: 1\r\nkeep-alive: 2\r\nkept: 3\r\n"
    async with asking(b"HTTP/1.1 200 OK\r\n" + headers + b"content-length: 0\r\n\r\n") as (
        origin,
        upstream,
    ):
        got = await upstream.ask(
            get(
                connection="secret, close",
                secret="1",
                te="trailers",
                x_forwarded_host="evil",
                x_original_url="/admin",
                x_http_method_override="DELETE",
                kept="2",
                via="1.0 a",
            )
        )
        assert got.headers.pairs == [("kept", "3"), ("content-length", "0")]
        lines = origin.heads[0].split("\r\n")
        host = origin.url.removeprefix("http://")
        assert lines[:4] == [
            "GET /a HTTP/1.1",
            f"host: {host}",
            "kept: 2",
            "via: 1.0 a, 1.1 dynimo",
        ]


async def test_a_body_goes_out_whole() -> None:
    """A request's body arrives with its length; an empty POST says 0."""
    async with asking() as (origin, upstream):
        await upstream.ask(get(method="PUT", body=b"x" * 300_000))
        await upstream.ask(get(method="POST"))
        assert [len(body) for body in origin.bodies] == [300_000, 0]
        assert "content-length: 0" in origin.heads[1]


async def test_informational_answers_come_ahead() -> None:
    """103 is told as it comes; 100 is between us and the upstream."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with asking(early + OK) as (_, upstream):
        told: list[tuple[int, list[tuple[str, str]]]] = []
        request = get()
        request.inform = lambda status, headers: told.append((status, headers.pairs))
        assert (await upstream.ask(request)).body == b"hi"
        assert told == [(103, [("link", "</a>")])]


async def test_every_wait_has_a_limit() -> None:
    """No head, a silent body, no free connection: each is given up, and said."""
    silent = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi|x"
    limits = {"head_seconds": 0.1, "silence_seconds": 0.1, "wait_seconds": 0.1}
    async with asking(b"|x", silent, silent, connections_max=1, **limits) as (_, upstream):
        with pytest.raises(TimedOut):
            await upstream.ask(get())
        got = await upstream.ask(get())
        with pytest.raises(TimedOut):
            await whole(got)
        held = await upstream.ask(get())
        with pytest.raises(Full):
            await upstream.ask(get())
        assert held.pieces is not None
        await held.pieces.aclose()
        assert (await upstream.ask(get())).body == b"hi"


async def test_a_closed_port_is_said() -> None:
    """Nobody there: 502, and the request was certainly not sent."""
    async with asking() as (origin, _):
        pass
    upstream = Upstream(origin.url)
    with pytest.raises(Unreachable) as caught:
        await upstream.ask(get())
    assert not caught.value.sent
    assert (await upstream(get())).status == 502


async def test_a_slow_taker_holds_the_upstream_back() -> None:
    """What waits to be taken is bounded; the rest stays where it is, and all of it comes."""
    size = 8_000_000
    large = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    async with asking(large + b"x" * size, unread_bytes_max=1000) as (_, upstream):
        got = await upstream.ask(get())
        assert got.pieces is not None
        total = largest = 0
        async for piece in got.pieces:
            total, largest = total + len(piece), max(largest, len(piece))
            await asyncio.sleep(0)
        assert total == size
        assert largest < size // 4


@pytest.mark.parametrize("url", ["ftp://a", "http://", "//a", "http://u:p@a", "http://a?x", "a"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """An upstream is named by scheme, host, port and base; nothing else."""
    with pytest.raises(ValueError, match="upstream"):
        Upstream(url)


async def test_a_base_goes_before_every_path() -> None:
    """Paths are asked for below the upstream's own."""
    async with asking() as (origin, upstream):
        below = Upstream(origin.url + "/base/")
        await below.ask(get("/a%2Fb"))
        await below.close()
        assert origin.heads[0].startswith("GET /base/a%2Fb HTTP/1.1\r\n")
        assert upstream.statistics()["requests"] == 0


async def test_a_request_that_goes_in_a_circle_is_stopped() -> None:
    """An upstream that leads back here is asked a few times, not for ever."""
    async with asking() as (origin, upstream):
        passed = ", ".join(["1.1 dynimo"] * HOPS_MAX)
        assert (await upstream(get(via=passed))).status == 502
        assert not origin.heads


async def test_a_place_is_given_back_by_whoever_forgets_an_answer() -> None:
    """An answer that nobody reads or closes holds no connection."""
    silent = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi|x"
    async with asking(silent, connections_max=1) as (_, upstream):
        await upstream.ask(get())
        assert (await upstream.ask(get())).body == b"hi"


async def test_the_server_itself_may_be_asked_about() -> None:
    """``OPTIONS *`` is below no base."""
    async with asking() as (origin, _):
        below = Upstream(origin.url + "/base")
        await below.ask(get("*", "OPTIONS"))
        await below.close()
        assert origin.heads[0].startswith("OPTIONS * HTTP/1.1\r\n")


async def test_tls_is_spoken_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Over https:// the certificate must be good for the host; one that is not is no answer."""
    certificate, key = issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    distrusting = Upstream(url)
    with pytest.raises(Unreachable):
        await distrusting.ask(get())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = Upstream(url)
    assert (await trusting.ask(get())).body == b"hi"
    await trusting.close()
    server.close()
    await asyncio.gather(*origin.serving, return_exceptions=True)


def issue(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return certificate, private
