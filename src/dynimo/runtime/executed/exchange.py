"""Between the platform's frames and the Runtime API: what waits, what runs, how it ended.

Knows frames and their order; nothing of HTTP and nothing of processes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynimo.runtime import tracebacks, wire

WAITING_MAX = 1_000
"""Invocations that may wait here; the platform sends one at a time, more is a fault of it."""


@dataclass(slots=True, kw_only=True)
class Given:
    """One invocation. ``received`` and ``started_ns`` are monotonic (seconds, nanoseconds)."""

    meta: dict[str, Any]
    event: bytes
    received: float
    started_ns: int = 0
    late_ms: int = 0
    streamed: bool = False

    @property
    def id(self) -> str:
        """Its request id."""
        return str(self.meta["id"])

    @property
    def deadline_ms(self) -> int:
        """Epoch milliseconds; the time in which the runtime was still starting does not count."""
        return int(self.meta.get("deadline_ms") or 0) + self.late_ms


class Exchange:
    """One environment's invocations. ``on_end`` is called when the platform lets go."""

    def __init__(
        self, channel: socket.socket, on_end: Callable[[], None], peak_kib: Callable[[], int]
    ) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._on_end = on_end
        self._peak_kib = peak_kib
        self._waiting: deque[Given] = deque()
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._ready = False
        self.current: Given | None = None
        self.init_error: dict[str, Any] | None = None

    async def listen(self) -> None:
        """Take frames until the platform closes the channel."""
        loop = asyncio.get_running_loop()
        decoder = wire.Decoder()
        try:
            while count := await loop.sock_recv_into(self._channel, decoder.free()):
                for meta, body in decoder.advance(count):
                    if meta.get("type") == "invoke" and len(self._waiting) < WAITING_MAX:
                        now = time.monotonic()
                        self._waiting.append(Given(meta=meta, event=body, received=now))
                        self._changed.set()
        except (OSError, wire.WireError):
            pass
        self._on_end()

    async def arrived(self) -> Given:
        """Wait until an invocation is here; it stays where it is."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        return self._waiting[0]

    async def next(self) -> Given:
        """Wait for an invocation and make it the current one."""
        given = await self.arrived()
        await self.ready()
        self._waiting.popleft()
        self.current = given
        given.started_ns = time.monotonic_ns()
        return given

    async def ready(self) -> None:
        """The start is over: from here on the time of who waits already is the function's."""
        if not self._ready:
            self._ready = True
            if self._waiting:
                given = self._waiting[0]
                given.late_ms = int((time.monotonic() - given.received) * 1000)
                await self._send({"type": "ready", "id": given.id}, b"")

    async def begin(self, status: int, headers: list[list[str]]) -> None:
        """Status and headers of a streamed answer."""
        await self._send(
            {"type": "begin", "id": self._id(), "status": status, "headers": headers}, b""
        )

    async def chunk(self, piece: bytes) -> None:
        """A piece of a streamed answer. Waits while the platform takes no more."""
        await self._send({"type": "chunk", "id": self._id()}, piece)

    async def value(self, body: bytes) -> None:
        """The answer, whole."""
        await self._finish({"value": True}, body)

    async def streamed(self, error: dict[str, Any] | None) -> None:
        """The end of a streamed answer, which failed midway if there is an error."""
        result = {"error": tracebacks.fitting(error)} if error is not None else {"value": True}
        await self._finish({"streamed": True, **result}, b"")

    async def failed(self, error: dict[str, Any]) -> None:
        """The function failed."""
        await self._finish({"error": tracebacks.fitting(error)}, b"")

    async def fail_next(self, error: dict[str, Any]) -> None:
        """Wait for an invocation and tell it why the runtime did not start."""
        if self.current is None:
            await self.next()
        if "requestId" not in error and error["errorType"].startswith("Runtime.Invalid"):
            text = f"RequestId: {self._id()} Error: {error['errorMessage']}"
            error = {**error, "errorMessage": text}
        await self.failed(error)

    def _id(self) -> str:
        assert self.current is not None, "only what runs is answered"
        return self.current.id

    async def _finish(self, result: dict[str, Any], body: bytes) -> None:
        given = self.current
        assert given is not None, "only what runs is answered"
        meta = {
            "type": "outcome",
            "id": given.id,
            "started_ns": given.started_ns,
            "ended_ns": time.monotonic_ns(),
            "max_rss_kib": self._peak_kib(),
            **result,
        }
        await self._send(meta, body)

    async def _send(self, meta: dict[str, Any], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        async with self._writing:
            try:
                await loop.sock_sendall(self._channel, wire.encode(meta, body) + body)
            except OSError:
                self._on_end()


def error_of(body: bytes, kind: str) -> dict[str, Any]:
    """What a runtime posted as its error; one that is no JSON object is told as its text."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if isinstance(told, dict):
        return told
    text = body.decode("utf-8", "replace")
    return {"errorType": kind or "Runtime.Unknown", "errorMessage": text}
