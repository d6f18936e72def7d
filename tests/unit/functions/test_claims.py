"""What an environment claims is taken only where it can be true."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.functions import claims
from dynimo.runtime.wire import WireError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(["started_ns", "ended_ns", "max_rss_kib", "error", "reply", "value"])


@given(meta=st.dictionaries(KEYS, ANYTHING))
def test_whatever_is_claimed_is_bounded_or_refused(meta: dict[str, Any]) -> None:
    """No claim leads to a time outside of what the platform saw, nor to another exception."""
    try:
        said = claims.read(meta, earliest_ns=1_000, latest_ns=5_000)
    except WireError:
        return
    assert 0 <= said.duration_ns <= 4_000
    assert said.started_ns == 0 or 1_000 <= said.started_ns <= 5_000
    assert 0 <= said.max_rss_kib <= claims.RSS_KIB_MAX


def test_an_honest_claim_is_taken_as_it_is() -> None:
    """Times within what was seen are the environment's own."""
    meta = {"started_ns": 2_000, "ended_ns": 3_000, "max_rss_kib": 7}

    said = claims.read(meta, earliest_ns=1_000, latest_ns=5_000)

    assert (said.started_ns, said.duration_ns, said.max_rss_kib) == (2_000, 1_000, 7)


@pytest.mark.parametrize("levels", [10, 1_000])
def test_an_error_document_may_not_be_deep(levels: int) -> None:
    """Whoever writes it out must not run out of stack."""
    error: dict[str, Any] = {}
    for _ in range(levels):
        error = {"cause": error}
    refused = False
    try:
        claims.read({"error": error}, earliest_ns=0, latest_ns=0)
    except WireError:
        refused = True
    assert refused == (levels > claims.ERROR_DEPTH_MAX)
