"""What becomes of an event after a try, by AWS's rules."""

from __future__ import annotations

from dynimo.backlog.config import Config
from dynimo.backlog.events import Event
from dynimo.backlog.retrying import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    Limits,
    after_failure,
    after_fault,
    is_expired,
    limits,
)
from dynimo.model.names import Place

CONFIG = Config(jitter=0.0)
EVENT = Event(id="i", place=Place(), function="f", body=b"{}", accepted_ms=0, due_ms=0)


def followed(event: Event, limit: Limits) -> tuple[list[float], str]:
    """(seconds at which it is tried again, why it is over) when its function always fails."""
    times, following = [], after_failure(event, limit, CONFIG, now_ms=0, spread=0)
    while isinstance(following, Event):
        times.append(following.due_ms / 1000)
        following = after_failure(following, limit, CONFIG, now_ms=following.due_ms, spread=0)
    return times, following


def test_a_failed_event_is_tried_twice_more_after_one_and_two_minutes() -> None:
    """Then it is over."""
    assert followed(EVENT, limits(None, CONFIG)) == ([60, 180], RETRIES_EXHAUSTED)


def test_the_owner_may_want_fewer_tries_or_a_shorter_life() -> None:
    """By the function's EventInvokeConfig."""
    assert followed(EVENT, limits({"MaximumRetryAttempts": 0}, CONFIG)) == ([], RETRIES_EXHAUSTED)
    young = limits({"MaximumEventAgeInSeconds": 100}, CONFIG)
    assert followed(EVENT, young) == ([60], AGE_EXCEEDED)
    assert is_expired(EVENT, young, 100_001)
    assert not is_expired(EVENT, young, 100_000)


def test_a_throttled_event_backs_off_from_a_second_to_five_minutes_for_six_hours() -> None:
    """It counts as a try, but not as a failure."""
    times: list[float] = []
    event: Event | str = EVENT
    now_ms = 0
    while isinstance(event, Event):
        last = event
        event = after_fault(event, Limits(), CONFIG, now_ms=now_ms, spread=0)
        if isinstance(event, Event):
            times.append((event.due_ms - now_ms) / 1000)
            now_ms = event.due_ms

    assert times[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert event == AGE_EXCEEDED
    assert sum(times) <= 21_600 < sum(times) + 300
    assert (last.failures, last.tries) == (0, len(times))


def test_waits_spread_so_that_not_all_come_back_at_once() -> None:
    """By a tenth, both ways."""
    config = Config()
    early = after_failure(EVENT, Limits(), config, now_ms=0, spread=-1)
    late = after_failure(EVENT, Limits(), config, now_ms=0, spread=1)

    assert isinstance(early, Event)
    assert isinstance(late, Event)
    assert (early.due_ms, late.due_ms) == (54_000, 66_000)
