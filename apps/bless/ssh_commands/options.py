"""Arguments that several commands take, and what they mean."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from dynimo.sdk.commands import CommandError

Verbs = argparse._SubParsersAction  # noqa: SLF001 - argparse has no other name for it
OK, FAILED, USAGE, NOT_FOUND, DENIED, UNAVAILABLE = 0, 1, 2, 3, 4, 69
UNCHANGED = 10
"""With ``--exit-code``: the work was done and nothing had to change."""
FILE_BYTES_MAX = 1024 * 1024
"""Of a small file that is named: a key, a token, a policy."""
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Let it answer in JSON, and name the server as the platform's verbs do."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="answer in JSON")
    parser.add_argument("--data", help="data folder of the server to talk to")


def under(parser: argparse.ArgumentParser) -> Verbs[argparse.ArgumentParser]:
    """Let a verb have verbs of its own."""
    return parser.add_subparsers(required=True, metavar="COMMAND")


def seconds(text: str) -> int:
    """Read a duration: ``90``, ``90s``, ``10m``, ``1h``, ``7d``.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, such as 90s, 10m, 1h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def content(path: str) -> str:
    """Read a small text file; ``-`` is what comes in.

    Raises:
        CommandError: it cannot be read, is too large or no text.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise CommandError(f"{path} has more than {FILE_BYTES_MAX} bytes", USAGE)
        return data.decode()
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}", NOT_FOUND) from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is no text", USAGE) from None
