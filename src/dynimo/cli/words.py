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


def isolation(described: Mapping[str, str]) -> list[str]:
    """A sandbox's description as lines: its level, what is on, what is not, what that lets pass."""
    from dynimo.backends.sandboxes import levels

    word = levels.level(described)
    on = [measure for measure, state in described.items() if state == "on"]
    told = [f"isolation: {word} ({levels.LEVELS[word]})", f"on: {', '.join(on) or 'none'}"]
    told += [f"not on: {name} ({state})" for name, state in described.items() if state != "on"]
    return told + [f"not stopped: {each}" for each in levels.not_stopped(described)]
