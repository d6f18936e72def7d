"""Answers in pieces: from what a handler yields or writes to frames, and the frame that ends them.

Pure but for the ``emit`` that it is given, which sends one frame and waits while the other side is
slow. Which handlers stream is decided here, by what they returned.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeAlias

PIECE_BYTES_MAX = 64 * 1024
"""What one frame carries at most."""

Emit: TypeAlias = Callable[[dict[str, Any], bytes], None]


class StreamError(TypeError):
    """What was yielded or written is no part of an answer."""


def is_stream(value: object) -> bool:
    """Whether what a handler returned is still to be run for its pieces."""
    return isinstance(value, GeneratorType) or _is_written(value)


def is_async_stream(value: object) -> bool:
    """Whether its pieces come from an async generator."""
    return isinstance(value, AsyncGeneratorType)


def frames(request_id: str, item: object, *, begun: bool) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Frames for one item; ``begun`` says that there were frames before.

    Raises:
        StreamError: it is neither bytes, nor text, nor (as the first) a head.
    """
    if isinstance(item, str):
        item = item.encode("utf-8", "surrogatepass")
    if isinstance(item, bytes | bytearray | memoryview):
        piece = bytes(item)
        for at in range(0, len(piece), PIECE_BYTES_MAX):
            yield {"type": "chunk", "id": request_id}, piece[at : at + PIECE_BYTES_MAX]
        return
    sdk = sys.modules.get("dynimo.sdk.streaming")
    if sdk is None or not isinstance(item, sdk.Head):
        raise StreamError(
            f"A piece of a streamed answer must be bytes or str, not {type(item).__name__}."
        )
    if begun:
        raise StreamError("A Head must come before the first piece.")
    headers = [[str(name), str(value)] for name, value in item.headers]
    yield {"type": "begin", "id": request_id, "status": int(item.status), "headers": headers}, b""


class Writer:
    """``sdk.streaming.Stream`` over ``emit``; ``begun`` once anything was sent."""

    def __init__(self, request_id: str, emit: Emit) -> None:
        self._request_id = request_id
        self._emit = emit
        self.begun = False

    def begin(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] = (),
    ) -> None:
        """Tell status and headers."""
        self.send(sys.modules["dynimo.sdk.streaming"].head(status, headers, cookies))

    def write(self, piece: bytes | str) -> None:
        """Send a piece."""
        self.send(piece)

    def send(self, item: object) -> None:
        """Send one item. Raises StreamError."""
        for meta, body in frames(self._request_id, item, begun=self.begun):
            self._emit(meta, body)
            self.begun = True


def run(value: Any, writer: Writer) -> None:
    """Let a stream make its pieces, and send each."""
    if _is_written(value):
        value.function(value.event, value.context, writer)
        return
    for item in value:
        writer.send(item)


def _is_written(value: object) -> bool:
    sdk = sys.modules.get("dynimo.sdk.streaming")
    return sdk is not None and isinstance(value, sdk.Written)
