"""The open-loop sender, a process of its own: ``python -m bench.spike.sender``.

Sends each request of a schedule when it is due, whatever came of those before; on a connection that
is free, or else a new one. No retries. Latency counts from when a request was due. With several
ports each request goes to the one with the fewest under way. Nothing is understood of an answer but
its status and two headers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import re
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from bench import light_client
from bench.spike.shots import BROKEN, DEADLINE, Shot, Shown, Volley, read_schedule, write_result

NICE = -5
"""So that what is measured does not make its own measurer late."""
_RUN = re.compile(rb"\r\nx-run: ([^\r]*)", re.IGNORECASE)
_CACHE = re.compile(rb"\r\ncache-status: ([^\r]*)", re.IGNORECASE)
_PREFETCH = "Sec-Purpose: prefetch\r\n"


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, sender: Sender, port: int) -> None:
        self._sender = sender
        self.port = port
        self.number = -1
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, number: int, request: bytes) -> None:
        """Send a request."""
        assert self._transport is not None, "asked once connected"
        self.number, self._received = number, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.number >= 0 and light_client.complete(self._received):
            number, self.number = self.number, -1
            head = self._received.partition(b"\r\n\r\n")[0]
            stays = b"connection: close" not in head.lower()
            self._sender.answered(self, number, head, stays=stays)
            if not stays:
                self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's shape
        self._sender.lost(self, self.number)

    def close(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()


class Sender:
    """Sends one schedule and remembers how each request ended."""

    def __init__(self, ports: list[int], shots: list[Shot], deadline: float) -> None:
        self._shots = shots
        self._deadline = deadline
        self._idle: dict[int, list[_Line]] = {port: [] for port in ports}
        self._under_way = dict.fromkeys(ports, 0)
        self._requests = [_request(shot) for shot in shots]
        self._late = [0.0] * len(shots)
        self._due: list[float] = [0.0] * len(shots)
        self._shown: dict[int, Shown] = {}
        self._lines: dict[int, tuple[int, _Line | None]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._all = asyncio.Event()

    async def run(self, began: float, lines: int) -> list[Shown]:
        """Open so many connections, send everything; return when the last has ended."""
        loop = asyncio.get_running_loop()
        for port, idle in self._idle.items():
            for _ in range(lines):
                idle.append(await self._open(port))
        for number, shot in enumerate(self._shots):
            due = self._due[number] = began + shot.due
            if (delay := due - time.monotonic()) > 0:
                await asyncio.sleep(delay)
            self._late[number] = time.monotonic() - due
            self._fire(number)
            loop.call_later(max(0.0, due + self._deadline - time.monotonic()), self._expire, number)
        if self._shots:
            await self._all.wait()
        for lines in self._idle.values():
            for line in list(lines):
                line.close()
        return [self._shown[number] for number in range(len(self._shots))]

    def _fire(self, number: int) -> None:
        port = min(self._under_way, key=self._under_way.__getitem__)
        self._under_way[port] += 1
        if self._idle[port]:
            line = self._idle[port].pop()
            self._lines[number] = (port, line)
            line.ask(number, self._requests[number])
        else:
            self._lines[number] = (port, None)
            task = asyncio.get_running_loop().create_task(self._connect(number, port))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _open(self, port: int) -> _Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: _Line(self, port), "127.0.0.1", port)
        return line

    async def _connect(self, number: int, port: int) -> None:
        try:
            line = await self._open(port)
        except OSError:
            self._end(number, BROKEN)
            return
        if number in self._shown:  # its client has given up meanwhile
            self._idle[port].append(line)
        else:
            self._lines[number] = (port, line)
            line.ask(number, self._requests[number])

    def answered(self, line: _Line, number: int, head: bytes, *, stays: bool) -> None:
        """A whole answer is there."""
        run, cache = _RUN.search(head), _CACHE.search(head)
        self._end(
            number,
            int(head[9:12]),
            run=run[1].decode() if run else "",
            cache=cache[1].decode("latin-1") if cache else "",
        )
        if stays:
            self._idle[line.port].append(line)

    def lost(self, line: _Line, number: int) -> None:
        """A connection is gone, with what was asked on it."""
        if line in self._idle[line.port]:
            self._idle[line.port].remove(line)
        if number >= 0:
            self._end(number, BROKEN)

    def _expire(self, number: int) -> None:
        if number in self._shown:
            return
        _, line = self._lines[number]
        self._end(number, DEADLINE)
        if line is not None:
            line.number = -1
            line.close()

    def _end(self, number: int, status: int, *, run: str = "", cache: str = "") -> None:
        if number in self._shown:
            return
        port, _ = self._lines.pop(number)
        self._under_way[port] -= 1
        seconds = time.monotonic() - self._due[number]
        self._shown[number] = Shown(self._late[number], seconds, status, run, cache)
        if len(self._shown) == len(self._shots):
            self._all.set()


def _request(shot: Shot) -> bytes:
    purpose = _PREFETCH if shot.prefetch else ""
    return (
        f"GET {shot.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{purpose}\r\n"
    ).encode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sender")
    parser.add_argument("--schedule", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--began", type=float, required=True, help="monotonic seconds")
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("--lines", type=int, default=0, help="connections opened beforehand")
    parser.add_argument("ports", type=int, nargs="+")
    return parser


def main() -> int:
    """Read the schedule, send it, write what came."""
    arguments = _parser().parse_args()
    shots = read_schedule(arguments.schedule)
    sender = Sender(arguments.ports, shots, arguments.deadline)
    # A collection in the midst of it would make the sender late, and there is nothing to collect.
    gc.freeze()
    with contextlib.suppress(PermissionError):  # only root may; others do without
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        shown = runner.run(sender.run(arguments.began, arguments.lines))
    times = os.times()
    volley = Volley(
        began=arguments.began,
        shots=shots,
        shown=shown,
        processor_seconds=times.user + times.system,
    )
    write_result(arguments.result, volley)
    return 0


if __name__ == "__main__":
    sys.exit(main())
