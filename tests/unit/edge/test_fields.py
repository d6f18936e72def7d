"""Structured fields, as RFC 9651 has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge import fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a", {"a": True}),
        ("a=1, b=-2.5,c=?0 ,\td=tok/en:x", {"a": 1, "b": -2.5, "c": False, "d": "tok/en:x"}),
        (r'a="x \"y\" \\"', {"a": r'x "y" \ '.rstrip()}),
        ('a=(1 b  "c");x=1, z', {"a": [1, "b", "c"], "z": True}),
        ("a=:aGk=:, b=@1659578233", {"a": ":aGk=:", "b": "@1659578233"}),
        ("a;b=1;c, d;e", {"a": True, "d": True}),
        ("a=1, b=2, a=3", {"b": 2, "a": 3}),
        ("  a=1  ", {"a": 1}),
    ],
)
def test_a_dictionary_is_read(text: str, expected: dict[str, Any]) -> None:
    """Every type, parameters dropped, the last of equal keys."""
    assert fields.dictionary(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A=1", "a=", "a=1,", "a,,b", "a b", "a=1.", "a=1.2345", "a=1234567890123456", "a=?2",
        'a="x', "a=(1", "a=(1,2)", "a =1", "a= 1", "a=1; =2", "a=1, &&", "é=1", "a=\x01", "1=a",
    ],
)  # fmt: skip
def test_one_fault_spoils_the_whole(text: str) -> None:
    """Nothing is believed of what is malformed anywhere (RFC 9651 section 4.2)."""
    assert fields.dictionary(text) is None


@given(st.text(max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    """No text makes the reader fail."""
    found = fields.dictionary(text)
    assert found is None or all(key == key.lower() for key in found)
