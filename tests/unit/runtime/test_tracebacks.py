"""Errors as callers are told them, and what fits into a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynimo.runtime import tracebacks, wire


def test_an_error_that_fits_is_told_whole() -> None:
    """Nothing is added or cut."""
    told = {"errorMessage": "m" * 100_000, "stackTrace": ["x"] * 100}
    assert tracebacks.fitting(told) == told


@pytest.mark.parametrize(
    "told",
    [
        {"errorMessage": "\u20ac" * 500_000, "errorType": "E", "stackTrace": ["a"]},
        {"errorMessage": "m", "errorType": "E", "stackTrace": ["x" * 1_000] * 1_000},
        {"errorMessage": "m", "errorType": "E", "stackTrace": ["x" * 1_000_000]},
        {"errorMessage": "m", "errorType": "E", "other": {"deep": ["x" * 1_000_000]}},
        {"errorMessage": "\ud800" * 500_000, "errorType": "E" * 500_000},
    ],
)
def test_a_huge_error_is_cut_to_a_frame(told: dict[str, Any]) -> None:
    """Its type stays, and it can be sent."""
    cut = tracebacks.fitting(told)
    assert str(cut["errorType"]).startswith("E")
    assert wire.encode({"type": "outcome", "error": cut}, b"")


def test_an_error_without_words_still_has_a_shape() -> None:
    """An exception whose text cannot be had is told by its name."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    told = tracebacks.error(Mute(), request_id="r", task="/nowhere")
    assert json.loads(json.dumps(told))["errorMessage"] == "<unprintable Mute>"
    assert list(told) == ["errorMessage", "errorType", "requestId", "stackTrace"]
