"""The platform's end of an environment's channel: frames in and out of a non-blocking socket.

Knows framing, partial writes and limits; nothing of pools, processes or what frames mean.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dynimo.runtime import wire

UNSENT_BYTES_MAX = 2 * wire.BODY_BYTES_MAX
"""What may wait for an environment that does not read; more breaks the channel."""

READS_AT_ONCE_MAX = 16
"""Receives in one turn of the event loop, so that one environment cannot hold it."""

FINAL_READS_MAX = 4_096
"""Receives when the environment is gone: what a socket's buffer can hold, and a bound."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Channel:
    """One environment's frames.

    ``on_frame`` gets each frame; ``on_broken`` is called once, when the other end closed, broke the
    framing or does not drain. Nothing is called after ``close``.
    """

    def __init__(
        self,
        end: socket.socket,
        on_frame: Callable[[dict[str, Any], bytes], None],
        on_broken: Callable[[], None],
    ) -> None:
        end.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._socket = end
        self._on_frame = on_frame
        self._on_broken = on_broken
        self._decoder = wire.Decoder(read_meta=_meta)
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._open = True
        self._reading = True
        self._paused = False
        self._loop.add_reader(end, self._read)

    def __repr__(self) -> str:
        return f"<Channel open={self._open} unsent={self._unsent_bytes}>"

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Queue one frame; most go out at once.

        Raises:
            wire.WireError: the frame is over a limit.
        """
        try:
            head = wire.head(_encode(meta), body)
        except UnicodeEncodeError:  # half a character, as clients may send it
            head = wire.encode(meta, body)
        if not self._open:
            return
        if not self._unsent:
            try:
                written = self._socket.sendmsg([head, body] if body else [head])
            except BlockingIOError:
                written = 0
            except OSError:
                self._loop.call_soon(self._break)
                return
            if written == len(head) + len(body):
                return
            rest = wire.remaining([memoryview(head), memoryview(body)], written)
            self._loop.add_writer(self._socket, self._write)
        else:
            rest = [memoryview(head), memoryview(body)]
        self._unsent.extend(rest)
        self._unsent_bytes += sum(map(len, rest))
        if self._unsent_bytes > UNSENT_BYTES_MAX:
            self._loop.call_soon(self._break)

    def pause(self) -> None:
        """Read no further until ``resume``; what it writes waits in its socket."""
        if self._open and self._reading and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        if self._open and self._reading and self._paused:
            self._paused = False
            self._loop.add_reader(self._socket, self._read)

    def drain(self) -> None:
        """Take in what a gone environment left in the socket; then no more."""
        self._receive(FINAL_READS_MAX)

    def close(self) -> None:
        """Let go; nothing is called after this."""
        if not self._open:
            return
        self._stop_reading()
        self._open = False
        self._loop.remove_writer(self._socket)
        self._unsent.clear()
        self._socket.close()

    def _read(self) -> None:
        self._receive(READS_AT_ONCE_MAX)

    def _receive(self, times: int) -> None:
        for _ in range(times):
            if not self._open or not self._reading or (self._paused and times < FINAL_READS_MAX):
                return
            free = self._decoder.free()
            try:
                count = self._socket.recv_into(free)
                if not count:
                    self._break()
                    return
                for meta, body in self._decoder.advance(count):
                    self._on_frame(meta, body)
            except BlockingIOError:
                return
            except (OSError, wire.WireError):
                self._break()
                return
            if count < len(free):
                return

    def _write(self) -> None:
        try:
            while self._unsent:
                part = self._unsent[0]
                written = self._socket.send(part)
                self._unsent_bytes -= written
                if written < len(part):
                    self._unsent[0] = part[written:]
                    return
                self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._break()
            return
        self._loop.remove_writer(self._socket)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def _break(self) -> None:
        if self._open and self._reading:
            self._stop_reading()
            self._on_broken()


def _meta(view: memoryview) -> dict[str, Any]:
    """``wire.meta``, several times as fast for what nearly all metas are. Raises WireError."""
    try:
        return _decode(view)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.meta(view)
