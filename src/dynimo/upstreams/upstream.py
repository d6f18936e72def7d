"""One upstream as a Handler: connections kept, deadlines, one second try where it is safe.

Answers whose body is here already when their head is read are whole; the rest come in pieces, each
when the one before was taken.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from dynimo.upstreams import heads
from dynimo.upstreams.config import Config
from dynimo.upstreams.connection import Connection
from dynimo.upstreams.failures import Broken, Full, TimedOut, Unreachable, UpstreamError
from dynimo.web import message

_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
_PORTS = {"http": 80, "https": 443}


class Upstream:
    """Asks the server at ``url``: ``http://HOST[:PORT][/BASE]`` or ``https://…``.

    A path is asked for below BASE. Both ``ask`` and calling it take a request as clients send it.
    """

    def __init__(self, url: str, config: Config | None = None) -> None:
        """Make it; nothing is connected yet.

        Raises:
            ValueError: the URL is not of this form.
        """
        self.config = config or Config()
        self._address = _Address(url)
        self._idle: deque[tuple[Connection, float]] = deque()
        self._places = asyncio.Semaphore(self.config.connections_max)
        self._waiting = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._counts = dict.fromkeys(("requests", "connected", "reused", "retried", "failed"), 0)

    def __repr__(self) -> str:
        return f"<Upstream {self._address.url} idle: {len(self._idle)}, waiting: {self._waiting}>"

    async def __call__(self, request: message.Request) -> message.Response:
        """Answer a request; a failure is answered 502, 503 or 504."""
        try:
            return await self.ask(request)
        except UpstreamError as error:
            return error.response()

    async def ask(self, request: message.Request) -> message.Response:
        """Return the upstream's answer, whatever its status.

        Raises:
            Unreachable, Broken, TimedOut, Full: there is none (``failures.UpstreamError``).
        """
        self._counts["requests"] += 1
        host = request.headers.get("host") if self.config.keep_host else ""
        target = request.target  # "*" asks about the server, not about a path
        if target != "*":
            target = self._address.base + target
        try:
            data = heads.request_bytes(
                request, target, host or self._address.host, self.config.name
            )
        except ValueError as error:
            raise Broken(str(error), sent=False) from None
        try:
            await self._take_place()
            return await self._ask(request, data + request.body)
        except UpstreamError:
            self._counts["failed"] += 1
            raise

    async def _ask(self, request: message.Request, data: bytes) -> message.Response:
        """Ask over a kept connection, else over a new one. Owns a place, and gives it back."""
        safe = request.method in _IDEMPOTENT
        held: Connection | None = None
        try:
            held = self._kept() if safe else None
            if held is not None:
                self._counts["reused"] += 1
                try:
                    head = await self._head(held, request, data)
                except Broken:
                    if held.answered:
                        raise
                    self._counts["retried"] += 1  # closed while it rested: it saw nothing of this
                    held.close()
                    held = None
            if held is None:
                held = await self._connect()
                head = await self._head(held, request, data)
        except BaseException:
            self._release(held, whole=False)
            raise
        response = message.Response(status=head.status, headers=head.headers)
        if held.done:
            response.body = await held.read()
            self._release(held, whole=True)
        else:
            response.pieces = Pieces(self, held)
        return response

    async def _head(self, held: Connection, request: message.Request, data: bytes) -> heads.Head:
        try:
            async with asyncio.timeout(self.config.head_seconds):
                return await held.exchange(data, request.method, request.inform)
        except TimeoutError:
            seconds = self.config.head_seconds
            raise TimedOut(f"The upstream did not answer within {seconds:g} s.") from None

    # Connections.

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= self.config.waiting_max:
            raise Full("Too many requests wait for the upstream.", sent=False)
        self._waiting += 1
        try:
            async with asyncio.timeout(self.config.wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            text = f"No connection to the upstream was free within {self.config.wait_seconds:g} s."
            raise Full(text, sent=False) from None
        finally:
            self._waiting -= 1

    def _kept(self) -> Connection | None:
        """Return the connection used last, if it is still good."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            held, since = self._idle.pop()
            if held.reusable and now - since < self.config.idle_seconds:
                return held
            held.close()
        return None

    async def _connect(self) -> Connection:
        self._counts["connected"] += 1
        loop = asyncio.get_running_loop()
        where = self._address
        try:
            async with asyncio.timeout(self.config.connect_seconds):
                _, held = await loop.create_connection(
                    lambda: Connection(self.config), where.name, where.port, ssl=where.tls
                )
        except TimeoutError:
            text = f"No connection to the upstream within {self.config.connect_seconds:g} s."
            raise TimedOut(text, sent=False) from None
        except OSError as error:
            raise Unreachable(
                f"The upstream {where.host} cannot be reached: {error}.", sent=False
            ) from None
        return held

    def _release(self, held: Connection | None, *, whole: bool) -> None:
        """Give a place back; keep the connection if another request may follow on it."""
        self._places.release()
        if held is None:
            return
        if not whole or not held.reusable or len(self._idle) >= self.config.idle_connections_max:
            held.close()
            return
        loop = asyncio.get_running_loop()
        self._idle.append((held, loop.time()))
        if self._sweep is None:
            self._sweep = loop.call_later(self.config.idle_seconds, self._drop_old)

    def _drop_old(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        horizon = loop.time() - self.config.idle_seconds
        while self._idle and (self._idle[0][1] <= horizon or self._idle[0][0].closed):
            self._idle.popleft()[0].close()
        if self._idle:
            wait = self._idle[0][1] - horizon
            self._sweep = loop.call_later(max(wait, 0.01), self._drop_old)

    async def close(self) -> None:
        """Close what is kept; what is in use ends with its answer."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._idle:
            self._idle.pop()[0].close()

    def statistics(self) -> dict[str, int]:
        """Return counts since the start, and what is held now."""
        return {**self._counts, "idle": len(self._idle), "waiting": self._waiting}


class Pieces(AsyncGenerator[bytes, None]):
    """A body as it comes. Closing it gives the connection back, or ends it if bytes are missing."""

    def __init__(self, upstream: Upstream, held: Connection) -> None:
        self._upstream = upstream
        self._held: Connection | None = held

    async def __anext__(self) -> bytes:
        """Return the next piece.

        Raises:
            StopAsyncIteration: the body is whole.
            Broken, TimedOut: it will not be.
        """
        held = self._held
        if held is None:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._upstream.config.silence_seconds):
                piece = await held.read()
        except TimeoutError:
            self._end(whole=False)
            raise TimedOut("The upstream fell silent amid its answer.") from None
        except BaseException:
            self._end(whole=False)
            raise
        if piece:
            return piece
        self._end(whole=True)
        raise StopAsyncIteration

    async def asend(self, value: Any) -> bytes:  # noqa: ARG002 - a generator's shape
        """Return the next piece."""
        return await self.__anext__()

    async def athrow(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Any:
        """End it, and raise what was given."""
        self._end(whole=False)
        with suppress(AttributeError):
            tb = tb or val.__traceback__  # type: ignore[union-attr]
        raise val if isinstance(val, BaseException) else typ

    async def aclose(self) -> None:
        """Ask for no more."""
        self._end(whole=False)

    def __del__(self) -> None:
        """Give the place back when whoever had this was cancelled before taking any of it."""
        with suppress(RuntimeError):  # the loop is closed: nobody needs the place
            self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._upstream._release(held, whole=whole)  # noqa: SLF001 - one thing in two classes


class _Address:
    """Where an upstream is."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"An upstream is http://HOST[:PORT][/BASE] or https://…, not {url!r}.")
        if parts.username or parts.password:
            raise ValueError("An upstream's address must not hold a password.")
        self.url = url
        self.name = parts.hostname
        self.port = parts.port or _PORTS[parts.scheme]
        self.base = parts.path.rstrip("/")
        self.host = parts.netloc
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
