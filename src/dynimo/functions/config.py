"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Limits of the function platform.

    ``queue_max`` invocations may wait per version, each for at most ``queue_seconds``.
    ``report_lines`` turns the REPORT line of every invocation on.
    """

    queue_max: int = 10_000
    queue_seconds: float = 20.0
    init_timeout_seconds: float = 10.0
    request_bytes_max: int = 6 * 1024 * 1024
    report_lines: bool = True
