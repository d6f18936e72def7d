"""Closes what the tests of a file have opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.aws import kit


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    while kit.OPEN:
        kit.OPEN.pop().close()
