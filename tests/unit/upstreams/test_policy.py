"""Breaker, budget and balance, in time and chance that the test owns."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dynimo.upstreams.balance import Server, choose
from dynimo.upstreams.breaker import Breaker
from dynimo.upstreams.budget import Budget
from dynimo.upstreams.policy import Policy

POLICY = Policy(
    failures_max=3, failures_of=10, rest_seconds=2.0, rest_seconds_max=8.0, probes=2,
    slow_start_seconds=10.0, lately_seconds=10.0,
)  # fmt: skip


def _never() -> float:
    return 0.0


def _breaker() -> Breaker:
    return Breaker(POLICY, _never)


def _open(breaker: Breaker, now: float) -> None:
    for _ in range(POLICY.failures_max):
        assert breaker.allows(now)
        breaker.failed(now)


def test_failures_in_a_row_open_it_and_a_good_answer_ends_the_row() -> None:
    """It takes as many as the policy says, with nothing good between."""
    breaker = _breaker()
    for _ in range(2):
        breaker.failed(1.0)
        breaker.failed(1.0)
        breaker.succeeded(1.0)
    assert breaker.allows(1.0)

    _open(breaker, 1.0)

    assert not breaker.allows(1.0)
    assert breaker.rest_seconds(1.5) == 1.5


def test_many_failures_among_good_answers_open_it_too() -> None:
    """Half of the last ten; what was long ago hardly counts."""
    breaker = _breaker()
    for _ in range(4):
        breaker.failed(0.0)
        breaker.succeeded(0.0)
    for _ in range(4):
        breaker.failed(100.0)
        breaker.succeeded(100.0)
    assert not breaker.open

    breaker.succeeded(100.0)
    breaker.failed(100.0)

    assert breaker.open


def test_half_open_it_lets_one_probe_at_a_time_pass() -> None:
    """As many good ones in a row as the policy says close it."""
    breaker = _breaker()
    _open(breaker, 0.0)
    assert not breaker.allows(1.9)

    assert breaker.allows(2.0)
    breaker.begin()
    assert not breaker.allows(2.0)
    assert not breaker.succeeded(2.1)
    assert breaker.open

    breaker.begin()
    assert breaker.succeeded(2.2)
    assert not breaker.open


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    """And after a good time the rests are short again."""
    breaker = _breaker()
    _open(breaker, 0.0)
    now, rests = 0.0, []
    for _ in range(4):
        rests.append(breaker.rest_seconds(now))
        now += breaker.rest_seconds(now)
        breaker.begin()
        breaker.failed(now)
    assert rests == [2.0, 4.0, 8.0, 8.0]

    now += breaker.rest_seconds(now)
    for _ in range(POLICY.probes):
        breaker.begin()
        breaker.succeeded(now)
    _open(breaker, now + 60)
    assert breaker.rest_seconds(now + 60) == 2.0


def test_what_began_before_it_opened_neither_closes_nor_extends_it() -> None:
    """Late ends of earlier requests are not probes."""
    breaker = _breaker()
    _open(breaker, 0.0)
    breaker.succeeded(0.5)
    breaker.failed(0.5)

    assert breaker.rest_seconds(0.5) == 1.5


def test_an_abandoned_probe_lets_the_next_one_pass() -> None:
    """A client that left says nothing of the server."""
    breaker = _breaker()
    _open(breaker, 0.0)
    breaker.begin()
    breaker.abandoned()

    assert breaker.allows(2.0)


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 20))
def test_retries_never_exceed_their_share(wanted: list[bool], burst: int) -> None:
    """Of any beginning of any traffic: a fifth of the requests, and the burst."""
    budget, retries = Budget(0.2, burst), 0
    for count, retry in enumerate(wanted, 1):
        budget.deposit()
        retries += retry and budget.withdraw()
        assert retries <= burst + 0.2 * count + 1e-6


def _servers(count: int, since: float = -100.0) -> list[Server]:
    return [Server(f"s{number}", _breaker(), since) for number in range(count)]


def test_the_less_busy_of_two_is_asked() -> None:
    """Whichever of them chance drew first."""
    servers = _servers(2)
    servers[0].busy = 3
    chance = random.Random(1).random

    assert {choose(servers, 0.0, POLICY, chance) for _ in range(20)} == {servers[1]}


def test_load_spreads_as_with_two_choices() -> None:
    """With requests that never end, no server is more than a few ahead of another."""
    servers, chance = _servers(10), random.Random(2).random
    for _ in range(1000):
        server = choose(servers, 0.0, POLICY, chance)
        assert server is not None
        server.busy += 1

    assert max(s.busy for s in servers) - min(s.busy for s in servers) <= 6


def test_a_new_server_begins_slowly() -> None:
    """A tenth of its share at first, all of it at the end of the slow start."""
    servers, chance = _servers(3), random.Random(3).random
    servers[2].since = 0.0

    def share(now: float) -> float:
        drawn = Counter(choose(servers, now, POLICY, chance) for _ in range(3000))
        return drawn[servers[2]] / 3000

    assert share(0.0) < 0.07
    assert share(0.0) < share(5.0) < share(10.0)
    assert abs(share(10.0) - 1 / 3) < 0.05


def test_who_was_tried_or_rests_is_not_asked() -> None:
    """None left is said."""
    servers, chance = _servers(3), random.Random(4).random
    _open(servers[0].breaker, 0.0)

    assert {choose(servers, 0.0, POLICY, chance, tried=servers[1:2]) for _ in range(9)} == {
        servers[2]
    }
    assert choose(servers, 0.0, POLICY, chance, tried=servers[1:]) is None


def test_a_probe_is_a_request_that_may_be_tried_again() -> None:
    """Others come to a server that is not yet well only when there is no other."""
    servers, chance = _servers(2), random.Random(5).random
    _open(servers[0].breaker, 0.0)

    assert choose(servers, 3.0, POLICY, chance) is servers[0]
    assert choose(servers, 3.0, POLICY, chance, probing=False) is servers[1]
    assert choose(servers[:1], 3.0, POLICY, chance, probing=False) is servers[0]
    servers[0].breaker.begin()
    assert choose(servers, 3.0, POLICY, chance) is servers[1]
