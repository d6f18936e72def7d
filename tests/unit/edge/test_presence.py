"""The presence filter may only err towards looking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge.presence import Presence


@given(st.lists(st.text(max_size=40), max_size=50))
def test_what_was_added_is_never_denied(keys: list[str]) -> None:
    """Anything else would make a second render of what is on disk."""
    presence = Presence()
    presence.complete = True
    for key in keys:
        presence.add(key)

    assert not any(presence.denies(key) for key in keys)


def test_before_it_knows_all_it_denies_nothing() -> None:
    """After a restart the keys on disk are read behind the requests."""
    assert not Presence().denies("a")


def test_what_was_not_added_is_nearly_always_denied() -> None:
    """With a hundred thousand keys in it, fewer than 1 in 1,000 strangers pass."""
    presence = Presence()
    presence.complete = True
    for number in range(100_000):
        presence.add(f"key {number}")

    passed = sum(not presence.denies(f"stranger {number}") for number in range(10_000))
    assert passed < 10
