"""The schedule: due first, fair between lanes, bounded, slower after a throttle."""

from __future__ import annotations

from dynimo.backlog.schedule import Schedule


def test_lanes_take_turns() -> None:
    """A function with a thousand events does not keep another's one waiting."""
    schedule = Schedule(4, 4)
    for number in range(1000):
        schedule.add(number, "busy", 0, 1)
    schedule.add(5000, "small", 0, 1)

    assert [turn.lane for turn in schedule.take(1)] == ["busy", "small", "busy", "busy"]


def test_no_more_run_than_may() -> None:
    """In all, and of one lane."""
    schedule = Schedule(5, 2)
    for number in range(10):
        schedule.add(number, "a", 0, 1)
        schedule.add(100 + number, "b", 0, 1)
        schedule.add(200 + number, "c", 0, 1)

    taken = [turn.lane for turn in schedule.take(1)]

    assert len(taken) == 5
    assert max(taken.count(lane) for lane in "abc") == 2
    assert schedule.take(1) == []
    schedule.end(taken[0])
    assert len(schedule.take(1)) == 1


def test_one_runs_when_it_is_due_and_not_before() -> None:
    """The next time is known, so that nobody has to look again and again."""
    schedule = Schedule(5, 5)
    schedule.add(1, "a", 30, 1)
    schedule.add(2, "a", 20, 1)

    assert schedule.take(19) == []
    assert schedule.next_due() == 20
    assert [turn.number for turn in schedule.take(25)] == [2]
    assert [turn.number for turn in schedule.take(30)] == [1]
    assert schedule.next_due() is None


def test_a_throttled_lane_goes_slower_until_it_succeeds() -> None:
    """Half as many at once after each throttle, one more after each success."""
    schedule = Schedule(8, 8)
    for number in range(50):
        schedule.add(number, "a", 0, 1)
    assert len(schedule.take(1)) == 8

    for _ in range(8):
        schedule.end("a", throttled=True)
    assert len(schedule.take(1)) == 1
    schedule.end("a")
    assert len(schedule.take(1)) == 2
