"""Sizes: what each operation promises, for every source and every box."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import limits
import opening
import refusals
import shapes
from ops import geometry, values
from spelled import FITS, canonical

sides = st.integers(1, 2000)
LIMITS = limits.Limits(output_pixels=10**9, source_side=10**9, output_side=10**7)


def sized(width: int, height: int, w: int | None, h: int | None, fit: str) -> list[shapes.Size]:
    sizes = [(width, height)]
    for op in canonical(w=w, h=h, fit=fit).ops:
        sizes.append(shapes.after(sizes[-1], op))
    return sizes[1:] or sizes


@given(sides, sides, st.none() | sides, st.none() | sides)
def test_inside_never_exceeds_box_or_source(
    width: int, height: int, w: int | None, h: int | None
) -> None:
    """Never larger than asked, never enlarged, and as large as that allows."""
    got = sized(width, height, w, h, "inside")[-1]
    assert got[0] <= min(width, w or width)
    assert got[1] <= min(height, h or height)
    assert got in ((width, height),) or got[0] == w or got[1] == h


@given(sides, sides, sides, sides, st.sampled_from(FITS[1:]))
def test_the_other_fits_give_exactly_the_box(
    width: int, height: int, w: int, h: int, fit: str
) -> None:
    """cover, contain and fill answer the size that was asked for."""
    sizes = sized(width, height, w, h, fit)
    assert sizes[-1] == (w, h)
    if fit == "cover":
        assert all(side >= least for side, least in zip(sizes[0], (w, h), strict=True))
    if fit == "contain":
        assert all(side <= most for side, most in zip(sizes[0], (w, h), strict=True))


@pytest.mark.parametrize(
    ("fit", "sizes"),
    [
        ("inside", [(300, 150)]),
        ("cover", [(600, 300), (300, 300)]),
        ("contain", [(300, 150), (300, 300)]),
        ("fill", [(300, 300)]),
    ],
)
def test_a_wide_source_in_a_square(fit: str, sizes: list[shapes.Size]) -> None:
    """The four fits beside each other."""
    assert sized(1000, 500, 300, 300, fit) == sizes


LENGTHS = st.integers(0, 3000).map(values.pixels) | st.decimals(0, 1, places=3).map(values.share)


@given(
    width=sides, height=sides, w=LENGTHS, h=LENGTHS, place=st.sampled_from(values.SIDES),
    ratio=st.booleans(),
)  # fmt: skip
def test_what_is_cut_lies_within(
    width: int, height: int, w: values.Length, h: values.Length, place: str, *, ratio: bool
) -> None:
    """Whatever is asked for, the part exists and is inside the picture."""
    part = shapes.cut((width, height), geometry.Cut(w, h, ratio=ratio))
    x, y = shapes.window((width, height), part, values.Gravity(place))
    assert x >= 0
    assert y >= 0
    assert 1 <= part[0] <= width - x
    assert 1 <= part[1] <= height - y


@given(sides, sides, LENGTHS, LENGTHS, LENGTHS, LENGTHS)
def test_a_crop_lies_within_or_is_refused(
    width: int, height: int, x: values.Length, y: values.Length, w: values.Length, h: values.Length
) -> None:
    """What lies outside is left out; nothing left over is 400."""
    try:
        left, top, across, down = shapes.cropped((width, height), geometry.Crop(x, y, w, h))
    except refusals.Refusal as refusal:
        assert refusal.status == 400
        return
    assert left + across <= width
    assert top + down <= height
    assert across >= 1
    assert down >= 1


def _inside(w: int, *, strict: bool) -> geometry.Resize:
    return geometry.Resize("inside", values.pixels(w), strict=strict)


def test_a_strict_resize_refuses_to_enlarge() -> None:
    """Where others leave it out."""
    assert shapes.resized((100, 50), _inside(200, strict=False)) == (100, 50)
    with pytest.raises(refusals.Refusal, match="at most the region's own 100x50"):
        shapes.resized((100, 50), _inside(200, strict=True))


def test_a_step_that_is_too_large_is_told_with_its_size() -> None:
    """It may be a canvas, which says nothing about the source."""
    with pytest.raises(refusals.Refusal) as caught:
        shapes.check_step((131_005, 131_003), limits.Limits())
    assert caught.value.code == "too_elongated"
    assert "131005 x 131003" in caught.value.message


@given(
    width=sides, height=sides, w=st.integers(1, 500), off=st.integers(0, 300),
    turned=st.booleans(),
)  # fmt: skip
def test_no_more_is_decoded_than_the_first_resize_needs(
    width: int, height: int, w: int, off: int, *, turned: bool
) -> None:
    """And no less: what is taken from it is at least as large as it will be."""
    x = min(off, width - 1)
    ops = [
        geometry.Crop(
            values.pixels(x), values.ZERO, values.pixels(width), values.share(Decimal(1))
        ),
        *([geometry.Rotate(Decimal(90))] if turned else []),
        _inside(w, strict=False),
    ]
    need = opening.needed((width, height), ops)
    assert need[0] <= width
    assert need[1] <= height
    size = (width, height)
    for op in ops:
        size = shapes.after(size, op)
    size = (size[1], size[0]) if turned else size
    assert (width - x) * need[0] >= size[0] * width
