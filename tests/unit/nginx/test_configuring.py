"""nginx's configuration as a whole: held beside what was read and found good."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynimo.nginx import configuring
from dynimo.nginx.plan import Plan

GOLDEN = Path(__file__).parent / "golden.conf"
PLAN = Plan(
    upstreams=("http://10.0.0.1:4566", "http://[fd00::2]"), host="::", port=443,
    folder=Path("/srv/a b"), offers=("text/html", "text/x+y"), passed=("/api/",), log=True,
    certificate="/tls/chain.pem", certificate_key="/tls/key.pem", user="www-data", generation=7,
)  # fmt: skip


def test_the_configuration_is_the_one_that_was_read() -> None:
    """A change of it shows in golden.conf, where it is read before it is believed."""
    assert configuring.config(PLAN) == GOLDEN.read_text()


def test_strict_answers_stale_only_as_the_answers_say() -> None:
    """And `least` asks the server with the fewest requests."""
    made = configuring.config(replace(PLAN, stale=False, by_key=False))
    assert "proxy_cache_use_stale off;" in made
    assert "least_conn;" in made


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"upstreams": ()}, "at least one"),
        ({"upstreams": ("https://example.org",)}, "no Dynimo server's address"),
        ({"upstreams": ("http://example.org/base",)}, "no Dynimo server's address"),
        ({"upstreams": ("http://a b",)}, "no Dynimo server's address"),
        ({"upstreams": ("http://a:x",)}, "no Dynimo server's address"),
        ({"offers": ("html",)}, "no media type"),
        ({"passed": ("api",)}, "begins with /"),
        ({"certificate": ""}, "together"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, Any], word: str) -> None:
    """Before anything is written."""
    with pytest.raises(ValueError, match=word):
        replace(PLAN, **wrong)


@pytest.mark.parametrize(
    ("accept", "named"),
    [
        ("text/x+y", True), ("TEXT/X+Y", True), ("a/b, text/x+y ;q=0.5", True),
        ("text/x+y;v=1;q=1", True), ("text/x+y;q=0", False), ("text/x+y; q=0.000, a/b", False),
        ("text/x+y;q=0.001", True), ("text/xxy", False), ("text/x+yz", False), ("*/*", False),
        ("", False), ("text/x+y;v=1;q=0", False), ("atext/x+y", False),
    ],
)  # fmt: skip
def test_an_offer_is_named_unless_its_quality_is_nought(accept: str, named: bool) -> None:  # noqa: FBT001 - a table
    """The pattern that nginx reads Accept with."""
    pattern = configuring._accepting("text/x+y").removeprefix("~*")
    assert bool(re.search(pattern, accept, re.IGNORECASE)) is named
