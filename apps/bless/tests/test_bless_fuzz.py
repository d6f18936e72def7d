"""Every parser of bytes keeps its promise for bytes that are almost right."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz_parsers import TARGETS
from tests.fuzzing import damaged

SEEDS = {name: seeds() for name, (_, seeds) in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_written_is_taken(name: str) -> None:
    """The seeds themselves, or there would be nothing to damage."""
    target, seeds = TARGETS[name]
    for seed in seeds():
        target(seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_come_back(name: str, data: st.DataObject) -> None:
    """Bytes cut out, others put in, up to four times; `fuzz_parsers` says what is promised."""
    TARGETS[name][0](data.draw(damaged(SEEDS[name])))
