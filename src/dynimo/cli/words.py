"""How the command line speaks: colour only where it is wanted, and tables of what is on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click


def styled(text: str, fg: str) -> str:
    """Colour for a terminal that wants it (https://no-color.org; TERM=dumb)."""
    wanted = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return click.style(text, fg=fg) if wanted and not refused else text


def isolation(described: Mapping[str, str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Split a sandbox's description into what is on, and (measure, reason) of what is not."""
    on = [measure for measure, state in described.items() if state == "on"]
    off = [(measure, state) for measure, state in described.items() if state != "on"]
    return on, off
