"""What becomes of an event after a try: again, when, or over, and why. Pure.

Source: AWS Lambda Developer Guide, asynchronous invocation: two retries for a function's error,
after one and two minutes; throttles and faults of the service back off from 1 s to 5 min, until
the event is too old.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dynimo.backlog.config import Config
from dynimo.backlog.events import Event

SUCCESS = "Success"
RETRIES_EXHAUSTED = "RetriesExhausted"
AGE_EXCEEDED = "EventAgeExceeded"
ZERO_CONCURRENCY = "ZeroReservedConcurrency"
RETRIES_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often, and for how long, an event is tried."""

    retries: int = RETRIES_MAX
    age_seconds: float = 21_600.0


def limits(document: Mapping[str, Any] | None, config: Config) -> Limits:
    """The limits of a function's EventInvokeConfig, or the platform's."""
    held = document or {}
    retries = held.get("MaximumRetryAttempts")
    age = held.get("MaximumEventAgeInSeconds")
    return Limits(
        retries=RETRIES_MAX if retries is None else int(retries),
        age_seconds=config.event_age_seconds_max if age is None else float(age),
    )


def is_expired(event: Event, limit: Limits, now_ms: int) -> bool:
    """Whether it is too old to be tried."""
    return now_ms - event.accepted_ms > limit.age_seconds * 1000


def after_failure(
    event: Event, limit: Limits, config: Config, *, now_ms: int, spread: float
) -> Event | str:
    """The function failed it: the event as it waits for the next try, or why it is over.

    ``spread`` is between -1 and 1: where in the jitter's range the wait falls.
    """
    tried = replace(event, tries=event.tries + 1, failures=event.failures + 1, backoffs=0)
    if tried.failures > limit.retries:
        return RETRIES_EXHAUSTED
    wait = config.first_retry_seconds if tried.failures == 1 else config.second_retry_seconds
    return _again(tried, limit, wait * (1 + config.jitter * spread), now_ms)


def after_fault(
    event: Event, limit: Limits, config: Config, *, now_ms: int, spread: float
) -> Event | str:
    """It was throttled, or the platform failed: the same, with a wait that doubles each time."""
    wait = backoff_seconds(event.backoffs, config) * (1 + config.jitter * spread)
    tried = replace(event, tries=event.tries + 1, backoffs=event.backoffs + 1)
    return _again(tried, limit, wait, now_ms)


def backoff_seconds(times: int, config: Config) -> float:
    """How long to wait after so many faults before this one."""
    return min(config.backoff_seconds_max, config.backoff_seconds_min * 2.0 ** min(times, 30))


def _again(event: Event, limit: Limits, wait_seconds: float, now_ms: int) -> Event | str:
    due_ms = now_ms + int(wait_seconds * 1000)
    if due_ms - event.accepted_ms > limit.age_seconds * 1000:
        return AGE_EXCEEDED
    return replace(event, due_ms=due_ms)
