"""Every parser of a picture's or a font's bytes keeps its promise for any that are almost right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picture_parsers import TARGETS
from tests.fuzzing import damaged

EXAMPLES = 60
SEEDS = {name: seeds() for name, (_, seeds) in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read(name: str, data: st.DataObject) -> None:
    """Bytes cut out, others put in, up to four times; `picture_parsers` says what is promised."""
    TARGETS[name][0](data.draw(damaged(SEEDS[name])))
