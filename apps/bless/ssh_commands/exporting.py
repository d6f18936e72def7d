"""The CA's log as lines, as `transparency.export` has them, taken from the CA page by page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls
from ssh_commands.options import FAILED

PAGE_RECORDS = 4000
"""As many as an answer has room for."""


def lines(typed: argparse.Namespace) -> Iterator[bytes]:
    """Every line, each with its line feed. Raises CommandError."""
    at = 0
    while True:
        told = ca_calls.call(typed, "audit", what="export", **{"from": at}, count=PAGE_RECORDS)
        for line in told["lines"]:
            yield f"{line}\n".encode()
        following = told.get("next")
        if following is None:
            return
        if not isinstance(following, int) or following <= at:
            raise CommandError("the CA's export does not go on", FAILED)
        at = following


def key(typed: argparse.Namespace) -> str:
    """The line of the log's key, as the CA says. Raises CommandError."""
    return str(ca_calls.call(typed, "audit", what="head")["key"])


def compact(value: Any) -> str:
    """JSON as heads are written."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
