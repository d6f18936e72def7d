"""The trace variable: seen by Python and by programs, replaced in place, removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dynimo.runtime import traces


@pytest.fixture(autouse=True)
def removed() -> Iterator[None]:
    yield
    traces.apply(None)


def inherited() -> str:
    """What a program that is started without an environment of its own sees."""
    code = f"import os; print(os.environ.get({traces.NAME!r}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout[:-1]


@pytest.mark.parametrize("trace", ["Root=1-a-b;Sampled=0", "short", "x" * traces.BYTES_MAX, "ü"])
def test_python_and_programs_see_it(trace: str) -> None:
    """In either way of setting it, after another one."""
    traces.apply("Root=1-before-it;Parent=53995c3f42cd8ad8;Sampled=1")
    traces.apply(trace)

    assert os.environ[traces.NAME] == trace
    assert inherited() == trace


@pytest.mark.parametrize("trace", [None, "", "a\0b"])
def test_none_is_none(trace: str | None) -> None:
    """What was there before goes."""
    traces.apply("Root=1-a-b")
    traces.apply(trace)

    assert traces.NAME not in os.environ
    assert inherited() == "None"


def test_a_handler_may_change_it() -> None:
    """It is an ordinary variable in between; the next invocation sets it anew."""
    traces.apply("one")
    os.environ[traces.NAME] = "mine"
    assert inherited() == "mine"
    del os.environ[traces.NAME]
    traces.apply("two")
    assert (os.environ[traces.NAME], inherited()) == ("two", "two")
