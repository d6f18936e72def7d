"""A request's body as it comes: by its length, or in chunks (RFC 9112 6.2, 7.1), decoded strictly.

Bytes in, bytes out. Chunk extensions are refused unless empty of surprises (printable, no LF),
trailers are read and dropped.
"""

from __future__ import annotations

import re

from dynimo.web import faults

CHUNK_LINE_BYTES_MAX = 256
TRAILER_BYTES_MAX = 8 * 1024

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class CountedBody:
    """Takes one body of known length; ``body`` grows as bytes are fed."""

    __slots__ = ("_left", "body")

    def __init__(self, length: int) -> None:
        self._left = length
        self.body = bytearray()

    @property
    def done(self) -> bool:
        """Whether all of it is here."""
        return not self._left

    def feed(self, data: bytes) -> bytes:
        """Take in what arrived; return what is left over (the next request)."""
        piece = data[: self._left]
        self.body += piece
        self._left -= len(piece)
        return data[len(piece) :]


class ChunkedBody:
    """Decodes one chunked body; ``body`` grows as bytes are fed."""

    __slots__ = ("_bytes_max", "_left", "_trailer_bytes", "body", "done")

    _NEED_SIZE, _NEED_END, _TRAILERS = -1, -2, -3

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._left = self._NEED_SIZE
        self._trailer_bytes = 0
        self.body = bytearray()
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take in what arrived; return what is left over (a part of a line, or the next request).

        Raises:
            faults.Fault: 400 for broken framing, 413 over the limit.
        """
        at = 0
        while not self.done:
            if self._left >= 0:
                piece = data[at : at + self._left]
                self.body += piece
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._left = self._NEED_END
            end = data.find(b"\n", at)
            if end < 0:
                if len(data) - at > self._line_bytes_max():
                    raise faults.bad_request("A chunk's line is too long.")
                break
            if end == at or data[end - 1] != 13:
                raise faults.bad_request("A chunk's line must end in CRLF.")
            self._line(data[at : end - 1])
            at = end + 1
        return data[at:]

    def _line_bytes_max(self) -> int:
        return TRAILER_BYTES_MAX if self._left == self._TRAILERS else CHUNK_LINE_BYTES_MAX

    def _line(self, line: bytes) -> None:
        if len(line) > self._line_bytes_max():
            raise faults.bad_request("A chunk's line is too long.")
        if self._left == self._NEED_END:
            if line:
                raise faults.bad_request("A chunk is longer than it said.")
            self._left = self._NEED_SIZE
        elif self._left == self._NEED_SIZE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise faults.bad_request("A chunk's size is not a plain hexadecimal number.")
            size = int(match.group(1), 16)
            if len(self.body) + size > self._bytes_max:
                raise faults.Fault(413, "BodyTooLarge", f"More than {self._bytes_max} bytes.")
            self._left = size or self._TRAILERS
        else:
            self._trailer_bytes += len(line)
            if not line:
                self.done = True
            elif self._trailer_bytes > TRAILER_BYTES_MAX or not _TRAILER.fullmatch(line):
                raise faults.bad_request("A trailer line is malformed or too long.")
