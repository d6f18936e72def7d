"""Ranges cut from a whole answer (RFC 9110 section 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge import ranges
from dynimo.web import message

BODY = b"0123456789"
CHANGED = "Sun, 09 Sep 2001 01:46:40 GMT"
DATE = "Sun, 09 Sep 2001 01:50:00 GMT"


def cut(value: str, **more: str) -> message.Response:
    """Ask for a range of the body."""
    pairs = [("content-type", "text/plain"), ("etag", '"1"'), ("last-modified", CHANGED)]
    headers = message.Headers([*pairs, ("date", DATE)])
    whole = message.Response(headers=headers, body=BODY)
    asked = {"range": value, **{name.replace("_", "-"): text for name, text in more.items()}}
    return ranges.cut(asked, whole, boundary="B")


@pytest.mark.parametrize(
    ("value", "body", "told"),
    [
        ("bytes=0-1", b"01", "0-1"),
        ("bytes=8-", b"89", "8-9"),
        ("bytes=-3", b"789", "7-9"),
        ("bytes=-99", BODY, "0-9"),
        ("bytes=5-99", b"56789", "5-9"),
        ("BYTES=9-9", b"9", "9-9"),
        ("bytes=2-3,20-30", b"23", "2-3"),
    ],
)
def test_one_range(value: str, body: bytes, told: str) -> None:
    """206 with the part, and where it stood."""
    answer = cut(value)
    assert (answer.status, answer.body) == (206, body)
    assert answer.headers.get("content-range") == f"bytes {told}/10"
    assert answer.headers.get("content-type") == "text/plain"


def test_several_ranges_are_parts() -> None:
    """In the order asked for, each with its own head (RFC 9110 section 14.6)."""
    answer = cut("bytes=0-1, -2")
    assert answer.headers.get("content-type") == "multipart/byteranges; boundary=B"
    first = b"\r\n--B\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/10\r\n\r\n01"
    second = b"\r\n--B\r\ncontent-type: text/plain\r\ncontent-range: bytes 8-9/10\r\n\r\n89"
    assert answer.body == first + second + b"\r\n--B--\r\n"
    assert "content-range" not in answer.headers


def test_a_range_beyond_the_end_is_not_there() -> None:
    """416, with the length there is."""
    answer = cut("bytes=10-")
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers.get("content-range") == "bytes */10"
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    "value",
    [
        "lines=0-1", "bytes=", "bytes=a-b", "bytes=3-1", "0-1", "bytes=0-1;2-3", "bytes=0-9,0-9",
        "bytes=0-0," * 20 + "1-1",
    ],
)  # fmt: skip
def test_what_is_malformed_or_greedy_is_ignored(value: str) -> None:
    """The whole is sent, as if there were no Range."""
    assert (cut(value).status, cut(value).body) == (200, BODY)


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"1"', 206), ('W/"1"', 200), ('"2"', 200), (CHANGED, 206), (DATE, 200), ("x", 200)],
)
def test_if_range_compares_strongly(condition: str, status: int) -> None:
    """Another or a weak validator means another body: the whole of it (RFC 9110 13.1.5)."""
    assert cut("bytes=0-1", if_range=condition).status == status


@given(st.text(max_size=40), st.integers(0, 50))
def test_no_range_leads_outside(value: str, length: int) -> None:
    """Whatever is asked, what is found lies within the body, and is no more than it."""
    for text in (value, f"bytes={value}"):
        found = ranges.spans(text, length)
        assert found is None or all(0 <= first < end <= length for first, end in found)
