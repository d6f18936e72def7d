"""What is tormented: a small app whose function fetches from a small origin of ours.

Every body can be foretold from its path, so that a client knows a wrong or torn one at sight.
"""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PREFIX = "/chaos/"
BODY_BYTES = 4096
FRESH_SECONDS = 1
ORIGIN_SECONDS_MAX = 5
SLOW_SECONDS = 0.4

WELL, SLOW, BROKEN, SILENT = "well", "slow", "broken", "silent"
"""The origin's moods: it answers, late, with 500, or hangs up without a word."""

_APP = """
name = "chaos"

[functions.fetch]
handler = "fetch.handler"
limit = 8

[functions.fetch.environment]
ORIGIN = "{origin}"

[[routes]]
path = "{prefix}"
function = "fetch"
"""
_HANDLER = '''
"""Fetches what the path names from the origin."""

import os
import urllib.request

KEPT = "max-age={fresh}, stale-while-revalidate={fresh}, stale-if-error=600"


def handler(event, context):
    """Answer with the origin's body, or 502 when it has none."""
    address = os.environ["ORIGIN"] + event["rawPath"]
    try:
        with urllib.request.urlopen(address, timeout={timeout}) as answer:
            body = answer.read().decode()
    except OSError as error:
        return {{"statusCode": 502, "body": f"The origin failed: {{error}}."}}
    return {{"statusCode": 200, "headers": {{"cache-control": KEPT}}, "body": body}}
'''


def body_of(path: str) -> bytes:
    """The one right body of a path."""
    text = hashlib.sha256(path.encode()).hexdigest()
    return (text * (BODY_BYTES // len(text))).encode()


def write_app(folder: Path, origin: str) -> None:
    """Write the app that asks ``origin`` (``http://host:port``) into a new folder."""
    folder.mkdir(parents=True)
    (folder / "app.toml").write_text(_APP.format(origin=origin, prefix=PREFIX))
    code = _HANDLER.format(fresh=FRESH_SECONDS, timeout=ORIGIN_SECONDS_MAX)
    (folder / "fetch.py").write_text(code)


class _Answering(BaseHTTPRequestHandler):
    """Answers as the mood of its origin says."""

    server: Origin

    def do_GET(self) -> None:
        """Answer one path."""
        mood = self.server.mood
        if mood == SILENT:
            return
        if mood == SLOW:
            self.server.pause.wait(SLOW_SECONDS)
        body = b"" if mood == BROKEN else body_of(self.path)
        self.send_response(500 if mood == BROKEN else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Origin(ThreadingHTTPServer):
    """The origin, on a free port of 127.0.0.1; ``mood`` may be set at any time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.mood = WELL
        self.pause = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A function that was killed hangs up: nothing to tell of."""

    def close(self) -> None:
        """End it."""
        self.pause.set()
        self.shutdown()
        self.server_close()
        self._thread.join()
