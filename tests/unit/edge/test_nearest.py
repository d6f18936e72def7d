"""Which stored form stands in: one that no other is nearer than, in any order, at any scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge.nearest import closest, distance, nearest

SIDES = st.integers(1, 10_000)
RANKS = st.tuples(SIDES, SIDES)


def _chosen(wanted: tuple[int, ...], ranks: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    return nearest(wanted, [(rank, rank) for rank in ranks])


@given(RANKS, st.lists(RANKS))
def test_nothing_that_is_there_is_nearer(wanted: tuple[int, int], ranks: list[tuple]) -> None:
    """What is chosen is there, and no other is nearer; nothing only where nothing can stand in."""
    chosen = _chosen(wanted, ranks)
    far = [each for each in (distance(wanted, rank) for rank in ranks) if each is not None]
    if chosen is None:
        assert far == []
    else:
        assert chosen in ranks
        assert distance(wanted, chosen) == min(far)


@given(RANKS, st.lists(RANKS))
def test_the_same_rank_is_taken_before_all_others(
    wanted: tuple[int, int], ranks: list[tuple]
) -> None:
    """The size that was asked for, in another format, is as near as can be."""
    assert _chosen(wanted, [*ranks, wanted]) == wanted


@given(st.integers(100, 1000), st.lists(st.integers(1, 16), min_size=1, unique=True), st.randoms())
def test_of_larger_ones_of_the_same_shape_the_least(
    side: int, factors: list, chance: object
) -> None:
    """Bytes are not wasted: the smallest that need not be blown up, in whatever order they come."""
    ranks = [(side * factor, side * factor) for factor in factors]
    chance.shuffle(ranks)  # type: ignore[attr-defined]
    assert _chosen((side, side), ranks) == min(ranks)


@given(st.tuples(st.integers(1, 900), st.integers(1, 900)), RANKS, st.integers(2, 9))
def test_only_ratios_count(wanted: tuple[int, int], there: tuple[int, int], factor: int) -> None:
    """Twice of both is as far as before."""
    scaled = [tuple(each * factor for each in rank) for rank in (wanted, there)]
    near, far = distance(wanted, there), distance(scaled[0], scaled[1])
    assert (near is None) == (far is None) or near == pytest.approx(far)
    if near is not None and far is not None:
        assert near == pytest.approx(far)


@pytest.mark.parametrize(
    ("wanted", "ranks", "chosen"),
    [
        ((400, 0), [(390, 300), (800, 600)], (390, 300)),
        ((400, 0), [(200, 150), (800, 600)], (800, 600)),
        ((400, 400), [(400, 300), (800, 800)], (800, 800)),
        ((400, 400), [(24, 24)], None),
        ((400, 400), [(2000, 300)], None),
        ((400, 400), [(400,), ()], None),
        ((0, 0), [(50, 40), (80, 70)], (50, 40)),
        ((), [(50, 40)], (50, 40)),
    ],
)
def test_what_is_near(wanted: tuple, ranks: list[tuple], chosen: tuple | None) -> None:
    """A number that does not matter is not looked at; shape before size; larger before smaller."""
    assert _chosen(wanted, ranks) == chosen


def test_what_is_made_to_stand_in_always_does() -> None:
    """An app's own files are never too far from anything."""
    assert closest((8000, 1), [((10, 10), "ten")]) == "ten"
