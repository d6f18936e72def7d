"""What is printed: for people, with bold words on terminals only, or for programs as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def say(text: str = "") -> None:
    """Print a line for people."""
    sys.stdout.write(f"{text}\n")


def hint(text: str) -> None:
    """Print beside the answer: what happened on the way, what to do next."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """Print for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def strong(text: str) -> str:
    """Bold, on a terminal that may be coloured."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"{_BOLD}{text}{_PLAIN}"


def moment(seconds: float) -> str:
    """A time as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def printable(text: str) -> str:
    """Text of others, without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
