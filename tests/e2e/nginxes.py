"""Starts ``dynimo edge nginx --run`` with the nginx that is installed. No asserts."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import edges, serving

_SERVING = re.compile(r"Serving  (https?)://127\.0\.0\.1:([0-9]+)/")
IN_FRONT = {"DYNIMO_EDGE_TAGS_SHOWN": "true", "DYNIMO_EDGE_EXPIRY_SHOWN": "true"}
"""How a Dynimo behind nginx is set."""


def needed() -> None:
    """Skip where nginx is not installed."""
    if shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None:
        pytest.skip("nginx is needed (on Debian: apt-get install nginx-light)")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that nginx's processes can enter, whoever they run as."""
    with tempfile.TemporaryDirectory(prefix="dynimo-nginx-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@dataclass
class Front(serving.Server):
    """A running ``dynimo edge nginx --run``; ``port`` is nginx's, ``desk`` the operator's."""

    upstreams: tuple[str, ...] = ()
    files: Path = field(default_factory=Path)
    behind: list[edges.Edge] = field(default_factory=list)

    def start(self) -> Front:
        """Start, wait for its last word; raises with the log if it ends instead."""
        self.log = self.data.with_name(self.data.name + ".log").open("ab")
        asked = [part for url in self.upstreams for part in ("--upstream", url)]
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "dynimo", "edge", "nginx", "--run", *asked,
                "--port", "0", "--data", str(self.data), *self.arguments,
            ],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )  # fmt: skip
        deadline = time.monotonic() + serving.START_SECONDS
        while serving.LAST_WORD not in self.words():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                self.log.close()
                raise RuntimeError(f"did not start: {self.words()[-3000:]}")
            time.sleep(0.01)
        found = _SERVING.search(self.words())
        assert found is not None
        self.port = int(found[2])
        self.files = self.data / "nginx" / "cache"
        return self

    def held(self) -> list[Path]:
        """The files of nginx's cache."""
        return [path for path in self.files.rglob("*") if path.is_file()]

    def purged(self, *arguments: str) -> str:
        """``dynimo edge purge``; what it says, or why it does not."""
        ran = edges.cli("edge", "purge", *arguments, "--data", str(self.data))
        return ran.stdout.strip() or f"{ran.returncode}: {ran.stderr}"


@contextlib.contextmanager
def in_front(
    origin: str, place: Path, *arguments: str, count: int = 1, profile: str = "resilient"
) -> Iterator[Front]:
    """An nginx in front of ``count`` Dynimo edges in front of an origin."""
    behind = [
        edges.Edge(
            place / f"edge{number}", ("--profile", profile), IN_FRONT, upstream=origin
        ).start()
        for number in range(count)
    ]
    keys = [part for each in behind for part in ("--upstream-key", str(each.data / "admin.key"))]
    addresses = tuple(f"http://127.0.0.1:{each.port}" for each in behind)
    try:
        front = Front(
            place / "front", (*keys, "--profile", profile, *arguments), upstreams=addresses
        ).start()
        front.behind = behind
        try:
            yield front
        finally:
            front.stop()
    finally:
        for each in behind:
            each.stop()
