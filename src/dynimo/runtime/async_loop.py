"""An environment's life with an ``async def`` handler: many requests at once on one event loop.

Imported by the zygote only when the handler is a coroutine function, because asyncio is not free.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from dynimo.runtime import outcome, streaming, wire
from dynimo.runtime.handler import Handler
from dynimo.runtime.loop import flush_output

WAITING_MAX = 1_000
"""Invocations beyond ``concurrency`` that may wait here; more is a fault of the platform."""


def serve(
    channel: int,
    handler: Handler,
    contexts: outcome.ContextFactory,
    *,
    task: str,
    concurrency: int,
) -> None:
    """Answer invocations until the platform closes ``channel``.

    Raises:
        SystemExit: the handler asked to exit.
        OSError: the platform went away.
    """
    os.set_blocking(channel, False)
    server = _Server(channel, handler, contexts, task, concurrency)
    # Not asyncio.run, which would wait at the end for handlers that refuse to be cancelled.
    asyncio.new_event_loop().run_until_complete(server.run())


class _Server:
    def __init__(
        self,
        channel: int,
        handler: Handler,
        contexts: outcome.ContextFactory,
        task: str,
        concurrency: int,
    ) -> None:
        self._channel = channel
        self._handler = handler
        self._contexts = contexts
        self._task = task
        self._concurrency = concurrency
        self._decoder = wire.Decoder()
        self._waiting: deque[tuple[dict[str, Any], bytes]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._unsent: deque[list[memoryview]] = deque()
        self._room: asyncio.Future[None] | None = None

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._channel, self._read)
        await self._ended

    def _end(self, error: BaseException | None = None) -> None:
        if not self._ended.done():
            if error is None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(error)

    def _read(self) -> None:
        try:
            count = os.readv(self._channel, [self._decoder.free()])
            if not count:
                self._end()
                return
            for meta, body in self._decoder.advance(count):
                if meta.get("type") == "invoke":
                    self._accept(meta, body)
        except BlockingIOError:
            return
        except (OSError, wire.WireError) as error:
            self._end(error)

    def _accept(self, meta: dict[str, Any], body: bytes) -> None:
        if len(self._running) < self._concurrency:
            task = self._loop.create_task(self._invoke(meta, body))
            self._running.add(task)
            task.add_done_callback(self._done)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((meta, body))
        else:
            raise wire.WireError("more invocations than agreed")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error)
        elif self._waiting:
            self._accept(*self._waiting.popleft())

    async def _invoke(self, meta: dict[str, Any], body: bytes) -> None:
        request_id = str(meta["id"])
        try:
            event = outcome.event(body)
        except ValueError as error:
            self._send(outcome.unreadable(request_id, error))
            return
        context = self._contexts.make(meta)
        started_ns = time.monotonic_ns()
        writer = streaming.Writer(request_id, lambda *frame: self._send(frame))
        streams = False
        try:
            value = self._handler(event, context)
            if not streaming.is_async_stream(value):
                value = await value
            streams = streaming.is_async_stream(value)
            if streams:
                await self._stream(value, writer)
                value = None
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the answer, whatever it is
            frame = outcome.failed(request_id, started_ns, error, task=self._task)
        else:
            frame = outcome.succeeded(request_id, started_ns, value)
        whole = streams and "error" not in frame[0]
        self._send(outcome.streamed(frame) if writer.begun or whole else frame)

    async def _stream(self, items: AsyncGenerator[object, None], writer: streaming.Writer) -> None:
        """Send what is yielded; wait while the platform is slower."""
        async with contextlib.aclosing(items):
            async for item in items:
                writer.send(item)
                while self._unsent:
                    self._room = self._room or self._loop.create_future()
                    await asyncio.shield(self._room)

    def _send(self, frame: outcome.Frame) -> None:
        flush_output()
        meta, body = frame
        parts = [memoryview(wire.encode(meta, body)), memoryview(body)]
        self._unsent.append(parts)
        if len(self._unsent) == 1:
            self._write()

    def _write(self) -> None:
        try:
            while self._unsent:
                parts = self._unsent[0]
                self._unsent[0] = wire.remaining(parts, os.writev(self._channel, parts))
                if not self._unsent[0]:
                    self._unsent.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._channel, self._write)
        except OSError as error:
            self._end(error)
        else:
            self._loop.remove_writer(self._channel)
            if self._room is not None:
                self._room.set_result(None)
                self._room = None
