"""URL parameters: what is taken, and how refusals name what is wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import limits
import query
import refusals

LIMITS = limits.Limits()


def refused(text: str) -> refusals.Refusal:
    with pytest.raises(refusals.Refusal) as caught:
        query.parse(text, LIMITS)
    assert caught.value.status == 400
    return caught.value


def test_every_parameter_is_read() -> None:
    """Each parameter becomes a checked value of its own type."""
    wanted = query.parse("w=400&h=300&fit=cover&dpr=1.5&fm=webp&q=75&bg=%23f00", LIMITS)
    assert wanted == query.Wanted(
        w=400, h=300, fit="cover", dpr=Decimal("1.5"), fm="webp", q=75, bg=(255, 0, 0, 255)
    )


def test_nothing_asked_is_nothing_wanted() -> None:
    """An empty query leaves everything open."""
    assert query.parse("", LIMITS) == query.Wanted()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("w=abc", "w"),
        ("w=0", "w"),
        ("w=-1", "w"),
        ("w=8193", "w"),
        ("w=4e2", "w"),
        ("w=٤", "w"),
        ("w=", "w"),
        ("w", "w"),
        ("w=1;h=2", "w"),
        ("h=1.5", "h"),
        ("w=1&w=1", "w"),
        ("w=1&%77=1", "w"),
        ("fit=crop", "fit"),
        ("dpr=0.5", "dpr"),
        ("dpr=5.01", "dpr"),
        ("dpr=1.234", "dpr"),
        ("dpr=nan", "dpr"),
        ("fm=tga", "fm"),
        ("fm=JPG", "fm"),
        ("q=0", "q"),
        ("q=101", "q"),
        ("bg=12345", "bg"),
        ("bg=mauve", "bg"),
        ("width=100", "width"),
        ("W=100", "W"),
        ("w=1&", ""),
        ("&w=1", ""),
        ("w=%zz", ""),
        ("w=%ff", ""),
        ("w=\ud800", ""),
        ("w=%", ""),
        ("x" * 3000, ""),
    ],
)
def test_what_is_not_allowed_is_named(text: str, name: str) -> None:
    """Unknown, repeated and malformed parameters are refused by name, with what is allowed."""
    refusal = refused(text)
    assert refusal.facts["parameter"] == name
    assert refusal.facts["allowed"]


def test_the_limit_on_sides_is_the_deployments() -> None:
    """The largest side comes from the limits."""
    with pytest.raises(refusals.Refusal) as caught:
        query.parse("w=101", limits.Limits(output_side=100))
    assert caught.value.facts["allowed"] == "a whole number from 1 to 100"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No query can do anything but be read or be refused with 400."""
    try:
        query.parse(text, LIMITS)
    except refusals.Refusal as refusal:
        assert refusal.status == 400
