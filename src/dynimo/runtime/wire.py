"""Frames between the platform and an environment: shape, limits, and both directions.

Here live the encoder, an incremental decoder that does no I/O (the platform feeds it from its event
loop, the environment from a blocking read), and the blocking write. What frames mean is not known
here.

A frame is ``!II`` (bytes of meta, bytes of body), the meta as compact JSON in UTF-8, the body raw.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dynimo.runtime import compact

META_BYTES_MAX = 256 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024
BUFFER_BYTES = 16 * 1024
"""What a decoder reads at once while it waits for a header; larger bodies get their own buffer."""

_HEADER = struct.Struct("!II")
_encode_json = compact.encoder(ensure_ascii=False, separators=(",", ":"))


class WireError(ValueError):
    """The other side broke the framing; nothing after this can be trusted."""


def encode(meta: Mapping[str, Any], body: bytes) -> bytes:
    """Everything of a frame that goes before the body (the body is sent beside it, uncopied).

    Raises:
        WireError: meta or body is over its limit.
    """
    return head(_encode_json(meta).encode("utf-8", "surrogatepass"), body)


def head(text: bytes, body: bytes) -> bytes:
    """The same for a meta that is JSON already.

    Raises:
        WireError: meta or body is over its limit.
    """
    if len(text) > META_BYTES_MAX:
        raise WireError(f"meta of {len(text)} bytes is over {META_BYTES_MAX}")
    if len(body) > BODY_BYTES_MAX:
        raise WireError(f"body of {len(body)} bytes is over {BODY_BYTES_MAX}")
    return _HEADER.pack(len(text), len(body)) + text


class Decoder:
    """Takes bytes as they come and gives frames when they are whole; copies a body once.

    Use: receive into ``free()``, then iterate ``advance(count)``.
    """

    def __init__(
        self,
        *,
        body_bytes_max: int = BODY_BYTES_MAX,
        read_meta: Callable[[memoryview], dict[str, Any]] | None = None,
    ) -> None:
        """``read_meta`` reads a meta's JSON; ``meta`` if None."""
        self._body_bytes_max = body_bytes_max
        self._read_meta = read_meta or meta
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._have = 0
        self._meta: dict[str, Any] = {}
        self._body: bytearray | None = None
        self._body_view = memoryview(b"")
        self._body_have = 0

    def __repr__(self) -> str:
        waiting = f"{self._body_have}/{len(self._body)}" if self._body is not None else "header"
        return f"<Decoder have={self._have} waiting={waiting}>"

    def free(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._body is not None:
            return self._body_view[self._body_have :]
        return self._view[self._have :]

    def advance(self, count: int) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Account for ``count`` bytes received into ``free()``; give each frame now whole.

        Raises:
            WireError: a length is over its limit or the meta is no JSON object.
        """
        if self._body is not None:
            self._body_have += count
            if self._body_have == len(self._body):
                frame = self._meta, bytes(self._body)
                self._body, self._body_view, self._body_have = None, memoryview(b""), 0
                yield frame
            return
        self._have += count
        at = 0
        while self._have - at >= _HEADER.size:
            meta_bytes, body_bytes = _HEADER.unpack_from(self._buffer, at)
            self._check(meta_bytes, body_bytes)
            start = at + _HEADER.size + meta_bytes
            if start > self._have:
                self._make_room(_HEADER.size + meta_bytes)
                break
            told = self._read_meta(self._view[at + _HEADER.size : start])
            end = start + body_bytes
            if end > self._have:
                self._begin_body(told, body_bytes, start)
                return
            at = end
            yield told, bytes(self._view[start:end])
        self._shift(at)

    def _check(self, meta_bytes: int, body_bytes: int) -> None:
        if meta_bytes > META_BYTES_MAX:
            raise WireError(f"meta of {meta_bytes} bytes is over {META_BYTES_MAX}")
        if body_bytes > self._body_bytes_max:
            raise WireError(f"body of {body_bytes} bytes is over {self._body_bytes_max}")

    def _begin_body(self, meta: dict[str, Any], body_bytes: int, start: int) -> None:
        self._meta = meta
        self._body = bytearray(body_bytes)
        self._body_view = memoryview(self._body)
        self._body_have = self._have - start
        self._body_view[: self._body_have] = self._view[start : self._have]
        self._have = 0

    def _make_room(self, size: int) -> None:
        if size > len(self._buffer):
            larger = bytearray(size)
            larger[: len(self._buffer)] = self._buffer
            self._buffer, self._view = larger, memoryview(larger)

    def _shift(self, at: int) -> None:
        if at == self._have:
            self._have = 0
        elif at:
            rest = bytes(self._view[at : self._have])
            self._view[: len(rest)] = rest
            self._have = len(rest)


def meta(view: memoryview) -> dict[str, Any]:
    """Read a meta.

    Raises:
        WireError: it is no JSON object.
    """
    try:
        told = compact.decode(str(view, "utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise WireError(f"meta is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise WireError("meta is not a JSON object")
    return told


def write(descriptor: int, meta: Mapping[str, Any], body: bytes) -> None:
    """Write one whole frame to a blocking descriptor.

    Raises:
        WireError: it is over a limit; nothing was written.
        OSError: the other side is gone.
    """
    parts = [memoryview(encode(meta, body)), memoryview(body)]
    while parts:
        written = os.writev(descriptor, parts)
        parts = remaining(parts, written)


def remaining(parts: list[memoryview], written: int) -> list[memoryview]:
    """What is left of ``parts`` after the first ``written`` bytes of them went out."""
    rest: list[memoryview] = []
    for part in parts:
        if written >= len(part):
            written -= len(part)
        else:
            rest.append(part[written:])
            written = 0
    return rest
