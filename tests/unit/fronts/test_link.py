"""The link between a front and the core: frames arrive whole, in order, or the link ends."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.fronts import messages
from dynimo.fronts.link import Link
from dynimo.model.caller import Caller, Proof
from dynimo.web.message import Headers, Request


class Transport:
    """Knows only whether it was aborted."""

    aborted = False

    def set_write_buffer_limits(self, high: int) -> None:
        """Take it."""

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


def linked(frame_bytes_max: int = 1000) -> tuple[Link, list[bytes], Transport]:
    """A link, what came through it, and its transport."""
    got: list[bytes] = []
    link = Link(
        lambda frame: got.append(bytes(frame)), lambda: None, frame_bytes_max=frame_bytes_max
    )
    transport = Transport()
    link.connection_made(cast("asyncio.Transport", transport))
    return link, got, transport


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_whole_however_the_bytes_come(bodies: list[bytes], sizes: list[int]) -> None:
    """Split anywhere, joined anyhow."""
    link, got, transport = linked()
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    at, turn = 0, 0
    while at < len(data):
        step = sizes[turn % len(sizes)]
        link.data_received(data[at : at + step])
        at, turn = at + step, turn + 1

    assert got == bodies
    assert not transport.aborted


@pytest.mark.parametrize("parts", [1, 9])
def test_a_frame_over_the_limit_ends_the_link(parts: int) -> None:
    """Before it is taken in."""
    link, got, transport = linked(frame_bytes_max=10)
    data = (11).to_bytes(4, "big") + b"x" * 11
    for at in range(0, len(data), parts):
        link.data_received(data[at : at + parts])
        if transport.aborted:
            break

    assert transport.aborted
    assert got == []


@pytest.mark.parametrize("said", [b"", b"nonsense", b"\x91\x63", b"\x93\x01\x01\x01"])
def test_what_nobody_says_is_refused(said: bytes) -> None:
    """Not guessed at."""
    with pytest.raises(messages.Broken):
        messages.from_front(said)
    with pytest.raises(messages.Broken):
        messages.from_core(said)


def test_a_request_arrives_as_it_was() -> None:
    """With who signed it; the core takes nobody's word but a front's."""
    proof = Proof(caller=Caller(arn="arn:aws:iam::1:user/a", account="1", signed=True), region="r")
    request = Request(
        method="POST", path="/a%20b", query="c=d", headers=Headers([("host", "h"), ("x", "\xe9")]),
        body=b"\x00\xff", peer="127.0.0.1", arrived_ns=5, request_id="id", proxied=True,
    )  # fmt: skip
    told = messages.from_front(messages.frame(messages.asked(7, request, proof))[4:])

    assert isinstance(told, messages.Asked)
    read = messages.request(told)
    assert read.proof == proof
    read.proof = None
    assert read == request


async def test_the_other_end_is_told_when_one_is_gone() -> None:
    """Over a real socket pair."""
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    link = await Link.over(ours, lambda _: None, lost.set, frame_bytes_max=10)
    theirs.close()
    await asyncio.wait_for(lost.wait(), 60)
    link.send(b"\0\0\0\0")  # to nobody, and no error
