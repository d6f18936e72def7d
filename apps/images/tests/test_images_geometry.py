"""Sizes: what each fit promises, for every source and every box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import geometry
import limits
import recipe

sides = st.integers(1, 2000)
LIMITS = limits.Limits(output_pixels=10**9, source_side=10**9, output_side=10**7)


def planned(width: int, height: int, w: int | None, h: int | None, fit: str) -> geometry.Plan:
    made = recipe.canonical(source="s", path="p", engine="1", fm="jpg", w=w, h=h, fit=fit)
    return geometry.plan(width, height, made, LIMITS)


@given(sides, sides, st.none() | sides, st.none() | sides)
def test_inside_never_exceeds_box_or_source(
    width: int, height: int, w: int | None, h: int | None
) -> None:
    """Never larger than asked, never enlarged, and as large as that allows."""
    got = planned(width, height, w, h, "inside").size
    assert got[0] <= min(width, w or width)
    assert got[1] <= min(height, h or height)
    assert got in ((width, height),) or got[0] == w or got[1] == h


@given(sides, sides, sides, sides, st.sampled_from(("cover", "contain", "fill")))
def test_the_other_fits_give_exactly_the_box(
    width: int, height: int, w: int, h: int, fit: str
) -> None:
    """cover, contain and fill answer the size that was asked for."""
    plan = planned(width, height, w, h, fit)
    assert plan.size == (w, h)
    assert not (plan.pads and plan.cuts)
    assert plan.pads is False or fit == "contain"
    assert plan.cuts is False or fit == "cover"


@pytest.mark.parametrize(
    ("fit", "scaled", "size"),
    [
        ("inside", (300, 150), (300, 150)),
        ("cover", (600, 300), (300, 300)),
        ("contain", (300, 150), (300, 300)),
        ("fill", (300, 300), (300, 300)),
    ],
)
def test_a_wide_source_in_a_square(
    fit: str, scaled: tuple[int, int], size: tuple[int, int]
) -> None:
    """The four fits beside each other."""
    assert planned(1000, 500, 300, 300, fit) == geometry.Plan(scaled=scaled, size=size)
