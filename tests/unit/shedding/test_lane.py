"""Order, share, deadlines and room, decided without I/O."""

from __future__ import annotations

from dynimo.shedding.gradient import Gradient
from dynimo.shedding.lane import SHARE_ONE_IN, Lane, Ticket
from dynimo.web.message import Priority

LIVE, REVALIDATE, PREFETCH, WARM = Priority


def _lane(places: int = 1, *, queue_max: int = 100, typical: float = 0.0) -> Lane:
    lane = Lane(Gradient(2, 1000), places=places, queue_max=queue_max)
    lane.typical = typical
    return lane


def _ask(
    lane: Lane, priority: Priority = LIVE, now: float = 0.0, deadline: float = 100.0
) -> Ticket:
    ticket = Ticket(priority, now, deadline)
    lane.arrive(ticket, now)
    return ticket


def test_with_room_everybody_begins_at_once() -> None:
    """An unloaded function: no class waits."""
    lane = _lane(places=8)

    assert [_ask(lane, priority).verdict for priority in Priority] == ["", "", "", ""]


def test_a_free_place_goes_to_the_highest_class_that_waits() -> None:
    """Strict order between classes, first come first served within one."""
    lane = _lane()
    running = _ask(lane)
    waiting = [_ask(lane, priority) for priority in (WARM, PREFETCH, REVALIDATE, LIVE, LIVE)]
    order = []
    for _ in waiting:
        (running,) = lane.finish(running, 1.0)
        order.append(running)

    assert order == [waiting[3], waiting[4], waiting[2], waiting[1], waiting[0]]


def test_a_class_that_is_passed_over_long_enough_has_one_turn() -> None:
    """The guaranteed share: one in ``SHARE_ONE_IN``, and then the order holds again."""
    lane = _lane()
    running, low = _ask(lane), _ask(lane, PREFETCH)
    for _ in range(SHARE_ONE_IN):
        _ask(lane)
        (running,) = lane.finish(running, 0.0)
        assert running.priority is LIVE
    high = _ask(lane)

    assert lane.finish(running, 0.0) == [low]
    assert lane.finish(low, 0.0) == [high]


def test_what_cannot_be_answered_in_time_is_refused_at_once() -> None:
    """Eight wait, each takes a second: whoever must have it within five is told now."""
    lane = _lane(typical=1.0)
    _ask(lane)
    for _ in range(8):
        _ask(lane)

    assert _ask(lane, deadline=5.0).verdict == "late"
    assert _ask(lane, deadline=13.0).verdict is None


def test_whoever_waited_past_the_deadline_is_turned_away() -> None:
    """When time has passed, and also when its turn would come."""
    lane = _lane()
    first = _ask(lane)
    late, fine = _ask(lane, deadline=5.0), _ask(lane, deadline=9.0)

    assert lane.next_tick() == 5.0
    assert lane.tick(6.0) == [late]
    assert lane.finish(first, 7.0) == [fine]
    assert (late.verdict, fine.verdict) == ("late", "")


def test_a_slow_function_gives_its_clients_more_time() -> None:
    """The deadline is never less than a few usual times away."""
    ticket = Ticket(LIVE, 10.0, 15.0)

    assert _lane(typical=0.1).deadline(ticket) == 15.0
    assert _lane(typical=30.0).deadline(ticket) == 100.0


def test_those_whom_nobody_waits_for_go_first_when_it_is_full() -> None:
    """Abandoned fills make room before anybody is refused, and never begin."""
    lane = _lane(queue_max=2)
    running = _ask(lane)
    gone = Ticket(LIVE, 0.0, 100.0, abandoned=lambda: True)
    lane.arrive(gone, 0.0)
    waits = _ask(lane)
    fresh = _ask(lane)

    assert (gone.verdict, fresh.verdict) == ("gone", None)
    lane.finish(running, 1.0)
    assert waits.verdict == ""


def test_a_full_queue_gives_up_its_lowest_for_a_higher_class() -> None:
    """Nobody of the same class is pushed out."""
    lane = _lane(queue_max=1)
    _ask(lane)
    low = _ask(lane, WARM)
    high = _ask(lane)

    assert (low.verdict, high.verdict, _ask(lane).verdict) == ("full", None, "full")


def test_a_client_that_leaves_leaves_the_queue_or_its_place() -> None:
    """Nothing is kept of it."""
    lane = _lane()
    running, waits = _ask(lane), _ask(lane)
    next_one = _ask(lane)
    lane.withdraw(waits, 1.0)

    assert lane.withdraw(running, 1.0) == [next_one]
    assert (lane.running, lane.waiting) == (1, 0)


def test_warming_leaves_room() -> None:
    """The lowest class has half the places, even if all are free."""
    lane = _lane(places=4)
    warming = [_ask(lane, WARM) for _ in range(3)]

    assert [each.verdict for each in warming] == ["", "", None]
    assert _ask(lane).verdict is None or lane.running == 3


def test_while_a_higher_class_waits_a_lower_one_hears_no_at_once() -> None:
    """Unless its turn is due: then one of it may wait, and is next."""
    lane = _lane(typical=1.0)
    running = _ask(lane)
    _ask(lane)

    assert _ask(lane, PREFETCH).verdict == "yield"
    assert lane.outlook(PREFETCH, 0.0) == "yield"
    for _ in range(SHARE_ONE_IN):
        _ask(lane)
        (running,) = lane.finish(running, 0.0)
    due = _ask(lane, PREFETCH)
    assert (due.verdict, _ask(lane, PREFETCH).verdict) == (None, "yield")
    assert lane.finish(running, 0.0) == [due]


def test_a_queue_that_only_stands_is_cut_and_a_burst_is_not() -> None:
    """Old ones go when fresh ones stand behind; a burst without anybody behind is worked off."""
    standing, burst = _lane(), _lane()
    running = {standing: _ask(standing), burst: _ask(burst)}
    for _ in range(60):
        _ask(burst)
    cut = 0
    for step in range(60):
        now = step * 0.2
        for _ in range(2):
            cut += _ask(standing, now=now).verdict == "overload"
        for ticket in burst.finish(running[burst], now, 0.2):
            assert ticket.verdict == ""
            running[burst] = ticket
        for ticket in standing.finish(running[standing], now, 0.2):
            cut += ticket.verdict == "overload"
            running[standing] = running[standing] if ticket.verdict else ticket

    assert burst.waiting < 3
    assert cut > 30
    assert standing.waiting * 0.2 <= 3.0


def test_lanes_count_alike_whatever_happens() -> None:
    """Running and waiting are what was begun and not finished, through a long random life."""
    import random

    rng = random.Random(7)
    lane = _lane(places=3, queue_max=10, typical=0.1)
    held: list[Ticket] = []
    for step in range(3000):
        now = step * 0.03
        if rng.random() < 0.6 or not held:
            held.append(_ask(lane, rng.choice(list(Priority)), now, now + rng.random() * 3))
        else:
            chosen = held.pop(rng.randrange(len(held)))
            if chosen.verdict == "" and rng.random() < 0.8:
                lane.finish(chosen, now, 0.1)
            else:
                lane.withdraw(chosen, now) if not chosen.verdict else None
        held = [each for each in held if not each.verdict]
        assert lane.running == sum(each.verdict == "" for each in held)
        assert lane.waiting == sum(each.verdict is None for each in held)
        assert lane.running <= lane.limit
