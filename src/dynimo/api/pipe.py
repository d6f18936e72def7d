"""Between a handler that makes pieces and a client that takes them: a bounded buffer.

The function side calls it as a Sink; the HTTP side iterates. Nothing here knows HTTP or AWS.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

BUFFER_BYTES_MAX = 256 * 1024
"""What may wait for a slow client before the handler is made to wait."""


class Pipe:
    """``model.invocation.Sink`` on one side, ``pieces`` on the other."""

    def __init__(self) -> None:
        self.version = ""
        self.head: tuple[int, list[tuple[str, str]]] | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._on_room: Callable[[], None] | None = None
        self._ended = False
        self._abandoned = False

    def routed(self, version: str) -> None:
        """Which version answers."""
        self.version = version

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Status and headers came."""
        self.head = (status, headers)
        self._changed.set()

    def write(self, piece: bytes) -> bool:
        """Keep a piece for the client; dropped when nobody takes them any more."""
        if self._abandoned:
            return True
        self._waiting.append(piece)
        self._size += len(piece)
        self._changed.set()
        return self._size < BUFFER_BYTES_MAX

    def on_room(self, call: Callable[[], None]) -> None:
        """Whom to tell when there is room again."""
        self._on_room = call
        if self._size < BUFFER_BYTES_MAX:
            self._tell()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    async def started(self) -> None:
        """Wait for the first word, or the end."""
        while self.head is None and not self._waiting and not self._ended:
            await self._wait()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give each piece; closing it lets the handler finish into the void."""
        try:
            while True:
                while self._waiting:
                    piece = self._waiting.popleft()
                    self._size -= len(piece)
                    self._tell()
                    yield piece
                if self._ended:
                    return
                await self._wait()
        finally:
            self._abandoned = True
            self._waiting.clear()
            self._size = 0
            self._tell()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _tell(self) -> None:
        if self._on_room is not None:
            call, self._on_room = self._on_room, None
            call()
