"""Who asks the origin: shares that are even and stay, bounded loads, nobody waits in a circle."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from dynimo.edge.ring import LOAD_FACTOR, Ring, choose

EDGES = [f"http://10.0.0.{number}:4566" for number in range(1, 7)]
RINGS = [Ring(EDGES[:count]) for count in range(1, 7)]
RING, BACKWARDS = RINGS[-1], Ring(EDGES[::-1])
KEYS = [f"a.example/{number}" for number in range(4000)]


def test_shares_are_even() -> None:
    """With six edges each has between a half and one and a half of its sixth."""
    owned = Counter(RING.order(key)[0] for key in KEYS)

    assert set(owned) == set(EDGES)
    assert all(0.5 < count / (len(KEYS) / 6) < 1.5 for count in owned.values())


def test_who_goes_moves_only_its_share() -> None:
    """Without one edge every key stays where it was, but its own; those go to several others."""
    before, after = RING, Ring(EDGES[1:])
    moved: Counter[str] = Counter()
    for key in KEYS:
        old, new = before.order(key)[0], after.order(key)[0]
        assert old in (new, EDGES[0])
        moved[new] += old == EDGES[0]

    assert sum(count > 0 for count in moved.values()) == 5


@settings(deadline=None, max_examples=50)
@given(key=st.text(max_size=20), count=st.integers(1, 6))
def test_an_order_names_all_once(key: str, count: int) -> None:
    """Whatever the key is, and in whatever order the edges are named."""
    order = RINGS[count - 1].order(key)

    assert sorted(order) == EDGES[:count]
    assert count < 6 or order == BACKWARDS.order(key)


@settings(deadline=None, max_examples=50)
@given(
    key=st.sampled_from(KEYS[:50]),
    loads=st.dictionaries(st.sampled_from(EDGES), st.integers(0, 50)),
    down=st.sets(st.sampled_from(EDGES)),
)
def test_whom_one_asks_comes_before_it(key: str, loads: dict[str, int], down: set[str]) -> None:
    """So that no two edges ever wait for each other; who is down is not asked."""
    order = RING.order(key)
    for me in EDGES:
        asked = choose(order, me, loads=loads, is_down=down.__contains__)
        assert order.index(asked) <= order.index(me)
        assert asked == me or asked not in down


def test_load_is_bounded() -> None:
    """However the keys fall, none has more under way than its share and a quarter, but oneself."""
    me = EDGES[0]
    loads: Counter[str] = Counter()
    for key in KEYS[:600]:
        asked = choose(RING.order(key), me, loads=loads, is_down=lambda _: False)
        loads[asked] += 1
        bound = LOAD_FACTOR * loads.total() / len(EDGES) + 1
        assert all(count <= bound for name, count in loads.items() if name != me)
