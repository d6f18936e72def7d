"""Chunked bodies: whatever the cuts, the same bytes; whatever the fault, a Fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.web import chunks, faults


def encode(pieces: list[bytes], tail: bytes) -> bytes:
    """Write pieces in chunked coding."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return framed + b"0\r\n" + tail + b"\r\n"


@given(
    pieces=st.lists(st.binary(max_size=50), max_size=6),
    tail=st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC:\r\n"]),
    rest=st.binary(max_size=20),
    cut=st.integers(1, 40),
)
def test_decoded_is_what_was_encoded(
    pieces: list[bytes], tail: bytes, rest: bytes, cut: int
) -> None:
    """However the bytes are cut, the body is whole and what follows is left alone."""
    data = encode(pieces, tail) + rest
    decoder = chunks.ChunkedBody(10_000)
    left = b""
    at = 0
    while not decoder.done:
        left = decoder.feed(left + data[at : at + cut])
        at += cut
    assert b"".join(pieces) == bytes(decoder.body)
    assert rest == left + data[at:]


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_body_or_a_fault(noise: bytes) -> None:
    """Nothing else is raised, and the limit holds."""
    decoder = chunks.ChunkedBody(100)
    status = 400
    try:
        decoder.feed(noise)
    except faults.Fault as fault:
        status = fault.status
    assert status in {400, 413}
    assert len(decoder.body) <= 100


@pytest.mark.parametrize(
    "data", [b"1" * 300, b"0\r\n" + b"a" * 9000, b"0\r\n" + b"A: b\r\n" * 4000]
)
def test_lines_and_trailers_are_limited(data: bytes) -> None:
    """A line that does not end, and trailers without end, are refused."""
    with pytest.raises(faults.Fault):
        chunks.ChunkedBody(100).feed(data)
