"""Starts real edges in front of a real origin, for tests of the edge as a program. No asserts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests import origins
from tests.e2e import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 60.0
LAST_WORD = "Stop with Ctrl-C."


@dataclass
class Origin:
    """Answers every path with its name and a number that rises; counts who asked for what.

    ``hold`` is called with each path before it is answered.
    """

    headers: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    seen: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    hold: Callable[[str], object] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[Origin]:
        """Serve meanwhile."""
        origin = self

        class Handler(origins.Handler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def get(self) -> None:
                origin.asked[self.path] += 1
                if origin.hold is not None:
                    origin.hold(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                origin.seen.append({**headers, "target": self.path})
                body = f"{self.path} {origin.asked[self.path]}".encode()
                self.say(200, body, origin.headers)

        with origins.listening(Handler) as self.port:
            yield self


@dataclass
class Edge(serving.Server):
    """A running ``dynimo edge``; ``upstream`` is what it caches, ``port`` is chosen if 0."""

    upstream: str = ""

    def start(self) -> Edge:
        """Start, wait for its last word; raises with the log if it ends instead."""
        self.log = self.data.with_name(self.data.name + ".log").open("ab")
        before = self.words().count(LAST_WORD)
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "dynimo", "edge", "--upstream", self.upstream,
                "--port", str(self.port), "--data", str(self.data), *self.arguments,
            ],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while self.words().count(LAST_WORD) == before:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                self.log.close()
                raise RuntimeError(f"did not start: {self.words()[-3000:]}")
            time.sleep(0.01)
        self.port = int((self.data / "address").read_text().rpartition(":")[2])
        return self


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``dynimo`` and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "dynimo", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
