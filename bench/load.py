"""Drives servers over loopback: a closed loop of clients, each picture asked for once.

Every request has its own connection, so that no server's choice of who gets which connection can
leave one of its workers idle. With several addresses (one per worker process) each request goes to
the one with the fewest under way, as a good balancer would send it. No figures are made here.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

REQUEST_SECONDS_MAX = 60.0
ERRORS_KEPT_MAX = 5


@dataclass(slots=True, kw_only=True)
class Answer:
    """One exchange. ``seconds`` is from connecting to the last byte; ``target`` as asked."""

    target: str
    status: int
    seconds: float
    media_type: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class Round:
    """What came of one round; ``seconds`` is from its first request to its last answer.

    ``processor_seconds`` is what the servers used, where that was measured.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return len(self.answers) / self.seconds if self.seconds else 0.0


class _Balancer:
    """Hands out targets in order, and to each the address with the fewest under way."""

    def __init__(self, ports: Sequence[int], targets: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._under_way = dict.fromkeys(ports, 0)
        self._targets = iter(targets)

    def take(self) -> tuple[int, str] | None:
        with self._lock:
            target = next(self._targets, None)
            if target is None:
                return None
            port = min(self._under_way, key=self._under_way.__getitem__)
            self._under_way[port] += 1
            return port, target

    def give_back(self, port: int) -> None:
        with self._lock:
            self._under_way[port] -= 1


def closed_loop(ports: Sequence[int], targets: Sequence[str], clients: int) -> Round:
    """Ask for every target once, ``clients`` at a time."""
    balancer = _Balancer(ports, targets)
    result = Round()
    lock = threading.Lock()

    def client() -> None:
        while (taken := balancer.take()) is not None:
            port, target = taken
            try:
                answer = get(port, target)
            except (OSError, http.client.HTTPException) as error:
                _fail(result, lock, f"{target}: {error!r}")
                continue
            finally:
                balancer.give_back(port)
            if answer.status != 200:
                _fail(result, lock, f"{target}: {answer.status} {answer.body[:200]!r}")
                continue
            with lock:
                result.answers.append(answer)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - began
    return result


def _fail(result: Round, lock: threading.Lock, text: str) -> None:
    with lock:
        if len(result.errors) < ERRORS_KEPT_MAX:
            result.errors.append(text)


def get(port: int, target: str) -> Answer:
    """GET ``target`` from 127.0.0.1 on a connection of its own."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS_MAX)
    try:
        connection.request("GET", target, headers={"Connection": "close", "Accept": "image/*"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return Answer(
        target=target,
        status=response.status,
        seconds=time.perf_counter() - began,
        media_type=response.headers.get_content_type(),
        body=body,
    )
