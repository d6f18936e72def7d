"""One connection to an upstream: a request's bytes out, a head and pieces of a body in.

One exchange at a time. Whether the connection may serve another is said by ``reusable``; whoever
has a pool decides. What comes while nothing was asked ends the connection: it would be taken for
the answer to somebody else's question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from dynimo.upstreams import heads
from dynimo.upstreams.config import Config
from dynimo.upstreams.failures import Broken, UpstreamError
from dynimo.web import chunks, faults, message

OnInformational = Callable[[int, message.Headers], None]
_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 as a client."""

    __slots__ = (
        "_buffer", "_chunked", "_config", "_failure", "_head", "_inform", "_informed", "_left",
        "_method", "_paused", "_pieces", "_taken", "_transport", "_unread", "_waiter", "answered",
        "closed", "done",
    )  # fmt: skip

    def __init__(self, config: Config) -> None:
        self._config = config
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set once connected
        self._waiter: asyncio.Future[None] | None = None
        self._failure: UpstreamError | None = None
        self._paused = False
        self.closed = False
        self._begin("GET", None)
        self.done = True

    def __repr__(self) -> str:
        return f"<Connection closed: {self.closed}, done: {self.done}, unread: {self._unread}>"

    def _begin(self, method: str, inform: OnInformational | None) -> None:
        self._method = method
        self._inform = inform
        self._informed = 0
        self._buffer = b""
        self._head: heads.Head | None = None
        self._chunked: chunks.ChunkedBody | None = None
        self._left: int | None = 0
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._taken = 0
        self.answered = False
        self.done = False

    # What a caller asks.

    async def exchange(
        self, data: bytes, method: str, inform: OnInformational | None = None
    ) -> heads.Head:
        """Send a whole request; return the head of its answer, without those of the 1xx kind.

        Raises:
            Broken: the connection ended first, or what came is no answer.
        """
        self._begin(method, inform)
        if self.closed:
            raise Broken("The upstream closed the connection.", sent=False)
        self._transport.write(data)
        while self._head is None:
            await self._wait()
        return self._head

    async def read(self) -> bytes:
        """Return the next piece of the body, b"" at its end.

        Raises:
            Broken: the connection ended before the body did.
        """
        while not self._pieces:
            if self.done:
                return b""
            await self._wait()
        piece = self._pieces.popleft() if len(self._pieces) == 1 else self._joined()
        self._unread -= len(piece)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return piece

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return (
            self.done and not self.closed and self._head is not None and self._head.reusable
            and not self._transport.get_write_buffer_size()
        )  # fmt: skip

    def close(self) -> None:
        """End it now."""
        self.closed = True
        self._transport.abort()

    def _joined(self) -> bytes:
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece

    async def _wait(self) -> None:
        """Wait until something has come.

        Raises:
            Broken: nothing will come any more.
        """
        if self._failure is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._failure is not None and not self._pieces and not self.done:
            raise self._failure

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        if self.done:
            self.close()
            return
        self.answered = True
        try:
            if self._head is None:
                data = self._read_heads(self._buffer + data if self._buffer else data)
            if self._head is not None:
                self._read_body(data)
        except UpstreamError as error:
            self._fail(error)
        except faults.Fault as fault:
            self._fail(Broken(f"The upstream's body is not framed as it should be: {fault.text}"))
        self._wake()

    def eof_received(self) -> bool:
        """Close: half a connection is none."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """Tell whoever waits; a body that lasts until the close is whole now."""
        self.closed = True
        if self._head is not None and self._left is None and self._chunked is None:
            self.done = True
        elif not self.done and self._failure is None:
            text = "The upstream closed the connection before its answer was whole."
            self._failure = Broken(text)
        self._wake()

    def _fail(self, error: UpstreamError) -> None:
        self._failure = error
        self.close()

    def _read_heads(self, data: bytes) -> bytes:
        """Take heads from the buffer up to the one that counts; return what follows it."""
        while True:
            end = data.find(_END)
            if end < 0 or end > self._config.head_bytes_max:
                if len(data) > self._config.head_bytes_max:
                    raise Broken(
                        f"The upstream's head is over {self._config.head_bytes_max} bytes."
                    )
                self._buffer = data
                return b""
            head = heads.parse(data[: end + 4], self._method, self._config.headers_max)
            data = data[end + 4 :]
            if head.status >= 200:
                self._buffer = b""
                self._frame(head)
                return data
            self._informed += 1
            if head.status == 101 or self._informed > self._config.informational_max:
                raise Broken("The upstream switched protocols, or sent too many 1xx answers.")
            if self._inform is not None and head.status != 100:
                self._inform(head.status, head.headers)

    def _frame(self, head: heads.Head) -> None:
        self._head = head
        self._left = head.length
        if head.length is not None and head.length > self._config.body_bytes_max:
            raise self._too_long()
        if head.chunked:
            self._chunked = chunks.ChunkedBody(self._config.body_bytes_max)
        self.done = head.length == 0

    def _read_body(self, data: bytes) -> None:
        if self._chunked is not None:
            self._buffer = self._chunked.feed(self._buffer + data if self._buffer else data)
            body = self._chunked.body
            if body:
                self._keep(bytes(body))
                body.clear()
            self.done = self._chunked.done
            data = self._buffer if self.done else b""
        elif self._left is None:
            self._keep(data)
            data = b""
        else:
            piece = data[: self._left] if len(data) > self._left else data
            self._left -= len(piece)
            self._keep(piece)
            data = data[len(piece) :]
            self.done = not self._left
        if self.done and data:
            self.close()  # more than was asked for: nothing that follows can be believed

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._unread += len(piece)
        self._taken += len(piece)
        if self._taken > self._config.body_bytes_max:
            raise self._too_long()
        if self._unread > self._config.unread_bytes_max and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _too_long(self) -> Broken:
        return Broken(f"The upstream's body is over {self._config.body_bytes_max} bytes.")
