"""A head's meaning: framing and target, apart from any socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.web import faults, parsing

HOST = b"Host: a.example\r\n"


def parse(head: bytes) -> parsing.HeadParser:
    """Read one head with a new parser."""
    parser = parsing.HeadParser()
    parser.parse(head, "", 100)
    return parser


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"x, Close", False),
        (b"1.1", b"keep-alive", True),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_persistence(version: bytes, connection: bytes, *, expected: bool) -> None:
    """RFC 9112 9.3: 1.1 stays unless told, 1.0 goes unless asked."""
    line = b"Connection: " + connection + b"\r\n" if connection else b""
    assert expected is parse(b"GET / HTTP/" + version + b"\r\n" + HOST + line + b"\r\n").keep_alive


def test_names_are_lower_case_and_values_trimmed() -> None:
    """Names are compared without case; blanks around values do not count."""
    head = b"GET / HTTP/1.1\r\n" + HOST + b"X-Odd:  a b\t \r\n\r\n"
    request = parsing.HeadParser().parse(head, "127.0.0.1", 100)
    assert request.headers.pairs == [("host", "a.example"), ("x-odd", "a b")]
    assert request.peer == "127.0.0.1"


def test_one_parser_reads_many_heads() -> None:
    """Nothing of one head is left for the next, also after a body and an upgrade."""
    parser = parsing.HeadParser()
    for extra in (b"", b"Content-Length: 5\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n") * 2:
        request = parser.parse(b"GET /p HTTP/1.1\r\n" + HOST + extra + b"\r\n", "", 100)
        assert request.headers.get("host") == "a.example"
        assert parser.length == (5 if b"Content" in extra else 0)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_fault(noise: bytes) -> None:
    """No bytes make the parser raise anything but a Fault."""
    for head in (noise, b"GET /" + noise, b"GET / HTTP/1.1\r\n" + HOST + noise):
        try:
            request = parsing.HeadParser().parse(head + b"\r\n\r\n", "", 100)
        except faults.Fault as fault:
            seen = str(fault.status)
        else:
            seen = request.path
        assert seen[0] in "/*45"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#")))
def test_targets_arrive_as_they_are(text: str) -> None:
    """Nothing is decoded or tidied: path, question mark and query give back the target."""
    target = "/" + text
    head = b"GET " + target.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    request = parsing.HeadParser().parse(head, "", 100)
    assert target.removesuffix("?") == request.target.removesuffix("?")
