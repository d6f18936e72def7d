"""Every parser of a picture's or a font's bytes keeps its promise for any that are almost right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picture_parsers import TARGETS

EXAMPLES = 60
SEEDS = {name: seeds() for name, (_, seeds) in TARGETS.items()}
EDITS = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, 9), st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read(name: str, data: st.DataObject) -> None:
    """Bytes cut out, others put in, up to four times; `picture_parsers` says what is promised."""
    body = data.draw(st.sampled_from(SEEDS[name]))
    for at, cut, put in data.draw(EDITS):
        begin = at % (len(body) + 1)
        body = body[:begin] + put + body[begin + cut :]
    TARGETS[name][0](body)
