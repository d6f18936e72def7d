"""A body while it comes: one writer, any number of readers, each at its own pace. No I/O.

As long as it is ``whole``, every piece is kept, so that whoever comes late reads it from its
beginning. One that grew too large to be stored is let go of: pieces that all readers have passed
are dropped, the writer waits for the slowest, and nobody else may begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Any

WINDOW_BYTES = 1024 * 1024
"""How far the writer may be ahead of the slowest reader, once nothing is kept."""


FIRST_READER_SECONDS = 5.0
"""How long a body that is not kept waits for anybody to want it."""


class BrokenOff(Exception):
    """The rest of a body did not come."""


class Growing:
    """Pieces, as far as they have come."""

    def __init__(self, source: AsyncGenerator[bytes, None], length: str = "") -> None:
        """``source`` is where the pieces come from, ``length`` what it says of itself."""
        self.source = source
        self.length = length
        self.size = 0
        self.whole = True
        self._done = False
        self._broken = False
        self._pieces: list[bytes] = []
        self._dropped = 0
        self._readers: set[Reader] = set()
        self._begun = False
        self._news = asyncio.Event()
        self._passed = asyncio.Event()

    @property
    def done(self) -> bool:
        """Whether all of it has come."""
        return self._done

    def add(self, piece: bytes) -> None:
        """Append a piece."""
        self._pieces.append(piece)
        self.size += len(piece)
        self._tell()

    def finish(self) -> None:
        """Say that it is all there."""
        self._done = True
        self._tell()

    def break_off(self) -> None:
        """Say that the rest will not come, unless it is all there."""
        self._broken = not self._done
        self._tell()

    def let_go(self) -> None:
        """Keep only what readers still need."""
        self.whole = False
        self._trim()

    def body(self) -> bytes:
        """Return all of it; only while it is whole."""
        assert self.whole
        return b"".join(self._pieces)

    async def room(self) -> bool:
        """Wait until the writer may go on; whether anybody still wants more."""
        if self.whole:
            return True
        if not self._begun:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_READER_SECONDS):
                    await self._passed.wait()
        while self._readers and self._ahead() > WINDOW_BYTES:
            self._passed.clear()
            await self._passed.wait()
        return bool(self._readers)

    def reader(self) -> Reader:
        """Return the body from its beginning; it must be read or closed."""
        made = Reader(self)
        self._readers.add(made)
        if not self._begun:
            self._begun = True
            self._passed.set()
        return made

    def _ahead(self) -> int:
        return sum(len(piece) for piece in self._pieces)

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()

    def _trim(self) -> None:
        if self.whole or not self._begun:
            return
        lowest = min((reader.at for reader in self._readers), default=self._end())
        drop = lowest - self._dropped
        if drop > 0:
            del self._pieces[:drop]
            self._dropped = lowest
        self._passed.set()

    def _end(self) -> int:
        return self._dropped + len(self._pieces)

    async def _piece(self, at: int) -> bytes:
        """Return the pieces from this one on, joined; b"" at the end."""
        while at >= self._end():
            if self._broken:
                raise BrokenOff("The upstream broke off amid its answer.")
            if self._done:
                return b""
            await self._news.wait()
        return b"".join(self._pieces[at - self._dropped :])


class Reader(AsyncGenerator[bytes, None]):
    """One reader's view of a growing body. Closing it may let the writer go on, or stop."""

    def __init__(self, growing: Growing) -> None:
        self._growing: Growing | None = growing
        self.at = 0

    async def __anext__(self) -> bytes:
        """Return what has come since.

        Raises:
            StopAsyncIteration: that was all.
            BrokenOff: the rest will not come.
        """
        growing = self._growing
        if growing is None:
            raise StopAsyncIteration
        try:
            piece = await growing._piece(self.at)  # noqa: SLF001 - one thing in two classes
        except BaseException:
            self._leave()
            raise
        if not piece:
            self._leave()
            raise StopAsyncIteration
        self.at = growing._end()  # noqa: SLF001 - as above
        growing._trim()  # noqa: SLF001 - as above
        return piece

    async def asend(self, value: Any) -> bytes:  # noqa: ARG002 - a generator's shape
        """Return what has come since."""
        return await self.__anext__()

    async def athrow(
        self, typ: Any, val: BaseException | object = None, tb: TracebackType | None = None
    ) -> Any:
        """Read no more, and raise what was given."""
        self._leave()
        with suppress(AttributeError):
            tb = tb or val.__traceback__  # type: ignore[union-attr]
        raise val if isinstance(val, BaseException) else typ

    async def aclose(self) -> None:
        """Read no more."""
        self._leave()

    def _leave(self) -> None:
        growing, self._growing = self._growing, None
        if growing is not None:
            growing._readers.discard(self)  # noqa: SLF001 - as above
            growing._trim()  # noqa: SLF001 - as above
