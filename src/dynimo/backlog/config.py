"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How asynchronous events are kept, run, retried and delivered, and how queues are polled.

    An event may be of ``event_bytes_max``; ``events_max`` of them may be kept, ``accepts_max`` wait
    for the disk at once, and those up to ``memory_bytes_max`` in all are held in memory too.
    ``dispatches_max`` run at once, ``dispatches_function_max`` of one function. An event that its
    function failed is tried again after ``first_retry_seconds``, then ``second_retry_seconds``; one
    that was throttled, or met a fault of the platform, after ``backoff_seconds_min``, doubled each
    time up to ``backoff_seconds_max``; each a little more or less (``jitter``, a fraction). Events
    older than ``event_age_seconds_max`` are given up, unless the function's own configuration says
    less.

    SQS and SNS are reached at ``aws_endpoint``: an address, or ``aws`` for AWS itself; empty means
    that there is none. Credentials are found as AWS's SDK finds them. A call to them may take
    ``aws_timeout_seconds``. ``deliveries_max`` results are under way to destinations at once; one
    that cannot be delivered for ``delivery_age_seconds_max`` goes to the built-in queue
    ``undelivered``. A built-in queue holds ``queue_messages_max``.

    ``mappings_max`` queues may be polled; each receive waits up to ``poll_seconds``;
    ``mapping_concurrency`` batches of a mapping run at once unless it has a limit of its own.
    """

    event_bytes_max: int = MIB
    events_max: int = 200_000
    accepts_max: int = 10_000
    memory_bytes_max: int = 64 * MIB
    dispatches_max: int = 200
    dispatches_function_max: int = 50
    first_retry_seconds: float = 60.0
    second_retry_seconds: float = 120.0
    backoff_seconds_min: float = 1.0
    backoff_seconds_max: float = 300.0
    jitter: float = 0.1
    event_age_seconds_max: float = 21_600.0
    aws_endpoint: str = ""
    aws_timeout_seconds: float = 10.0
    deliveries_max: int = 8
    delivery_age_seconds_max: float = 21_600.0
    queue_messages_max: int = 100_000
    mappings_max: int = 100
    poll_seconds: int = 10
    mapping_concurrency: int = 5
