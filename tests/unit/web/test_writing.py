"""A head as bytes: what is added, what is dropped, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.web import message, writing


def response(status: int = 200, body: bytes = b"body", **headers: str) -> message.Response:
    """Build an answer."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return message.Response(status=status, headers=message.Headers(pairs), body=body)


def test_the_server_alone_frames() -> None:
    """Length and connection are the server's, whatever a handler says."""
    said = response(content_length="9", connection="x", transfer_encoding="chunked", a="b")
    head, body = writing.encode("GET", said, "now")
    assert head == b"HTTP/1.1 200 OK\r\na: b\r\ndate: now\r\ncontent-length: 4\r\n\r\n"
    assert body == b"body"


def test_a_handlers_date_is_kept() -> None:
    """A stored answer keeps the Date of its making (RFC 9110 6.6.1)."""
    head, _ = writing.encode("GET", response(date="then"), "now")
    assert b"date: then" in head
    assert b"now" not in head


@pytest.mark.parametrize(
    ("method", "made", "length"),
    [
        ("GET", response(), 4),
        ("HEAD", response(), 4),
        ("HEAD", response(body=b"", content_length="9"), 9),
        ("HEAD", response(body=b"", content_length="x"), 0),
        ("GET", response(body=b"", content_length="9"), 0),
        ("GET", response(204), None),
        ("GET", response(304), None),
    ],
)
def test_content_length(method: str, made: message.Response, length: int | None) -> None:
    """Of the body; for HEAD of what GET would send; none where there never is a body."""
    assert length == writing.content_length(method, made)


@given(st.text(max_size=30), st.text(max_size=30))
def test_headers_never_add_lines(name: str, value: str) -> None:
    """Whatever the name and value, a head has exactly its lines, or is refused."""
    headers = message.Headers([(name, value)])
    try:
        head = writing.head(200, headers, 0, "now")
    except writing.UnsafeHeader:
        return
    lines = head.split(b"\r\n")
    assert (lines[-1], lines[-2]) == (b"", b"")
    assert len(lines) - 2 <= 4
    assert b"\n" not in b"".join(lines)
