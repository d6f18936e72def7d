"""The framing between platform and environment."""

from __future__ import annotations

import os
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.runtime import wire

metas = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=20), max_size=4)
frames = st.lists(st.tuples(metas, st.binary(max_size=40_000)), max_size=5)


def fed(decoder: wire.Decoder, data: bytes, sizes: list[int]) -> list[tuple[dict[str, Any], bytes]]:
    """Give ``data`` to the decoder in pieces of ``sizes``, then whatever fits."""
    got = []
    while data:
        free = decoder.free()
        count = min(len(free), len(data), sizes.pop(0) if sizes else len(data))
        free[:count] = data[:count]
        data = data[count:]
        got += decoder.advance(count)
    return got


@given(frames, st.lists(st.integers(1, 5000), max_size=50))
def test_frames_survive_any_cutting(
    sent: list[tuple[dict[str, Any], bytes]], sizes: list[int]
) -> None:
    """Whatever way the bytes are cut, the frames come out as they went in."""
    data = b"".join(wire.encode(meta, body) + body for meta, body in sent)
    assert sent == fed(wire.Decoder(), data, list(sizes))


def test_meta_larger_than_the_buffer() -> None:
    """The buffer grows for a long meta, up to its limit."""
    meta = {"text": "x" * 200_000}
    assert [(meta, b"abc")] == fed(wire.Decoder(), wire.encode(meta, b"abc") + b"abc", [])


def test_large_body_is_received_into_its_own_buffer() -> None:
    """A body beyond the buffer is offered whole, so that few receives are needed."""
    decoder = wire.Decoder()
    head = wire.encode({}, bytes(1_000_000))
    fed(decoder, head, [])
    assert len(decoder.free()) == 1_000_000


@pytest.mark.parametrize("header", [(wire.META_BYTES_MAX + 1, 0), (2, wire.BODY_BYTES_MAX + 1)])
def test_lengths_over_the_limit_are_refused_unread(header: tuple[int, int]) -> None:
    """A length over its limit ends the connection before anything is kept for it."""
    with pytest.raises(wire.WireError):
        fed(wire.Decoder(), struct.pack("!II", *header), [])


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff\xff"])
def test_meta_must_be_a_json_object(text: bytes) -> None:
    """Anything else is a broken peer."""
    with pytest.raises(wire.WireError):
        fed(wire.Decoder(), struct.pack("!II", len(text), 0) + text, [])


def test_encode_refuses_what_the_other_side_would() -> None:
    """Limits hold on the way out too."""
    with pytest.raises(wire.WireError):
        wire.encode({"x": "y" * wire.META_BYTES_MAX}, b"")


def test_write_sends_head_and_body() -> None:
    """The blocking write gives exactly one frame."""
    read_end, write_end = os.pipe()
    wire.write(write_end, {"a": 1}, b"body")
    os.close(write_end)
    data = os.read(read_end, 1000)
    os.close(read_end)
    assert fed(wire.Decoder(), data, []) == [({"a": 1}, b"body")]


def test_lone_surrogates_travel() -> None:
    """What JSON can say, the wire can carry."""
    meta = {"text": "\ud800"}
    assert [(meta, b"")] == fed(wire.Decoder(), wire.encode(meta, b""), [])
