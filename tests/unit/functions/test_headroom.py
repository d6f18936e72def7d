"""Memory that is short: nothing begins but a version's first, and what is idle ends."""

from __future__ import annotations

from dynimo.functions.headroom import LOOK_SECONDS, MIB_MIN, Headroom, reserve_mib
from dynimo.functions.pool import ROOM_SECONDS, Assign, Limits, Pool, Start, Stop
from dynimo.testing import VirtualClock


def test_it_is_looked_up_seldom_and_told_once() -> None:
    """However often it is asked."""
    clock = VirtualClock()
    left, looks, short = [1000], [], []

    def look() -> int:
        looks.append(1)
        return left[0]

    headroom = Headroom(look, clock, reserve_mib=500)
    headroom.on_short = lambda: short.append(1)
    assert [headroom() for _ in range(100)] == [True] * 100
    left[0] = 500
    assert headroom()
    clock.run(clock.monotonic() + LOOK_SECONDS)
    assert [headroom() for _ in range(100)] == [False] * 100
    left[0] = 501
    clock.run(clock.monotonic() + LOOK_SECONDS)
    assert headroom()
    assert (len(looks), len(short), headroom.refused) == (3, 1, 100)


def test_what_is_kept_free() -> None:
    """What is set, or a share of a large machine and enough of a small one."""
    assert reserve_mib(700, 100_000) == 700
    assert reserve_mib(0, 100_000) == 5_000
    assert reserve_mib(0, 1_000) == MIB_MIN


def test_the_first_of_a_version_begins_and_others_wait() -> None:
    """Until there is room, which is looked for soon."""
    room = [False]
    pool = Pool("p", Limits(environments=10), room=lambda: room[0])
    assert [type(each) for each in pool.arrive("a", 0.0)] == [Start, Assign]
    assert pool.arrive("b", 0.0) == []
    assert pool.next_tick() == ROOM_SECONDS
    assert pool.tick(ROOM_SECONDS) == []
    room[0] = True
    assert [type(each) for each in pool.tick(2 * ROOM_SECONDS)] == [Start, Assign]


def test_what_is_idle_goes_but_the_reserve_stays() -> None:
    """And what runs, runs on."""
    pool = Pool("p", Limits(environments=10, reserve=1))
    pool.fill(0.0)
    for number in range(4):
        pool.arrive(str(number), 0.0)
    for number in range(3):
        name = next(
            each for each in [f"p-{n}" for n in range(1, 5)] if pool.runs(each, str(number))
        )
        pool.finish(name, str(number), 1.0, 1.0)
    going = pool.let_go()

    assert all(isinstance(each, Stop) for each in going)
    assert len(going) == 3
    assert (pool.count, pool.busy) == (1, 1)
