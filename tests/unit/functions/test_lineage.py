"""The lineage in a trace header: hops are counted for each function, and read from anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.functions import lineage

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_each_pass_is_one_hop_more_and_the_rest_stays() -> None:
    """Two functions that call each other are counted apart."""
    trace = ROOT
    for _ in range(3):
        trace = lineage.passed(lineage.passed(trace, ARN + "a"), ARN + "b")
    trace = lineage.passed(trace, ARN + "a")

    assert (lineage.hops(trace, ARN + "a"), lineage.hops(trace, ARN + "b")) == (4, 3)
    assert lineage.hops(trace, ARN + "c") == 0
    assert trace.startswith(ROOT + ";Lineage=1:")
    assert trace.count("Lineage=") == 1


def test_a_chain_is_cut_when_a_function_would_run_a_time_too_many() -> None:
    """With 16 allowed, 16 run and the next does not; unless its owner allows it."""
    trace, ran = ROOT, 0
    while not lineage.is_cut(trace, ARN + "a", hops_max=16):
        trace = lineage.passed(trace, ARN + "a")
        ran += 1

    assert ran == 16
    assert not lineage.is_cut(trace, ARN + "a", hops_max=16, setting="Allow")
    assert not lineage.is_cut(trace, ARN + "b", hops_max=16)
    assert not lineage.is_cut(trace, ARN + "a", hops_max=0)


def test_a_header_stays_bounded_however_many_functions_a_chain_passes() -> None:
    """The ones passed longest ago are forgotten; the newest are kept."""
    trace = ROOT
    for number in range(1000):
        trace = lineage.passed(trace, f"{ARN}f{number}")

    assert trace.count("|") == lineage.PARTS_MAX - 1
    assert lineage.hops(trace, f"{ARN}f999") == 1
    assert len(trace) < 1000


@pytest.mark.parametrize(
    "header", ["", "Lineage=", "Lineage=1:x", "Lineage=|||", "Lineage=1:a:b", ";;=;Lineage", "Self"]
)
def test_what_is_no_lineage_counts_nothing(header: str) -> None:
    """Anybody may send any header."""
    assert lineage.hops(header, ARN + "a") == 0
    assert lineage.hops(lineage.passed(header, ARN + "a"), ARN + "a") == 1


@given(st.text(max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    """Whatever comes, one pass adds at most one hop."""
    before = lineage.hops(header, ARN + "a")
    assert lineage.hops(lineage.passed(header, ARN + "a"), ARN + "a") in {before, before + 1}
