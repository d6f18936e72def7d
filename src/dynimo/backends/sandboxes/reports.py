"""What a zygote reports, read with suspicion.

The code that it imported can have changed anything in it. So a report is taken only in its exact
shape, and a handle on a process only if that process is the zygote's own child: the platform kills
by handles, with its own rights, and may not be made to kill for somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dynimo.runtime import control, handler

STATUS_MIN, STATUS_MAX = -64, 255
"""Minus the highest signal, and the highest exit code."""

RSS_KIB_MAX = 2**40
_TRACE_MAX = 1_200


@dataclass(frozen=True, slots=True)
class Forked:
    """An environment exists; a handle came with the report."""

    environment: str


@dataclass(frozen=True, slots=True)
class Exited:
    """An environment is gone, or was never there."""

    environment: str
    status: int
    max_rss_kib: int


Report: TypeAlias = Forked | Exited


def read(message: Mapping[str, Any], files: int) -> Report:
    """A report and how many descriptors came with it.

    Raises:
        control.ControlError: no zygote of ours would say that.
    """
    environment = message.get("env")
    if isinstance(environment, str):
        if message.get("op") == "forked" and files == 1:
            return Forked(environment)
        status, rss = message.get("status"), message.get("max_rss_kib")
        if (
            message.get("op") == "exited"
            and not files
            and _within(status, STATUS_MIN, STATUS_MAX)
            and _within(rss, 0, RSS_KIB_MAX)
        ):
            return Exited(environment, int(status or 0), int(rss or 0))
    raise control.ControlError("not a report")


def threads(ready: Mapping[str, Any]) -> int:
    """Threads and processes that the import left. Raises control.ControlError."""
    count = ready.get("threads")
    if not _within(count, 0, RSS_KIB_MAX):
        raise control.ControlError("not a count of threads")
    return int(count or 0)


def failure(error: Any) -> dict[str, Any]:
    """Why the import failed, in AWS's shape whatever was said."""
    told = error if isinstance(error, dict) else {}
    text, kind, trace = (told.get(key) for key in ("errorMessage", "errorType", "stackTrace"))
    frames = trace if isinstance(trace, list) else []
    return {
        **handler.failure(
            kind if isinstance(kind, str) else "Runtime.Unknown",
            text if isinstance(text, str) else "Unknown application error occurred",
            [each for each in frames[:_TRACE_MAX] if isinstance(each, str)],
        ),
    }


def is_child(handle: int, parent: int) -> bool:
    """Whether ``handle`` is a pidfd of a child of ``parent``, or of a process that is gone."""
    pid = pid_of(handle)
    if pid is None or pid <= 0:
        return pid is not None and pid < 0
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return int(stat.rpartition(b")")[2].split()[1]) == parent


def pid_of(handle: int) -> int | None:
    """The pid behind a pidfd, as /proc tells it: below 0 when it is gone, None for other files."""
    with open(f"/proc/self/fdinfo/{handle}", "rb") as file:  # noqa: PTH123 - often
        for line in file:
            if line.startswith(b"Pid:"):
                return int(line.split()[1])
    return None


def close(files: list[int]) -> None:
    """Close descriptors that came with a report."""
    for file in files:
        os.close(file)


def _within(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high
