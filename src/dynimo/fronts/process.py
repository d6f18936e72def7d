"""One front process: HTTP on the shared socket, signatures proved, all else asked of the core.

Begun by ``keeper`` with descriptors: a link to the core, whose first frame is its settings, and the
listening sockets. It ends when it is told to, or when the core is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from dynimo import telemetry
from dynimo.accesslog import AccessLog
from dynimo.api.apps_admin import is_upload as is_app
from dynimo.api.aws.door import Door
from dynimo.backends.clocks import SystemClock
from dynimo.fronts import messages
from dynimo.fronts.link import Link
from dynimo.fronts.messages import Forget, Retire
from dynimo.fronts.remote import Remote
from dynimo.fronts.settings import FrontSettings
from dynimo.fronts.shelf import Shelf
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.model.caller import Proof
from dynimo.model.errors import DynimoError
from dynimo.requestlog import RequestLog
from dynimo.web.forwarding import Trust
from dynimo.web.message import Request, Response
from dynimo.web.server import Server
from dynimo.web.tls import Certificate

log = logging.getLogger("dynimo.fronts")

PROVED_BYTES_MAX = 1024 * 1024
"""Of a body whose hash is made here; the core has threads for larger ones."""
TELL_SECONDS = 0.5


class Front:
    """A server, a shelf, and a link."""

    def __init__(self, settings: FrontSettings) -> None:
        self._settings = settings
        key = settings.key.encode()
        keyring = Keyring(Path(settings.folder), settings.identity)
        self._gatekeeper = Gatekeeper(keyring, config=settings.identity)
        self._clock = SystemClock()
        self._shelf = Shelf(self._clock.monotonic)
        self._requests: list[tuple[int, float]] = []
        self._log = RequestLog(self, self._clock, lines=settings.lines, plain=settings.plain)
        self.access = _access_log(settings, self._clock)
        self.link: Link | None = None
        self._watching: asyncio.Task[None] | None = None
        self.told_to_end = asyncio.Event()
        self._end = Retire(0.0, 0.0)
        self.server = Server(
            self._ask,
            config=settings.web,
            fast=self._shelf.find,
            on_response=self._note,
            trust=Trust.of(settings.trusted_proxies),
            slow_headers=frozenset(settings.slow_headers),
            large=lambda request: Door.is_upload(request) or is_app(request, key),
        )
        self._remote = Remote(self.send, self._prove, self._shelf, self.server.date)

    def _note(self, request: Request, response: Response, seconds: float) -> None:
        self._log.add(request, response, seconds)
        if self.access is not None:
            self.access.add(request, response, seconds)

    async def _ask(self, request: Request) -> Response:
        return await self._remote(request)

    def send(self, frame: bytes) -> None:
        """Say something to the core."""
        if self.link is not None:
            self.link.send(frame)

    def answered(self, requests: Sequence[tuple[int, float]]) -> None:
        """Requests were answered; the core counts them (requestlog.Counts)."""
        self._requests += requests

    def tell(self) -> None:
        """Tell the core what was counted since it was told last."""
        requests, self._requests = self._requests, []
        statistics = {**self.server.statistics(), "shelf_hits": self._shelf.hits}
        self.send(messages.frame(messages.Counted(requests, statistics)))

    async def serve(self, http: socket.socket, https: socket.socket | None) -> None:
        """Accept from these. Raises OSError, ssl.SSLError."""
        await self.server.start_on(http)
        certificate = Certificate.of(self._settings.tls) if https is not None else None
        if https is not None and certificate is not None:
            await self.server.start_on(https, certificate=certificate)
            self._watching = asyncio.create_task(
                certificate.watch(self._settings.tls.reload_seconds)
            )

    async def close(self) -> None:
        """End as it was told to; then write and tell what waits."""
        if self._end.rest_seconds:
            await self.server.retire(self._end.rest_seconds)
        await self.server.stop(self._end.grace_seconds)
        self._log.flush()
        if self.access is not None:
            self.access.close()
        self.tell()

    def hear(self, frame: memoryview) -> None:
        """The core says something."""
        message = messages.from_core(frame)
        if isinstance(message, Forget):
            self._shelf.clear()
            self.send(messages.frame(messages.Forgotten(message.number)))
        elif isinstance(message, Retire):
            self._end = message
            self.told_to_end.set()
        else:
            self._remote.take(message)

    def _prove(self, request: Request) -> Proof | None:
        """Who signed it, if that can be found out here; the core has the words for what is not."""
        if not request.headers.get("authorization").startswith("AWS4-"):
            return None
        if len(request.body) > PROVED_BYTES_MAX:
            return None
        try:
            return self._gatekeeper.authenticate(request)
        except DynimoError:
            return None


def _access_log(settings: FrontSettings, clock: SystemClock) -> AccessLog | None:
    if settings.access.form == "off":
        return None
    name = f"access.{settings.slot}.log" if settings.slot else "access.log"
    return AccessLog(Path(settings.folder), settings.access, clock, name=name)


async def run(end: socket.socket, http: socket.socket, https: socket.socket | None) -> None:
    """Serve until told to end, or until the core is gone."""
    first: asyncio.Future[Front] = asyncio.get_running_loop().create_future()

    def hear(frame: memoryview) -> None:
        if not first.done():
            settings = msgspec.msgpack.decode(frame, type=FrontSettings)
            telemetry.set_up_logging(level=settings.level, form=settings.form)
            first.set_result(Front(settings))
        else:
            first.result().hear(frame)

    def lost() -> None:
        os._exit(0)  # without the core there is nothing to say to anybody

    link = await Link.over(end, hear, lost, frame_bytes_max=2**31)
    front = await first
    front.link = link
    try:
        await front.serve(http, https)
    except (OSError, ssl.SSLError) as error:
        log.error("a front process cannot serve: %s", error)
        return
    front.send(messages.frame(messages.Ready()))
    while not front.told_to_end.is_set():
        front.tell()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(front.told_to_end.wait(), TELL_SECONDS)
    await front.close()
    telemetry.flush_logs()


def main(arguments: list[str]) -> None:
    """``python -m dynimo.fronts LINK HTTP [HTTPS]``: descriptors."""
    end, http, *more = (socket.socket(fileno=int(each)) for each in arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all; the core tells us
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uvloop.run(run(end, http, more[0] if more else None))
    sys.stderr.flush()
