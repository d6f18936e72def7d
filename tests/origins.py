"""Small web servers on loopback for tests, each for as long as a ``with`` lasts. No asserts.

What a server says is a handler's, in the test that needs it. Those that must break HTTP, or be
killed, are sockets or programs of their own, where they are used.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

POLL_SECONDS = 0.02


class Handler(BaseHTTPRequestHandler):
    """One that logs nothing and answers in a line; a test says what to ``get`` and ``post``."""

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def get(self) -> None:
        """Answer a GET."""
        self.say(501)

    def post(self) -> None:
        """Answer a POST."""
        self.say(501)

    def say(
        self, status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer; its length too, unless the headers tell another."""
        self.send_response(status)
        for name, value in ({"content-length": str(len(body))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Let a server answer, over TLS if its context is given; gives the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve a folder; gives the port."""

    class Files(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        log_message = Handler.log_message

        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

    with listening(Files, tls) as port:
        yield port


@contextmanager
def redirecting(target: str) -> Iterator[int]:
    """Answer everything with a redirect; gives the port."""

    class Away(Handler):
        protocol_version = "HTTP/1.1"

        def get(self) -> None:
            self.say(302, headers={"location": target})

    with listening(Away) as port:
        yield port
