"""What the tests of the logs share: a store on a folder of its own, and lines to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from dynimo.logs.config import Config
from dynimo.logs.store import Store
from dynimo.ports import Line

ACCOUNT = "000000000000"


def line(text: str, *, group: str = "/aws/lambda/f", stream: str = "s", when_ms: int = 1) -> Line:
    """A line of a function."""
    return Line(group=group, stream=stream, when_ms=when_ms, text=text, account=ACCOUNT)


@pytest_asyncio.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[Callable[..., Store]]:
    """``open_store(**limits)``: a store on ``tmp_path``, closed at the end."""
    opened: list[Store] = []

    def make(**limits: object) -> Store:
        defaults = {"retention_days": 0, "free_bytes_min": 0, "flush_seconds": 0.001}
        store = Store(tmp_path / "logs", Config(**(defaults | limits)))  # type: ignore[arg-type]
        store.open()
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.close()
