"""The HTTP/1.1 server: listens, holds its connections, sweeps their deadlines, stops in order.

Runs on any asyncio loop (uvloop makes it about three times as fast). What a request means is the
handler's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable

from dynimo.web import faults, forwarding, message, tls, writing
from dynimo.web.census import Census
from dynimo.web.config import Config
from dynimo.web.connection import Connection
from dynimo.web.host import Connected
from dynimo.web.negotiated import Negotiated
from dynimo.web.repeats import Repeats
from dynimo.web.uploads import Uploads

SWEEP_SECONDS_MAX = 1.0
SWEEP_SECONDS_MIN = 0.02

SWEEP_SLICE, SWEEP_EXPIRY_COST = 500, 50
"""Connections looked at before others get their turn; ending one costs as much as so many looks."""

FILES_KEPT = 512
"""Open files that connections leave to the rest of the process, or a quarter of all if fewer."""

TURNED_AWAY_MAX = 256
"""Connections over the limit that are still given an answer at once; more are just closed."""

Fast = Callable[[message.Request], message.Response | bytes | None]
OnResponse = Callable[[message.Request, message.Response, float], None]


class Server:
    """Serves ``handler`` on one address.

    ``fast`` is asked first, synchronously, for every request without a body; None lets the handler
    answer. Bytes from it are sent as they are (a whole response that keeps the connection).
    Requests with one of ``slow_headers`` go to the handler in any case. ``trust`` says which
    proxies are believed when they speak of their clients.
    ``large`` says which requests may be uploads (``large_body_bytes_max``).
    ``on_response`` is told of each answer: request, response, seconds since the head was complete.
    """

    def __init__(
        self,
        handler: message.Handler,
        *,
        config: Config | None = None,
        fast: Fast | None = None,
        on_response: OnResponse | None = None,
        large: Callable[[message.Request], bool] = lambda _: False,
        trust: forwarding.Trust = forwarding.NOBODY,
        slow_headers: frozenset[str] = frozenset(),
    ) -> None:
        self.trust = trust
        self.slow_headers = slow_headers
        self.config = config or Config()
        self.handler = handler
        self.fast = fast
        self.on_response = on_response
        self.uploads = Uploads(large, self.config.large_bodies_max)
        self.date = writing.DateText()
        self.repeats = Repeats()
        self.stopping = False
        self.requests = 0
        self.refused = 0
        self.cancelled = 0
        self._accepted = 0
        self._turned_away = 0
        self._expired = 0
        self._evicted = 0
        self._connections: Census[Connected] = Census(
            min(self.config.connections_max, _files_for_connections()),
            self.config.connections_per_address_max,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._listening: list[asyncio.Server] = []
        self._secure = False
        self._sweeper: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Server connections: {len(self._connections)}, in progress: {len(self._tasks)}>"

    async def start(
        self, host: str, port: int, *, certificate: tls.Certificate | None = None
    ) -> int:
        """Listen, for https if there is a certificate; may be called for several addresses.

        Returns the port, which is the one asked for unless that was 0.

        Raises:
            OSError: the address cannot be had (``errno.EADDRINUSE``: the port is taken).
        """
        loop = asyncio.get_running_loop()
        backlog = self.config.backlog
        if certificate is None:
            listening = await loop.create_server(
                lambda: Connection(self, loop), host, port, backlog=backlog
            )
        else:
            listening = await loop.create_server(
                lambda: Negotiated(self, loop), host, port, backlog=backlog,
                ssl=certificate.context, ssl_handshake_timeout=tls.HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=tls.SHUTDOWN_SECONDS,
            )  # fmt: skip
        self._begin(listening)
        return int(listening.sockets[0].getsockname()[1])

    def _begin(self, listening: asyncio.Server) -> None:
        self._listening.append(listening)
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="web sweep")

    async def start_on(
        self, listening: socket.socket, *, certificate: tls.Certificate | None = None
    ) -> None:
        """Accept from a socket that listens already, and that other processes may share."""
        loop = asyncio.get_running_loop()
        if certificate is None:
            accepting = await loop.create_server(lambda: Connection(self, loop), sock=listening)
        else:
            self._secure = True
            accepting = await loop.create_server(
                lambda: Negotiated(self, loop), sock=listening,
                ssl=certificate.context, ssl_handshake_timeout=tls.HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=tls.SHUTDOWN_SECONDS,
            )  # fmt: skip
        self._begin(accepting)

    async def retire(self, seconds: float) -> None:
        """Accept no more, and end each connection with its next answer; ``stop`` ends the rest.

        A client that rests may be about to ask again, so its connection is not closed at once.
        Returns when none is left, or after ``seconds``.
        """
        self.stopping = True
        for listening in self._listening:
            listening.close()
        if self._secure:  # who is in the midst of a handshake is no connection yet
            await asyncio.sleep(min(tls.HANDSHAKE_SECONDS, seconds))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    async def stop(self, grace_seconds: float) -> None:
        """Accept no more; let requests in progress finish within the grace; then abort."""
        self.stopping = True
        for listening in self._listening:
            listening.close()
        for connection in self._connections:
            connection.drain()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._empty.wait()
        except TimeoutError:
            for connection in self._connections:
                connection.abort()
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=max(grace_seconds, 1.0))
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    def statistics(self) -> dict[str, int]:
        """Return counts: connections and requests now, and since the start."""
        return {
            "connections": len(self._connections),
            "connections_accepted": self._accepted,
            "connections_turned_away": self._turned_away,
            "connections_evicted": self._evicted,
            "connections_expired": self._expired,
            "requests": self.requests,
            "requests_in_progress": len(self._tasks),
            "requests_refused": self.refused,
            "requests_cancelled": self.cancelled,
        }

    # What connections ask of their server.

    def admit(self, connection: Connected) -> faults.Fault | None:
        """Count a connection in; what to answer it when there are too many (it is still swept)."""
        self._empty.clear()
        self._accepted += 1
        now = asyncio.get_running_loop().time()
        stays, leaving = self._connections.enter(connection, now)
        for resting in leaving:
            self._evicted += 1
            resting.drain()
        if stays:
            return None
        self._turned_away += 1
        if len(self._connections) > self._connections.most + TURNED_AWAY_MAX:
            connection.abort()
        return faults.Fault(503, "TooManyConnections", "The server has no place left.")

    def forget(self, connection: Connected) -> None:
        """Count a connection out."""
        self._connections.leave(connection)
        if not self._connections:
            self._empty.set()

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a handler's task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        """End connections whose deadline has passed."""
        limits = self.config
        shortest = min(
            limits.head_timeout_seconds, limits.body_timeout_seconds, limits.idle_timeout_seconds,
            limits.write_timeout_seconds, limits.linger_timeout_seconds,
        )  # fmt: skip
        pause = min(SWEEP_SECONDS_MAX, max(SWEEP_SECONDS_MIN, shortest / 4))
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause)
            now, work = loop.time(), 0
            for connection in self._connections:
                work += 1
                if connection.deadline < now:
                    self._expired += 1
                    work += SWEEP_EXPIRY_COST
                    connection.expire()
                if work >= SWEEP_SLICE:  # thousands at once must not hold up those who ask
                    work = 0
                    await asyncio.sleep(0)


def _files_for_connections() -> int:
    """How many connections the limit of open files allows."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, files - min(FILES_KEPT, files // 4)) if files > 0 else 1 << 30
