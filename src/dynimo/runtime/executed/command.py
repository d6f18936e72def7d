"""Which program is the runtime, as a plain value that travels as JSON, and finding it in a sandbox.

``argv`` is the whole command; without it the first of ``candidates`` that exists is the program.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to execute, and how long it may take until it asks for its first invocation."""

    argv: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    execution_env: str = ""
    init_seconds: float = 10.0


class NoEntrypoint(Exception):
    """There is nothing that could be executed; the text is AWS's."""


def to_json(command: Command) -> dict[str, Any]:
    """As JSON's own types."""
    return asdict(command)


def from_json(value: Mapping[str, Any]) -> Command:
    """The opposite of ``to_json``."""
    fields = dict(value)
    fields["argv"] = tuple(fields["argv"])
    fields["candidates"] = tuple(fields["candidates"])
    return Command(**fields)


def found(command: Command) -> Sequence[str]:
    """The command line.

    Raises:
        NoEntrypoint: none of the candidates exists.
    """
    if command.argv:
        return command.argv
    for candidate in command.candidates:
        if os.path.isfile(candidate):  # noqa: PTH113 - light
            return (candidate,)
    shown = " ".join(command.candidates)
    raise NoEntrypoint(f"Couldn't find valid bootstrap(s): [{shown}]")


def refused(program: str, error: OSError) -> str:
    """AWS's words for a program that the kernel will not execute."""
    words = {
        errno.EACCES: "permission denied",
        errno.ENOEXEC: "exec format error",
        errno.ENOENT: "no such file or directory",
    }
    return f"fork/exec {program}: {words.get(error.errno or 0, str(error.strerror).lower())}"
