"""Starts and stops the programs that are measured, by pid and never by name.

A program runs in its own session, logs into a file, and is stopped with everything it started.
What the programs are is said elsewhere (``peers``).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from bench import memory, processor
from bench.setting import Unavailable

READY_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 8.0
POLL_SECONDS = 0.01
LOG_TAIL_LINES = 3


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """One running program. A context manager; leaving it stops it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The pid of the program itself, the root of its tree."""
        return self._process.pid

    def wait_ready(
        self, port: int, path: str, accept: int = 0, seconds: float = READY_SECONDS_MAX
    ) -> float:
        """Wait until ``path`` answers ``accept`` (0: anything); return the seconds since the start.

        Raises:
            Unavailable: it ended, or did not answer in time. The message has its last words.
        """
        while time.monotonic() - self.started < seconds:
            if self._process.poll() is not None:
                raise Unavailable(f"{self.name} ended with {self._process.returncode}{self.tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if status_of(port, path) == accept or not accept:
                    return time.monotonic() - self.started
            time.sleep(POLL_SECONDS)
        raise Unavailable(f"{self.name} was not ready within {seconds:.0f} s{self.tail()}")

    def stop(self) -> None:
        """End it and all it started: politely, then not."""
        pids = memory.tree(self.pid)
        with processor.accounted(pids):
            if self._process.poll() is None:
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS_MAX)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    if pid == self.pid or os.getsid(pid) == self.pid:
                        os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def wait_ended(self, seconds: float) -> None:
        """Wait until it has ended by itself.

        Raises:
            Unavailable: it has not, in time.
        """
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{self.name} did not end{self.tail()}") from None

    def tail(self) -> str:
        """Its last words, for a message; empty if there are none."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return f"; it said: {' / '.join(lines[-LOG_TAIL_LINES:])}" if lines else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def status_of(port: int, path: str) -> int:
    """GET ``path`` and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
