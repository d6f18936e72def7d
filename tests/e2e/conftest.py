"""Fixtures that start the real program."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.serving import Server

SAMPLE = Path(__file__).parents[2] / "apps" / "images" / "samples" / "boats.jpg"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """``serve(*flags, data=…)`` starts a server; all are stopped when the test ends."""
    started: list[Server] = []

    def start(*arguments: str, data: Path | None = None, **environment: str) -> Server:
        server = Server(data or tmp_path / "data", arguments, environment)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a file that only ask; its source ``pics`` holds the sample."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "pics" / "sub dir").mkdir(parents=True)
    shutil.copy(SAMPLE, folder / "pics" / "a.jpg")
    shutil.copy(SAMPLE, folder / "pics" / "sub dir" / "ü.jpg")
    server = Server(folder / "data", ("--source", f"pics={folder / 'pics'}")).start()
    yield server
    server.stop()
