"""One end of the socket between a front process and the core: frames in, frames out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from dynimo.fronts.messages import Broken

HIGH_BYTES = 4 * 1024 * 1024
"""What may wait to be read by the other end before pieces of streams are held back."""
_LENGTH_BYTES = 4


class Link(asyncio.Protocol):
    """Gives each whole frame to ``on_frame``; says once that the other end is gone.

    ``on_frame`` may raise Broken; a frame over ``frame_bytes_max`` is as bad. Either ends the link.
    """

    def __init__(
        self,
        on_frame: Callable[[memoryview], None],
        on_lost: Callable[[], None],
        *,
        frame_bytes_max: int,
    ) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._frame_bytes_max = frame_bytes_max
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def over(
        cls,
        end: socket.socket,
        on_frame: Callable[[memoryview], None],
        on_lost: Callable[[], None],
        *,
        frame_bytes_max: int,
    ) -> Link:
        """A link over one end of a socket pair, which it owns from now on."""
        link = cls(on_frame, on_lost, frame_bytes_max=frame_bytes_max)
        end.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=end)
        return link

    def send(self, frame: bytes) -> None:
        """Send one frame; to nobody when the other end is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        """Send what waits, then close."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """End, for whatever reason."""
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; give what is whole."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer) if self._whole() else b""
            if not data:
                return
            self._buffer.clear()
        at, end, view = 0, len(data), memoryview(data)
        try:
            while end - at >= _LENGTH_BYTES:
                start = at + _LENGTH_BYTES
                size = int.from_bytes(view[at:start], "big")
                if size > self._frame_bytes_max:
                    raise Broken(f"a frame of {size} bytes")
                if start + size > end:
                    break
                self._on_frame(view[start : start + size])
                at = start + size
        except Broken:
            if self._transport is not None:
                self._transport.abort()
            return
        if at < end:
            self._buffer += view[at:]

    def _whole(self) -> bool:
        """Whether the buffer holds a whole frame, or what can never be one."""
        if len(self._buffer) < _LENGTH_BYTES:
            return False
        size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        return size > self._frame_bytes_max or len(self._buffer) >= _LENGTH_BYTES + size
