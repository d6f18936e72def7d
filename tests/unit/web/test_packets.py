"""However bytes are cut into packets, they mean the same."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from dynimo.web import config, message, server
from dynimo.web.connection import Connection
from tests.requests import ACCEPTED, GET, HOST, REFUSED

LIMITS = config.Config(body_bytes_max=1000)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.closed
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        """It is asked, not told: a test goes on when the requests before are answered."""

    def resume_reading(self) -> None:
        """See ``pause_reading``."""


def talk(packets: Sequence[bytes]) -> tuple[bytes, list[tuple[str, str, bytes]], bool]:
    """Return what was answered, what the handler saw, and whether the connection is closed."""
    seen: list[tuple[str, str, bytes]] = []

    async def handler(request: message.Request) -> message.Response:
        seen.append((request.method, request.target, request.body))
        return message.Response(body=b"%d" % len(seen))

    async def main() -> bytes:
        site = server.Server(handler, config=LIMITS)
        connection = Connection(site, asyncio.get_running_loop())
        connection.connection_made(wire)
        for packet in packets:
            connection.data_received(packet)
            for _ in range(3):
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return re.sub(rb"date: [^\r]*\r\n", b"", wire.sent)

    wire = Wire()
    return asyncio.run(main()), seen, wire.closed


def whole(case: str) -> bytes:
    """Return an accepted request with its end, so that another may follow it."""
    data = ACCEPTED[case][0]
    if b"HTTP/1.0" in data:
        data = data.replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1)
    return data if b"\r\n\r\n" in data else data + b"\r\n"


@given(
    st.lists(st.sampled_from(sorted(ACCEPTED)), max_size=3),
    st.sampled_from(["", *sorted(REFUSED)]),
    st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_any_cut_gives_the_same_answers(good: list[str], bad: str, cuts: list[float]) -> None:
    """Requests in one packet, or cut anywhere: same answers, same requests seen, same end."""
    stream = b"".join(map(whole, good)) + (REFUSED[bad][0] + GET + HOST + b"\r\n" if bad else b"")
    at = sorted({0, len(stream), *(int(cut * len(stream)) for cut in cuts)})
    packets = [stream[start:end] for start, end in itertools.pairwise(at)]

    answers, seen, closed = talk([stream])

    assert talk(packets) == (answers, seen, closed)
    assert [tuple(ACCEPTED[case][1:3]) for case in good] == [each[:2] for each in seen]
    assert closed == bool(bad)
    if bad:
        assert re.findall(rb"HTTP/1.1 (\d+)", answers)[-1] == b"%d" % REFUSED[bad][1]
