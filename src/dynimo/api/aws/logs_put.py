"""Which events of a PutLogEvents are taken, and what is wrong with the rest. Pure.

Limits and words: CloudWatch Logs API reference, PutLogEvents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from dynimo.api.aws.logs_asked import Invalid, LogsError
from dynimo.logs.budget import DAY_MS
from dynimo.logs.pages import EVENT_OVERHEAD_BYTES, EVENTS_MAX, PAGE_BYTES_MAX

AGE_DAYS_MAX = 14
AHEAD_MS_MAX = 2 * 3_600_000


class Unavailable(LogsError):
    """Nothing can be kept now."""

    status = 503
    code = "ServiceUnavailableException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """(when, message) of the events that are taken, and AWS's RejectedLogEventsInfo."""

    events: list[tuple[int, str]]
    rejected: dict[str, int] = field(default_factory=dict)


def batch(items: list[dict[str, Any]], *, now_ms: int, retention_days: int) -> Batch:
    """The batch that a request holds.

    Raises:
        Invalid: it breaks one of the rules for a whole batch.
    """
    events = [_event(each, at) for at, each in enumerate(items, 1)]
    if not 1 <= len(events) <= EVENTS_MAX:
        raise Invalid(
            f"1 validation error detected: Value at 'logEvents' failed to satisfy constraint:"
            f" Member must have length between 1 and {EVENTS_MAX}"
        )
    size = sum(len(text.encode("utf-8", "replace")) + EVENT_OVERHEAD_BYTES for _, text in events)
    if size > PAGE_BYTES_MAX:
        raise Invalid(f"Upload too large: {size} bytes exceeds limit of {PAGE_BYTES_MAX}")
    times = [when for when, _ in events]
    if any(earlier > later for earlier, later in pairwise(times)):
        raise Invalid("Log events in a single PutLogEvents request must be in chronological order.")
    expired_ms = now_ms - retention_days * DAY_MS if retention_days else 0
    old_ms = now_ms - AGE_DAYS_MAX * DAY_MS
    expired = sum(when < expired_ms for when in times)
    old = sum(when < old_ms for when in times)
    new = sum(when > now_ms + AHEAD_MS_MAX for when in times)
    rejected = {}
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    taken = events[max(expired, old) : len(events) - new]
    if taken and taken[-1][0] - taken[0][0] > DAY_MS:
        raise Invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than"
            " 24 hours."
        )
    return Batch(events=taken, rejected=rejected)


def _event(item: dict[str, Any], at: int) -> tuple[int, str]:
    when, text = item.get("timestamp"), item.get("message")
    if isinstance(when, bool) or not isinstance(when, int) or when < 0:
        raise Invalid(
            f"1 validation error detected: Value '{when}' at 'logEvents.{at}.member.timestamp'"
            " failed to satisfy constraint: Member must have value greater than or equal to 0"
        )
    if not isinstance(text, str) or not text:
        raise Invalid(
            f"1 validation error detected: Value '' at 'logEvents.{at}.member.message' failed to"
            " satisfy constraint: Member must have length greater than or equal to 1"
        )
    return when, text
