"""Event patterns: what each operator lets through, and what is no pattern."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.backlog.patterns import InvalidPattern, Pattern


def matches(pattern: Any, event: dict[str, Any]) -> bool:
    """Whether an event matches a pattern given as a value."""
    return Pattern(json.dumps(pattern)).matches(event)


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x", "y"]}, {"a": "y"}, True),
        ({"a": ["x"]}, {"a": "z"}, False),
        ({"a": ["x"]}, {}, False),
        ({"a": [1]}, {"a": 1.0}, True),
        ({"a": [1]}, {"a": True}, False),
        ({"a": [True]}, {"a": True}, True),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": ["x"]}, {"a": ["w", "x"]}, True),
        ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "z"}, False),
        ({"a": {"b": ["x"]}}, {"a": {"b": "x", "c": 1}}, True),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "w"}, {"b": "x"}]}, True),
        ({"a": {"b": ["x"]}}, {"a": "x"}, False),
        ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
        ({"a": [{"prefix": "ab"}]}, {"a": "Abc"}, False),
        ({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}, True),
        ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.png"}, True),
        ({"a": [{"equals-ignore-case": "Alice"}]}, {"a": "aLICE"}, True),
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
        ({"a": [{"anything-but": [1, 2]}]}, {"a": 3}, True),
        ({"a": [{"anything-but": {"prefix": "no"}}]}, {"a": "north"}, False),
        ({"a": [{"anything-but": {"prefix": ["no", "so"]}}]}, {"a": "east"}, True),
        ({"a": [{"anything-but": {"wildcard": "*/x/*"}}]}, {"a": "a/x/b"}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 0}, False),
        ({"a": [{"numeric": ["=", 3.5]}]}, {"a": 3.5}, True),
        ({"a": [{"numeric": [">", 0]}]}, {"a": "5"}, False),
        ({"a": [{"numeric": [">", 0]}]}, {"a": True}, False),
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a": [{"exists": True}]}, {}, False),
        ({"a": [{"exists": False}]}, {}, True),
        ({"a": [{"exists": False}]}, {"a": 1}, False),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": [{"exists": False}, "x"]}, {"a": "x"}, True),
        ({"a": [{"wildcard": "dir/*/f*.txt"}]}, {"a": "dir/sub/file.txt"}, True),
        ({"a": [{"wildcard": "dir/*/f*.txt"}]}, {"a": "dir/file.txt"}, False),
        ({"a": [{"wildcard": "a*a"}]}, {"a": "a"}, False),
        ({"a": [{"wildcard": "*"}]}, {"a": ""}, True),
        ({"a": [{"wildcard": r"1\*2"}]}, {"a": "1*2"}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "no"}, False),
        ({"$or": [{"a": ["x"]}, {"b": [1]}]}, {"b": 1}, True),
        ({"$or": [{"a": ["x"]}, {"b": [1]}]}, {"a": "y", "b": 2}, False),
        ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": [1]}]}, {"a": "x", "b": 2}, False),
        ({}, {"anything": 1}, True),
    ],
)
def test_an_event_matches_or_does_not(pattern: Any, event: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """As EventBridge's guide says, operator by operator."""
    assert matches(pattern, event) is expected


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", '"a"', '{"a": "x"}', '{"a": []}', '{"a": {}}', '{"a": [["x"]]}',
        '{"a": [{"unknown": 1}]}', '{"a": [{"prefix": 1}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"numeric": [">"]}]}', '{"a": [{"numeric": ["~", 1]}]}', '{"a": [{"numeric": 5}]}',
        '{"a": [{"numeric": [">", 5, "<", 1]}]}', '{"a": [{"numeric": ["<", 1, ">", 5]}]}',
        '{"a": [{"numeric": ["=", 6000000000]}]}', '{"a": [{"exists": "yes"}]}',
        '{"a": [{"anything-but": null}]}', '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', '{"a": [{"wildcard": "a**b"}]}',
        r'{"a": [{"wildcard": "a\\x"}]}', '{"a": [{"cidr": "10.0.0/240"}]}',
        '{"$or": [{"a": ["x"]}]}',
        '{"$or": [{"a": ["x"]}, 1]}', '{"a": [NaN, {"numeric": ["=", NaN]}]}',
        '{"a":' * 500 + "1" + "}" * 500, '{"a": ["' + "x" * 4096 + '"]}',
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """Before it is kept, not when the first event comes."""
    with pytest.raises(InvalidPattern):
        Pattern(text)


@given(st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4), st.text("ab", max_size=8))
def test_a_wildcard_is_what_a_regular_expression_says(parts: list[str], value: str) -> None:
    """Its own search gives the same answer, without going back and forth."""
    import re

    text = "*".join(parts)
    expected = re.fullmatch(".*".join(map(re.escape, parts)), value, re.DOTALL) is not None

    assert matches({"a": [{"wildcard": text}]}, {"a": value}) is expected
