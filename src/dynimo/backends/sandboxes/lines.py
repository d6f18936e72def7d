"""What environments print, line by line, bounded in length and rate.

Output beyond the rate stays in the pipe, so that who prints too much waits itself and nobody else.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable

LOG_LINE_BYTES_MAX = 64 * 1024
READ_BYTES = 32 * 1024
BYTES_PER_SECOND_MAX = 2 * 1024 * 1024
BURST_BYTES_MAX = 1024 * 1024
LINE_COST_BYTES = 200
"""What a line counts at least, because telling it costs something too."""

FINAL_READS_MAX = 64
CUT_MARK = " [line cut by Dynimo]"
_CUT = CUT_MARK.encode()


class Splitter:
    """Bytes in, lines out (no I/O). A line over the limit is cut, says so, and its rest is lost."""

    def __init__(self, *, line_bytes_max: int = LOG_LINE_BYTES_MAX) -> None:
        self._kept_max = line_bytes_max - len(_CUT)
        self._line_max = line_bytes_max
        self._partial = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes, without their ends."""
        lines: list[str] = []
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return lines

    def end(self) -> list[str]:
        """The last line, if it had no end."""
        return [self._take()] if self._partial else []

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._partial)

    def _add(self, piece: bytes) -> None:
        if self._skipping:
            return
        self._partial += piece
        if len(self._partial) > self._line_max:
            del self._partial[self._kept_max :]
            self._partial += _CUT
            self._skipping = True

    def _take(self) -> str:
        line = self._partial.decode("utf-8", "replace").removesuffix("\r")
        self._partial.clear()
        self._skipping = False
        return line


class Lines:
    """Reads a pipe on the event loop and tells its lines. Owns ``pipe``."""

    def __init__(self, pipe: int, on_line: Callable[[str], None]) -> None:
        os.set_blocking(pipe, False)
        self._loop = asyncio.get_running_loop()
        self._pipe = pipe
        self._on_line = on_line
        self._splitter = Splitter()
        self._budget = float(BURST_BYTES_MAX)
        self._counted_at = self._loop.time()
        self._reading = False
        self._resume: asyncio.TimerHandle | None = None
        self._open = True
        self._count = bytearray(4)
        self._listen()

    def finish(self) -> None:
        """Tell what is left in the pipe (bounded), then close it."""
        if not self._open:
            return
        for _ in range(FINAL_READS_MAX):
            if self._take() <= 0:
                break
        for line in self._splitter.end():
            self._on_line(line)
        self.close()

    def flush(self) -> None:
        """Tell what is in the pipe now (bounded, and within the rate), an unfinished line too."""
        anything = self._open and (self._splitter.unfinished or self._waiting())
        if not anything:
            return
        for _ in range(FINAL_READS_MAX):
            if not self._open or self._budget < 0 or self._take() < READ_BYTES:
                break
        for line in self._splitter.end():
            self._on_line(line)

    def _waiting(self) -> bool:
        """Whether the pipe holds something; asking costs a quarter of trying to read nothing."""
        fcntl.ioctl(self._pipe, termios.FIONREAD, self._count)
        return int.from_bytes(self._count, sys.byteorder) > 0

    def close(self) -> None:
        """Let go of the pipe; nothing is told after this."""
        if not self._open:
            return
        self._open = False
        self._deafen()
        if self._resume is not None:
            self._resume.cancel()
        os.close(self._pipe)

    def _listen(self) -> None:
        self._resume = None
        self._reading = True
        self._loop.add_reader(self._pipe, self._read)

    def _deafen(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._pipe)

    def _read(self) -> None:
        if self._take() == 0:
            self._deafen()
            return
        now = self._loop.time()
        earned = (now - self._counted_at) * BYTES_PER_SECOND_MAX
        self._counted_at = now
        self._budget = min(self._budget + earned, BURST_BYTES_MAX)
        if self._budget < 0 and self._open:
            self._deafen()
            wait = -self._budget / BYTES_PER_SECOND_MAX
            self._resume = self._loop.call_later(wait, self._listen)

    def _take(self) -> int:
        """Read once; the count, 0 at the end of the pipe, -1 when nothing is there."""
        try:
            data = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return -1
        if not data:
            return 0
        lines = self._splitter.feed(data)
        self._budget -= max(len(data), len(lines) * LINE_COST_BYTES)
        for line in lines:
            self._on_line(line)
        return len(data)
