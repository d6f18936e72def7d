"""Clients that ask all the time, at a fixed rate, and write down what they see. No judgement."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from dataclasses import dataclass

from dynimo.chaos import subject

THREADS = 8
PER_SECOND = 60.0
FRESH_ONE_IN = 10
"""One request in so many asks for what nobody asked for before."""
KNOWN_KEYS = 20
ANSWER_SECONDS_MAX = 15.0
CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request: when it was due (``monotonic``), how long it took, and what came.

    ``problem`` is empty for the right body, else ``status N``, ``cut`` (no whole answer came) or
    ``wrong body``. ``fresh`` says that nobody had asked for it before.
    """

    due: float
    seconds: float
    fresh: bool
    stale: bool = False
    problem: str = ""


class Clients:
    """Threads that ask the server on ``port`` until ``close``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._numbers = itertools.count()
        self._fresh = itertools.count()
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Begin to ask."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def take(self) -> list[Seen]:
        """What was seen since the last time."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def close(self) -> None:
        """Stop asking; returns when all have their last answer."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def once(self, path: str) -> Seen:
        """Ask for one path on a connection of its own."""
        connection = self._connection()
        try:
            return _exchange(connection, path, time.monotonic(), fresh=True)
        finally:
            connection.close()

    def fresh_path(self) -> str:
        """A path that nobody has asked for."""
        with self._lock:
            return f"{subject.PREFIX}fresh/{next(self._fresh)}"

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS_MAX)

    def _ask(self) -> None:
        connection = self._connection()
        while True:
            with self._lock:
                number = next(self._numbers)
            due = self._began + number / PER_SECOND
            if self._stop.wait(max(0.0, due - time.monotonic())):
                connection.close()
                return
            fresh = number % FRESH_ONE_IN == 0
            known = f"{subject.PREFIX}known/{number % KNOWN_KEYS}"
            seen = _exchange(connection, self.fresh_path() if fresh else known, due, fresh=fresh)
            if seen.problem == CUT:
                connection.close()
                connection = self._connection()
            with self._lock:
                self._seen.append(seen)


def _exchange(
    connection: http.client.HTTPConnection, path: str, due: float, *, fresh: bool
) -> Seen:
    began, stale = time.monotonic(), False
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        stale = "stale" in (answer.getheader("cache-status") or "")
        problem = "" if answer.status == 200 else f"status {answer.status}"
        if not problem and body != subject.body_of(path):
            problem = "wrong body"
    except (OSError, http.client.HTTPException):
        problem = CUT
    seconds = time.monotonic() - began
    return Seen(due=due, seconds=seconds, fresh=fresh, stale=stale, problem=problem)
