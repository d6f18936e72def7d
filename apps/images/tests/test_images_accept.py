"""Negotiation: the client's weights decide, then our order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import accept

BOTH = ("avif", "webp")


@pytest.mark.parametrize(
    ("header", "allowed", "best"),
    [
        ("image/avif, image/webp", BOTH, "avif"),
        ("image/webp, image/avif", BOTH, "avif"),
        ("image/webp", BOTH, "webp"),
        ("image/avif;q=0.5,image/webp;q=0.8", BOTH, "webp"),
        ("image/avif;q=0,image/webp", BOTH, "webp"),
        ("image/avif;q=0", BOTH, None),
        ("image/avif;q=2", BOTH, None),
        ("IMAGE/AVIF ; Q=1.0", BOTH, "avif"),
        ("image/avif,image/webp,*/*;q=0.8", ("webp",), "webp"),
        ("image/avif", ("webp",), None),
        ("*/*", BOTH, None),
        ("image/*", BOTH, None),
        ("", BOTH, None),
        ("image/avifx", BOTH, None),
        (",,;q=1,image/webp", BOTH, "webp"),
    ],
)
def test_the_best_format_is_chosen(header: str, allowed: tuple[str, ...], best: str | None) -> None:
    """Higher weight first, AVIF at a tie, wildcards never, weight 0 never."""
    assert accept.best(header, allowed) == best


@given(st.text(alphabet="image/avifwebp*;q=0.15, ", max_size=80))
def test_any_header_gives_a_format_or_none(header: str) -> None:
    """No header can fail."""
    assert accept.best(header, BOTH) in ("avif", "webp", None)
