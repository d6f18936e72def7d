"""The memory tier, as a state machine: whatever is done, its books are right."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dynimo.edge import memory
from dynimo.edge.stored import OVERHEAD_BYTES, Stored

BUDGET = 40_000
KEYS = st.sampled_from([f"a/{number}" for number in range(30)])
KINDS = st.sampled_from(["", "1", "2", "3"])


def entry(key: str, kind: str, size: int) -> Stored:
    """Build an entry; a kind makes it a variant."""
    return Stored(
        key=key, names=("x",) if kind else (), values=(kind,) if kind else (), status=200,
        headers=(), body=b"x" * size, born=0.0, lifetime=1.0,
    )  # fmt: skip


class Tier(RuleBasedStateMachine):
    """Puts, gets and removals in any order, beside a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.tier = memory.MemoryTier(BUDGET, 3)
        self.last: dict[tuple[str, str], Stored] = {}

    @rule(key=KEYS, kind=KINDS, size=st.integers(0, 8000))
    def put(self, key: str, kind: str, size: int) -> None:
        """What was just put is there, unless it is too large."""
        made = entry(key, kind, size)
        self.last[key, kind] = made
        taken = self.tier.put(made)
        assert taken == (made.cost <= self.tier.object_bytes_max)
        found = self.tier.get(key, {"x": kind})
        assert (made if taken else None) is found or (not taken and found is not made)

    @rule(key=KEYS, kind=KINDS)
    def get(self, key: str, kind: str) -> None:
        """What is found is the last that was put in that place."""
        found = self.tier.get(key, {"x": kind})
        if found is not None:
            assert found is self.last[key, found.values[0] if found.values else ""]
            assert found.values in {(), (kind,)}

    @rule(key=KEYS, kind=KINDS)
    def remove(self, key: str, kind: str) -> None:
        """What is removed is gone."""
        self.tier.remove(entry(key, kind, 0))
        found = self.tier.get(key, {"x": kind})
        assert found is None or found.values != ((kind,) if kind else ())

    @rule(key=KEYS)
    def remove_key(self, key: str) -> None:
        """All variants of a key can be removed together."""
        for held in self.tier.variants(key):
            self.tier.remove(held)
        assert self.tier.variants(key) == []

    @invariant()
    def books_are_right(self) -> None:
        """The count of bytes is the sum of what is held, and within the budget."""
        held = [e for n in range(30) for e in self.tier.variants(f"a/{n}")]
        assert self.tier.bytes == sum(e.cost for e in held) <= BUDGET
        assert len(self.tier) == len(held)

    @invariant()
    def variants_are_capped(self) -> None:
        """No key has more variants than allowed."""
        assert all(len(self.tier.variants(f"a/{n}")) <= 3 for n in range(30))


TestTier = Tier.TestCase
TestTier.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def test_a_flood_of_strangers_does_not_push_out_the_popular() -> None:
    """Entries in use survive many entries that are used once."""
    tier = memory.MemoryTier(100 * (OVERHEAD_BYTES + 500), 3)
    for number in range(20):
        tier.put(entry(f"a/popular{number}", "", 400))
    for number in range(2000):
        for popular in range(20):
            tier.get(f"a/popular{popular}", {})
        tier.put(entry(f"a/once{number}", "", 400))
    assert all(tier.get(f"a/popular{number}", {}) for number in range(20))
