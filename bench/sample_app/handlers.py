"""Two handlers that do nothing; see app.toml."""

from __future__ import annotations

from typing import Any


def hello(event: dict[str, Any], context: Any) -> str:  # noqa: ARG001 - the shape of a handler
    """Answer a constant."""
    return "hello"


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Answer the event."""
    return event
