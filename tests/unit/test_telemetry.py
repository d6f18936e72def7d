"""Log lines: whatever they hold, they are written, and nobody fails by them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from dynimo.telemetry import BatchedHandler, JsonLines, PlainLines


def _written(formatter: logging.Formatter, message: str, *arguments: object) -> list[str]:
    """The lines of one failure, as a stream that takes nothing but UTF-8 gets them."""
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, "utf-8", errors="strict")
    handler = BatchedHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("dynimo.tests.telemetry")
    logger.propagate, logger.handlers[:] = False, [handler]
    try:
        raise ValueError("half a character: \ud800")
    except ValueError:
        logger.exception(message, *arguments)
    return kept.getvalue().decode().splitlines()


@pytest.mark.parametrize("formatter", [JsonLines(), PlainLines()])
def test_half_a_character_is_written_as_its_number(formatter: logging.Formatter) -> None:
    """A client may send one, and an error's text may hold it."""
    lines = _written(formatter, "failed: %s", "\ud800")

    assert "failed: \\ud800" in lines[0]


def test_a_line_for_machines_stays_json() -> None:
    """One object a line, traceback and all."""
    (line,) = _written(JsonLines(), "failed")

    assert "ValueError: half a character" in json.loads(line)["traceback"]


def test_a_line_that_cannot_be_made_says_so() -> None:
    """Rather than to fail whoever wanted to say something."""
    lines = _written(PlainLines(), "%d", "no number")

    assert "a line could not be written" in lines[0]
