"""What is held of one HTTP/2 stream while it lasts, and how many there may be. Decides nothing."""

from __future__ import annotations

import asyncio
import math

from h2.settings import SettingCodes, Settings

from dynimo.web import message

STREAMS_MAX = 64
"""Requests of one connection at once; one more is refused, and may be sent again."""


class Stream:
    """One request and its answer.

    ``received`` says that the request is whole, ``begun`` that the answer's head is out, ``ended``
    that no more of the answer will be queued.
    """

    __slots__ = (
        "begun", "body", "deadline", "ended", "id", "limit", "outgoing", "received", "request",
        "room", "task", "until", "upload",
    )  # fmt: skip

    def __init__(self, stream_id: int, request: message.Request) -> None:
        self.id = stream_id
        self.request = request
        self.body = bytearray()
        self.limit = 0
        self.until = self.deadline = math.inf
        self.received = False
        self.upload = False
        self.task: asyncio.Task[None] | None = None
        self.outgoing = memoryview(b"")
        self.begun = False
        self.ended = False
        self.room: asyncio.Future[None] | None = None


class Told(Settings):
    """What the client is told, and what the library goes by.

    Over one stream too many it would end the connection. But who has not heard yet how many there
    may be does nothing wrong: such a stream is refused, by us, and the rest goes on.
    """

    @property
    def max_concurrent_streams(self) -> int:
        """More than are told."""
        return 4 * STREAMS_MAX

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[SettingCodes.MAX_CONCURRENT_STREAMS] = value
