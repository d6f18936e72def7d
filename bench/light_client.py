"""A client that costs little: raw sockets, ready-made requests, answers read but not understood.

It shares the cores with what it drives, so it does the least that can tell a good answer from a
bad one: it finds the end of an answer, its status, and a word that must be in it. Signing is
elsewhere (``signed``), figures too.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Self

from bench.setting import Unavailable

ANSWER_SECONDS_MAX = 60.0
RECEIVE_BYTES = 65_536
ERRORS_KEPT_MAX = 3
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"


def complete(data: bytes) -> bool:
    """Whether one whole HTTP/1.1 answer is there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[:end].lower()
    at = head.find(_LENGTH)
    if at >= 0:
        line_end = head.find(b"\r\n", at)
        length = int(head[at + len(_LENGTH) : line_end if line_end >= 0 else None])
        return len(data) >= end + 4 + length
    return _CHUNKED in head and data.endswith(b"0\r\n\r\n")


def body_of(answer: bytes) -> bytes:
    """What follows the head."""
    return answer.partition(b"\r\n\r\n")[2]


class Line:
    """One keep-alive connection to 127.0.0.1, one request at a time. A context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.asked_at = 0.0

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send a request whole."""
        self.received = b""
        self.asked_at = time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> bool:
        """Read once; whether the answer is complete. Raises OSError when the other side left."""
        got = self._socket.recv(RECEIVE_BYTES)
        if not got:
            raise ConnectionError(f"the server closed the connection after {self.received!r}")
        self.received += got
        return complete(self.received)

    def ask(self, request: bytes) -> tuple[bytes, float]:
        """One exchange: the whole answer, and the milliseconds until it was there."""
        self.send(request)
        while not self.receive():
            pass
        return self.received, (time.perf_counter() - self.asked_at) * 1e3

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class Drive:
    """What came of a closed loop. ``client_seconds`` is the processor time of this process."""

    seconds: float = 0.0
    client_seconds: float = 0.0
    answered: int = 0
    failed: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def take(self, line: Line, expected: bytes) -> None:
        """Count the answer that a connection has just received."""
        self.latencies_ms.append((time.perf_counter() - line.asked_at) * 1e3)
        if line.received.startswith(b"HTTP/1.1 200") and expected in line.received:
            self.answered += 1
        else:
            self.failed += 1
            if len(self.errors) < ERRORS_KEPT_MAX:
                self.errors.append(line.received[:300].decode("utf-8", "replace"))


def sequential(port: int, requests: Sequence[bytes], expected: bytes) -> list[float]:
    """Ask one after another on one connection; return the milliseconds of each.

    Raises:
        Unavailable: an answer was not what it must be.
    """
    samples = []
    with Line(port) as line:
        for request in requests:
            answer, milliseconds = line.ask(request)
            if not answer.startswith(b"HTTP/1.1 200") or expected not in answer:
                raise Unavailable(f"port {port} answered {answer[:300]!r}")
            samples.append(milliseconds)
    return samples


def closed_loop(
    port: int,
    requests: Sequence[bytes],
    expected: bytes,
    *,
    lines: int,
    more: Callable[[Drive], bool],
) -> Drive:
    """Keep ``lines`` connections busy with ``requests``, in a circle, as long as ``more`` says so.

    What is under way at the end is waited for.
    """
    drive, supply = Drive(), cycle(requests)
    opened = [Line(port) for _ in range(lines)]
    selector = selectors.EpollSelector()
    began, processor_began = time.perf_counter(), time.process_time()
    try:
        for line in opened:
            selector.register(line, selectors.EVENT_READ, line)
            line.send(next(supply))
        for line in _answered(selector, lines):
            drive.take(line, expected)
            if more(drive):
                line.send(next(supply))
            else:
                selector.unregister(line)
    finally:
        drive.seconds = time.perf_counter() - began
        drive.client_seconds = time.process_time() - processor_began
        selector.close()
        for line in opened:
            line.close()
    return drive


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvo:
    """What came of many requests at once; ``began_ns`` is monotonic, before the first was sent."""

    began_ns: int
    seconds: float
    answers: list[bytes]


def at_once(port: int, requests: Sequence[bytes]) -> Salvo:
    """Send every request on a connection of its own, all of them opened before; gather answers."""
    opened = [Line(port) for _ in requests]
    selector = selectors.EpollSelector()
    try:
        for line in opened:
            selector.register(line, selectors.EVENT_READ, line)
        began_ns = time.monotonic_ns()
        for line, request in zip(opened, requests, strict=True):
            line.send(request)
        for line in _answered(selector, len(opened)):
            selector.unregister(line)
        seconds = (time.monotonic_ns() - began_ns) / 1e9
    finally:
        selector.close()
        for line in opened:
            line.close()
    return Salvo(began_ns=began_ns, seconds=seconds, answers=[line.received for line in opened])


def _answered(selector: selectors.BaseSelector, lines: int) -> Iterator[Line]:
    """Every connection whose answer is complete, until none is registered any more."""
    while lines:
        ready = selector.select(ANSWER_SECONDS_MAX)
        if not ready:
            raise Unavailable(f"{lines} requests were not answered in {ANSWER_SECONDS_MAX:.0f} s")
        for key, _ in ready:
            line: Line = key.data
            if line.receive():
                yield line
                lines = len(selector.get_map())
