"""The baselines, as a program: an HTTP front and N processes that sleep on request.

As good as such a fleet can be: its queue is one for all and in order, whoever has left is skipped,
an idle process is given work at once, and what is ordered is ready to the moment. Its size is
fixed, or follows the request rate as ``dynimo.simulating.plans.Autoscaling`` says. ``/supply``
tells when its size changed, ``/came`` how many came.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from dynimo.simulating.plans import Autoscaling

QUEUE_MAX = 10_000
SPREAD = 0.8
"""Of the time that an order takes, the share over which processes are started."""
_SLEEPER = """\
import socket, struct, time
line = socket.socket(fileno=0)
while data := line.recv(8, socket.MSG_WAITALL):
    time.sleep(struct.unpack("d", data)[0])
    line.send(b"1")
"""


class _Process:
    """One process that sleeps when it is told to."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        command = [sys.executable, "-I", "-S", "-c", _SLEEPER]
        self._program = subprocess.Popen(command, stdin=theirs)
        theirs.close()
        self._serving: _Client | None = None
        asyncio.get_running_loop().add_reader(self._line, self._done)

    def serve(self, client: _Client) -> None:
        self._serving = client
        self._line.send(struct.pack("d", client.seconds))

    def _done(self) -> None:
        try:
            heard = self._line.recv(1)
        except BlockingIOError:
            return
        if not heard:
            asyncio.get_running_loop().remove_reader(self._line)
            return
        client, self._serving = self._serving, None
        if client is not None:
            client.answer(200)
        self._fleet.free(self)

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
        self._program.kill()
        self._program.wait()


class _Client(asyncio.Protocol):
    """One connection; it asks for one thing at a time."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.seconds = 0.0
        self.here = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        target = data.split(b" ", 2)[1].decode()
        if target == "/supply":
            self.answer(200, json.dumps(self._fleet.supply).encode())
        elif target == "/came":
            self.answer(200, json.dumps(self._fleet.came).encode())
        elif target == "/readyz":
            self.answer(200)
        else:
            self.seconds = float(parse_qs(urlsplit(target).query)["seconds"][0])
            self._fleet.take(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's shape
        self.here = False

    def answer(self, status: int, body: bytes = b"done\n") -> None:
        if self.here:
            head = f"HTTP/1.1 {status} .\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


class Fleet:
    """The processes, who waits for one, and how many there shall be."""

    def __init__(self, scaling: Autoscaling | None, service_seconds: float) -> None:
        self._scaling = scaling
        self._service_seconds = service_seconds
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._booting: list[_Process] = []
        self._queue: collections.deque[_Client] = collections.deque()
        self._wanted = self._ordered = 0
        self.came = 0
        self._first = asyncio.Event()
        self._windows: list[float] = []
        self.supply: list[tuple[float, int, int]] = []

    def order(self, environments: int, start_seconds: float) -> None:
        """Have so many in that time.

        Their processes are started meanwhile, one after the other: all at once would take the
        processor from everybody, and they are not to be ready before it anyway.
        """
        self._ordered = environments
        loop = asyncio.get_running_loop()
        missing = environments - len(self._all) - len(self._booting)
        for number in range(missing):
            loop.call_later(start_seconds * SPREAD * number / missing, self._boot)
        self.tell()
        loop.call_later(start_seconds, self.resize, environments)

    def _boot(self) -> None:
        if len(self._all) + len(self._booting) < self._ordered:
            self._booting.append(_Process(self))

    def resize(self, environments: int) -> None:
        """Have so many from now on; what is too many goes as soon as it is idle."""
        self._wanted = environments
        while len(self._all) < environments:
            process = self._booting.pop() if self._booting else _Process(self)
            self._all.add(process)
            self.free(process)
        while len(self._all) > environments and self._idle:
            self._let_go(self._idle.pop())
        self.tell()

    def tell(self) -> None:
        """Remember how many there are, ordered ones too: they are paid for."""
        have = len(self._all)
        self.supply.append((time.monotonic(), max(have, self._ordered), have))

    def take(self, client: _Client) -> None:
        """Serve a client, now or when it is its turn."""
        self.came += 1
        self._first.set()
        if self._idle:
            self._idle.pop().serve(client)
        elif len(self._queue) >= QUEUE_MAX:
            client.answer(503)
        else:
            self._queue.append(client)

    def free(self, process: _Process) -> None:
        """A process has nothing to do."""
        if len(self._all) > self._wanted:
            self._let_go(process)
            self.tell()
            return
        while self._queue:
            client = self._queue.popleft()
            if client.here:
                process.serve(client)
                return
        self._idle.append(process)

    def _let_go(self, process: _Process) -> None:
        self._all.discard(process)
        process.end()

    async def follow(self) -> None:
        """Follow the metric, from the first request on, for ever."""
        scaling = self._scaling
        if scaling is None:
            return
        await self._first.wait()
        counted, ends = 0, time.monotonic()
        while True:
            ends += scaling.metric_seconds
            await asyncio.sleep(ends - time.monotonic())
            self._windows.append((self.came - counted) / scaling.metric_seconds)
            counted = self.came
            wanted = scaling.desired(self._windows, self._service_seconds)
            if wanted > max(self._wanted, self._ordered):
                self.order(wanted, scaling.start_seconds)
            elif wanted < self._wanted and self._wanted >= self._ordered:
                self._ordered = 0
                self.resize(wanted)

    def close(self) -> None:
        """End every process."""
        for process in (*self._all, *self._booting):
            process.end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--environments", type=int, required=True)
    parser.add_argument("--service-seconds", type=float, required=True)
    parser.add_argument("--metric-seconds", type=float, default=0.0, help="0: a fixed fleet")
    parser.add_argument("--start-seconds", type=float, default=0.0)
    return parser


async def _serve(arguments: argparse.Namespace) -> None:
    scaling = None
    if arguments.metric_seconds:
        scaling = Autoscaling(
            metric_seconds=arguments.metric_seconds, start_seconds=arguments.start_seconds
        )
    fleet = Fleet(scaling, arguments.service_seconds)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, asked.set)
    fleet.resize(arguments.environments)
    server = await loop.create_server(lambda: _Client(fleet), "127.0.0.1", arguments.port)
    following = loop.create_task(fleet.follow())
    await asked.wait()
    following.cancel()
    server.close()
    fleet.close()


def main() -> int:
    """Serve until SIGTERM."""
    arguments = _parser().parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
