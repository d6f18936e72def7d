"""HTTP/2 over TLS: real clients are served, and those that only make work are sent away."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from dynimo.web import http2_stream, nuisance, tls
from dynimo.web.config import Config
from dynimo.web.message import Headers, Request, Response
from dynimo.web.server import Server
from tests import certificates

LIMIT_SECONDS = 20


class Site:
    """A server with http and https, and what its handler was asked."""

    def __init__(self, certificate: Path, key: Path, **limits: Any) -> None:
        self.asked: list[Request] = []
        self.cancelled = 0
        self.wait = asyncio.Event()
        self.server = Server(self.answer, config=Config(**limits))
        self.certificate = tls.Certificate(certificate, key, protocols=[tls.HTTP2, tls.HTTP11])
        self.port = 0

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path == "/wait":
            try:
                await self.wait.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if request.path == "/large":
            return Response(body=b"x" * 3_000_000)
        if request.path == "/pieces":
            return Response(pieces=_pieces())
        headers = [
            ("x-scheme", request.scheme),
            ("connection", "close"),
            ("x-path", request.target),
        ]
        return Response(headers=Headers(headers), body=request.body or b"hello")


async def _pieces() -> AsyncGenerator[bytes, None]:
    for number in range(5):
        yield bytes([number]) * 50_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificates.write(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def serving(files: tuple[Path, Path], **limits: Any) -> AsyncIterator[Site]:
    site = Site(*files, **limits)
    site.port = await site.server.start("127.0.0.1", 0, certificate=site.certificate)
    try:
        yield site
    finally:
        site.wait.set()
        await site.server.stop(1)


class Client:
    """An HTTP/2 client that does as it is told, right or wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.events: list[events.Event] = []
        self.ended = False

    def request(self, path: str = "/", *, end: bool = True, **headers: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        block = [(":method", headers.pop("method", "GET")), (":scheme", "https"),
                 (":authority", "x.example"), (":path", path)]  # fmt: skip
        block += [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.h2.send_headers(stream, block, end_stream=end)
        return stream

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def until(self, done: Callable[[], object]) -> None:
        """Take in what comes until that holds, or the connection ends."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not done() and not self.ended:
                self.flush()
                try:
                    data = await self.reader.read(65536)
                except ConnectionError:
                    data = b""
                self.ended = not data
                for event in self.h2.receive_data(data):
                    self.events.append(event)
                    if isinstance(event, events.DataReceived):
                        self.h2.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                self.flush()

    def of(self, kind: type[events.Event], stream: int | None = None) -> list[Any]:
        return [
            each for each in self.events
            if isinstance(each, kind) and (stream is None or each.stream_id == stream)  # type: ignore[attr-defined]
        ]  # fmt: skip

    async def answer(self, stream: int) -> tuple[dict[str, str], bytes]:
        """An answer, whole."""
        await self.until(lambda: self.of(events.StreamEnded, stream))
        (head,) = self.of(events.ResponseReceived, stream)
        return dict(head.headers), b"".join(e.data for e in self.of(events.DataReceived, stream))

    async def goodbye(self) -> int:
        """The code with which the server leaves."""
        await self.until(lambda: self.of(events.ConnectionTerminated))
        return int(self.of(events.ConnectionTerminated)[0].error_code)


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[Client]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=context)
    client = Client(reader, writer)
    client.h2.initiate_connection()
    try:
        yield client
    finally:
        writer.transport.abort()


async def _run(*command: str) -> str:
    ran = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_curl_speaks_both_versions(files: tuple[Path, Path]) -> None:
    """What ALPN chose; the certificate is checked, and a body goes there and back."""
    async with serving(files) as site:
        url = f"https://127.0.0.1:{site.port}/a?b=c"
        for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
            told = await _run(
                "curl", "-sS", flag, "--cacert", str(files[0]), "-d", "body", "-o", "-",
                "-w", "|%{http_version} %{http_code} %header{x-scheme} %header{x-path}", url,
            )  # fmt: skip
            assert told == f"body|{version} 200 https /a?b=c"


@pytest.mark.skipif(shutil.which("h2load") is None, reason="needs nghttp2-client")
async def test_many_streams_of_many_connections_are_all_answered(files: tuple[Path, Path]) -> None:
    """As h2load counts; large bodies too."""
    async with serving(files) as site:
        url = f"https://127.0.0.1:{site.port}"
        told = await _run("h2load", "-n400", "-c4", "-m64", f"{url}/a")
        assert "400 succeeded, 0 failed, 0 errored" in told
        told = await _run("h2load", "-n20", "-c2", "-m5", f"{url}/large", f"{url}/pieces")
        assert "20 succeeded, 0 failed, 0 errored" in told


async def test_answers_come_whole_and_without_what_is_of_http11(files: tuple[Path, Path]) -> None:
    """Large ones, in pieces, to HEAD; with a length where it is known."""
    async with serving(files) as site, connected(site) as client:
        large, pieces = client.request("/large"), client.request("/pieces")
        head = client.request("/large", method="HEAD")
        plain = client.request("/a?b")

        assert await client.answer(large) == (
            {":status": "200", "content-length": "3000000", "date": _date(client, large)},
            b"x" * 3_000_000,
        )
        assert (await client.answer(pieces))[1] == b"".join([each async for each in _pieces()])
        assert (await client.answer(head))[1] == b""
        headers, body = await client.answer(plain)
        assert (headers["x-path"], body, "connection" in headers) == ("/a?b", b"hello", False)


def _date(client: Client, stream: int) -> str:
    (head,) = client.of(events.ResponseReceived, stream)
    return str(dict(head.headers)["date"])


async def test_a_request_is_read_by_the_same_rules(files: tuple[Path, Path]) -> None:
    """One host, no claims, cookies joined; what is wrong ends one stream, not the connection."""
    async with serving(files, headers_max=20) as site, connected(site) as client:
        client.h2.config.validate_outbound_headers = False
        good = client.request(x_forwarded_for="1.2.3.4", cookie="a=b", x_original_url="/admin")
        wrong = {
            client.request("/a b"): "400",
            client.request(method="F()O"): "501",
            client.request("/" + "a" * 17_000): "414",
            client.request(**{f"x-{number}": "1" for number in range(30)}): "431",
        }
        assert (await client.answer(good))[0][":status"] == "200"
        for stream, status in wrong.items():
            assert (await client.answer(stream))[0][":status"] == status

    request = site.asked[0]
    assert request.headers.pairs == [
        ("host", "x.example"), ("cookie", "a=b"), ("x-forwarded-proto", "https"),
    ]  # fmt: skip
    assert (request.peer, request.proxied, len(site.asked)) == ("127.0.0.1", True, 1)


@pytest.mark.parametrize(
    "headers", [{"host": "other.example"}, {"connection": "x"}, {"transfer_encoding": "chunked"}]
)
async def test_what_is_malformed_reaches_nobody(
    files: tuple[Path, Path], headers: dict[str, str]
) -> None:
    """Two hosts, or what only HTTP/1.1 has: the connection ends (RFC 9113 section 8.1.1)."""
    async with serving(files) as site, connected(site) as client:
        client.h2.config.validate_outbound_headers = False
        client.h2.config.normalize_outbound_headers = False
        client.request(**headers)

        assert await client.goodbye() == ErrorCodes.PROTOCOL_ERROR
        assert site.asked == []


async def test_bodies_have_their_limit(files: tuple[Path, Path]) -> None:
    """Told of before it comes, or found while it does."""
    async with serving(files, body_bytes_max=100_000) as site, connected(site) as client:
        told = client.request(method="POST", content_length="100001", end=False)
        assert (await client.answer(told))[0][":status"] == "413"
        found = client.request(method="POST", end=False)
        client.h2.send_data(found, b"x" * 16_000)
        client.h2.send_data(found, b"x" * 16_000)
        client.flush()
        for _ in range(5):
            window = client.h2.local_flow_control_window
            await client.until(lambda window=window: window(found) >= 16_000)  # type: ignore[misc]
            if client.of(events.ResponseReceived, found):
                break
            client.h2.send_data(found, b"x" * 16_000)
        assert (await client.answer(found))[0][":status"] == "413"
        good = client.request(method="POST", end=False)
        client.h2.send_data(good, b"y" * 10_000, end_stream=True)
        assert (await client.answer(good))[1] == b"y" * 10_000


async def test_a_body_that_does_not_come_is_given_up(files: tuple[Path, Path]) -> None:
    """408 for its stream; the others go on."""
    async with serving(files, body_timeout_seconds=0.2) as site, connected(site) as client:
        silent = client.request(method="POST", end=False)

        assert (await client.answer(silent))[0][":status"] == "408"
        assert (await client.answer(client.request()))[1] == b"hello"
        assert [request.version for request in site.asked] == ["2.0"]


async def test_more_streams_than_allowed_are_refused(files: tuple[Path, Path]) -> None:
    """Those there are go on; a refused one may be sent again."""
    async with serving(files) as site, connected(site) as client:
        streams = [client.request("/wait") for _ in range(http2_stream.STREAMS_MAX + 1)]
        await client.until(lambda: client.of(events.StreamReset))
        site.wait.set()

        assert client.of(events.StreamReset)[0].error_code == ErrorCodes.REFUSED_STREAM
        assert (await client.answer(streams[0]))[1] == b"hello"
        assert len(site.asked) == http2_stream.STREAMS_MAX


async def test_a_stream_that_is_taken_back_ends_its_handler(files: tuple[Path, Path]) -> None:
    """As a closed connection does."""
    async with serving(files) as site, connected(site) as client:
        stream = client.request("/wait")
        await client.until(lambda: client.of(events.SettingsAcknowledged))
        client.h2.reset_stream(stream, ErrorCodes.CANCEL)
        assert (await client.answer(client.request()))[1] == b"hello"

        assert site.cancelled == len(site.asked) - 1


async def test_a_rapid_reset_ends_in_goodbye(files: tuple[Path, Path]) -> None:
    """CVE-2023-44487: requests that are sent and taken back, on and on."""
    async with serving(files) as site, connected(site) as client:
        for _ in range(nuisance.BURST_MAX + 50):
            client.h2.reset_stream(client.request("/wait"), ErrorCodes.CANCEL)

        assert await client.goodbye() == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("kind", ["ping", "settings"])
async def test_a_flood_of_what_brings_nothing_ends_in_goodbye(
    files: tuple[Path, Path], kind: str
) -> None:
    """CVE-2019-9512 and 9515."""
    async with serving(files) as site, connected(site) as client:
        for number in range(nuisance.BURST_MAX + 50):
            if kind == "ping":
                client.h2.ping(b"%08d" % number)
            else:
                client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 60_000 + number})

        assert await client.goodbye() == ErrorCodes.ENHANCE_YOUR_CALM


async def test_a_header_block_without_end_ends_in_goodbye(files: tuple[Path, Path]) -> None:
    """CVE-2024-27316: CONTINUATION frames, on and on."""
    async with serving(files) as site, connected(site) as client:
        client.flush()
        client.writer.write(_frame(1, 0, 1, b"\x00" * 10))
        for _ in range(100):
            client.writer.write(_frame(9, 0, 1, b"\x00\x01a\x01b"))

        assert await client.goodbye() == ErrorCodes.PROTOCOL_ERROR
        assert site.asked == []


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


async def test_one_slow_reader_holds_up_no_other_stream(files: tuple[Path, Path]) -> None:
    """And its answer is given up when its window stays shut."""
    async with serving(files, write_timeout_seconds=0.3) as site, connected(site) as client:
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        shut = client.request("/large")
        await client.until(lambda: client.of(events.ResponseReceived, shut))
        other = client.request("/a")
        client.h2.increment_flow_control_window(1000, other)

        assert (await client.answer(other))[1] == b"hello"
        await client.until(lambda: client.of(events.StreamReset, shut))
        assert not client.ended


async def test_a_changed_certificate_is_shown_to_new_clients(tmp_path: Path) -> None:
    """Without being told; whoever is connected goes on."""
    async with serving(certificates.write(tmp_path)) as site, connected(site) as before:
        watching = asyncio.create_task(site.certificate.watch(0.01))
        old = _shown(before)
        certificates.write(tmp_path)
        async with asyncio.timeout(LIMIT_SECONDS):
            shown = old
            while shown == old:
                async with connected(site) as client:
                    shown = _shown(client)
        watching.cancel()

        assert shown == ssl.PEM_cert_to_DER_cert((tmp_path / "cert.pem").read_text())
        assert (await before.answer(before.request()))[1] == b"hello"


def _shown(client: Client) -> bytes:
    shown = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert isinstance(shown, bytes)
    return shown


async def test_a_server_that_stops_finishes_what_it_began(files: tuple[Path, Path]) -> None:
    """GOAWAY first, then the answers, then the end."""
    async with serving(files) as site, connected(site) as client:
        stream = client.request("/wait")
        client.flush()
        await client.until(lambda: site.asked)
        stopping = asyncio.create_task(site.server.stop(5))
        data = b""
        async with asyncio.timeout(LIMIT_SECONDS):
            while (
                b"\x07\x00" not in data
            ):  # a GOAWAY frame; the library would take no more after it
                data = await client.reader.read(65536)
            site.wait.set()
            rest = data + await client.reader.read()
        await stopping

    assert b"hello" in rest
    assert stream == 1
