"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Limits of the function platform.

    ``queue_max`` invocations may wait per version, each for at most ``queue_seconds``.
    ``report_lines`` turns the REPORT line of every invocation on. ``concurrency_max`` invocations
    of an account run at once, of which ``unreserved_min`` cannot be reserved. A version may start
    ``burst`` environments at once, and ``burst_per_second`` more as time goes on. At most
    ``zygotes_max`` versions are held imported (idle ones go first), each at most
    ``zygote_idle_seconds`` after its last use. ``recursion_max`` is how often a chain of
    invocations may pass through the same function. ``url_domain`` (``example.org:8080``) makes the
    addresses of function URLs ``http://ID.lambda-url.REGION.DOMAIN/``; without it they are paths.
    No environment begins while less than ``memory_reserve_mib`` of the machine's memory are left
    (0: a twentieth, at least 256), but the first of a version; then what is idle ends.
    ``packages`` are those of the platform's own installation that a Python function made through
    the API finds behind its own code, as AWS offers boto3; none if empty.
    """

    queue_max: int = 10_000
    queue_seconds: float = 20.0
    init_timeout_seconds: float = 10.0
    request_bytes_max: int = 6 * MIB
    response_bytes_max: int = 6 * MIB + 100
    stream_bytes_max: int = 200 * MIB
    report_lines: bool = True
    concurrency_max: int = 1000
    unreserved_min: int = 100
    burst: int = 1000
    burst_per_second: float = 100.0
    zygotes_max: int = 500
    memory_reserve_mib: int = 0
    zygote_idle_seconds: float = 600.0
    recursion_max: int = 16
    url_domain: str = ""
    packages: tuple[str, ...] = ("boto3",)
