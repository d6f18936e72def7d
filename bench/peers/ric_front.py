"""A program: HTTP invocations in front of AWS's Runtime API, as AWS's emulator has it, but small.

``python ric_front.py PORT``. Whoever POSTs to an invocations path waits; a Runtime Interface Client
that asks for the next event gets the oldest, and what it answers is what the caller gets. Nothing
is verified, isolated, logged or timed: it is the least that can stand in front of that client.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import deque

import uvloop

NEXT = b"/2018-06-01/runtime/invocation/next"
ONE = b"/2018-06-01/runtime/invocation/"
ARN = b"arn:aws:lambda:us-east-1:000000000000:function:hello"
LENGTH = b"content-length:"
TIMEOUT_MS = 60_000

_events: deque[tuple[Front, bytes]] = deque()
_waiting: deque[Front] = deque()
_callers: dict[bytes, Front] = {}
_numbers = itertools.count(1)


class Front(asyncio.Protocol):
    """One connection: of a caller, or of a Runtime Interface Client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self._transport = transport
        self._data = b""

    def connection_lost(self, _: Exception | None) -> None:
        """It no longer waits for anything."""
        if self in _waiting:
            _waiting.remove(self)

    def data_received(self, data: bytes) -> None:
        """Serve whole requests; nobody pipelines."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return
        path, body = self._data.split(b" ", 2)[1], self._data[end + 4 :]
        self._data = b""
        self._serve(path, body)

    def _serve(self, path: bytes, body: bytes) -> None:
        if path == NEXT:
            _waiting.append(self)
        elif path.startswith(ONE):
            caller = _callers.pop(path[len(ONE) :].split(b"/")[0])
            caller.reply(b"200 OK", body)
            self.reply(b"202 Accepted", b"")
        elif path.endswith(b"/invocations"):
            _events.append((self, body))
        else:
            self.reply(b"200 OK" if len(_waiting) else b"503 Service Unavailable", b"")
        while _events and _waiting:
            caller, event = _events.popleft()
            number = b"%032x" % next(_numbers)
            _callers[number] = caller
            deadline = b"%d" % (time.time_ns() // 1_000_000 + TIMEOUT_MS)
            about = b"Lambda-Runtime-Aws-Request-Id: " + number
            about += b"\r\nLambda-Runtime-Deadline-Ms: " + deadline
            about += b"\r\nLambda-Runtime-Invoked-Function-Arn: " + ARN + b"\r\n"
            _waiting.popleft().reply(b"200 OK", event, about)

    def reply(self, status: bytes, body: bytes, about: bytes = b"") -> None:
        """Answer this connection."""
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, about, len(body)) + body)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Front, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
