"""Who must make room when too many are connected."""

from __future__ import annotations

from dataclasses import dataclass

from dynimo.web.census import EVICTED_AT_ONCE, LOOK_PAUSE_SECONDS, Census


@dataclass(eq=False)
class Client:
    """A connection as the census sees it."""

    peer: str = "192.0.2.1"
    deadline: float = 0.0
    idle: bool = False

    def is_idle(self) -> bool:
        return self.idle


def test_those_that_rest_longest_make_room() -> None:
    """Over the limit the oldest resting ones leave, so many at once, and are counted out."""
    census: Census[Client] = Census(200, 0)
    resting = [Client(deadline=number, idle=True) for number in range(150)]
    for each in [*resting, *(Client() for _ in range(50))]:
        census.enter(each, 0.0)

    assert census.enter(Client(), 0.0) == (True, resting[:EVICTED_AT_ONCE])
    assert len(census) == 201 - EVICTED_AT_ONCE
    census.leave(resting[0])
    assert len(census) == 201 - EVICTED_AT_ONCE


def test_where_none_rests_the_newcomer_goes() -> None:
    """Who is at work stays; it is not looked for again at once."""
    census: Census[Client] = Census(1, 0)
    busy = Client()
    census.enter(busy, 0.0)

    assert census.enter(Client(), 0.0) == (False, [])
    busy.idle = True
    assert census.enter(Client(), LOOK_PAUSE_SECONDS / 2) == (False, [])
    assert census.enter(Client(), LOOK_PAUSE_SECONDS * 2) == (True, [busy])


def test_an_address_makes_room_for_itself_only() -> None:
    """One client's limit closes its own resting connections, never another's."""
    census: Census[Client] = Census(100, 1)
    other = Client("192.0.2.2", idle=True)
    own = Client(idle=True)
    for each in (other, own):
        census.enter(each, 0.0)

    assert census.enter(Client(), 0.0) == (True, [own])
    assert census.enter(Client(), 0.0) == (False, [])


def test_a_socket_without_an_address_has_no_limit_of_its_own() -> None:
    """All of them would be one client."""
    census: Census[Client] = Census(100, 1)

    assert [census.enter(Client(""), 0.0)[0] for _ in range(3)] == [True] * 3
