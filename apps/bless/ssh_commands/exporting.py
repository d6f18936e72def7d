"""The CA's log as lines, as `transparency.export` has them, taken from the CA page by page."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls
from ssh_commands.options import FAILED

PAGE_LINES = 1000
"""As many as the CA gives at once."""


def lines(typed: argparse.Namespace) -> Iterator[bytes]:
    """Every line, each with its line feed. Raises CommandError."""
    at = 0
    while True:
        told = ca_calls.call(typed, "audit", what="export", **{"from": at}, count=PAGE_LINES)
        for line in told["lines"]:
            yield f"{line}\n".encode()
        following = told.get("next")
        if following is None:
            return
        if not isinstance(following, int) or following <= at:
            raise CommandError("the CA's export does not go on", FAILED)
        at = following


def head(typed: argparse.Namespace) -> dict[str, Any]:
    """The last head (``head`` is its line, or None), the log's key and name. CommandError."""
    return ca_calls.call(typed, "audit", what="head")
