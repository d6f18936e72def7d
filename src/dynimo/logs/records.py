"""One line, and one block of lines, as bytes on the disk. Pure.

A line is a JSON array on a line of its own, so that ``grep`` and ``jq`` read a log too, and so that
what a crash tore is known by its missing end. A block's entry says which times and streams it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

Row: TypeAlias = tuple[int, str, str, str, str]
"""When (epoch milliseconds), stream, kind, request, text."""


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A line as it was kept. ``kind`` is ``function``, ``platform``, or ``event`` (put by API)."""

    when_ms: int
    stream: str
    kind: str
    request: str
    text: str

    @property
    def message(self) -> str:
        """The text as CloudWatch shows it: what functions and the platform wrote ends its line."""
        return self.text if self.kind == "event" else self.text + "\n"


class Block(msgspec.Struct, array_like=True):
    """What is known of the bytes ``start`` to ``end`` of a segment.

    ``streams`` maps a stream to (lines, first and last time in it); a block that says no streams
    is one of which nothing is known.
    """

    start: int
    end: int
    first_ms: int
    last_ms: int
    streams: dict[str, tuple[int, int, int]]

    @property
    def known(self) -> bool:
        """Whether times and streams are told."""
        return bool(self.streams)

    def add_all(self, rows: Sequence[Row]) -> None:
        """More lines in it, in order of time: what they share is looked at once."""
        if not rows:
            return
        first = {row[1]: row[0] for row in reversed(rows)}
        last = {row[1]: row[0] for row in rows}
        for stream, count in Counter([row[1] for row in rows]).items():
            self.add(first[stream], stream)
            if count > 1:
                self.add(last[stream], stream)
                held, earliest, latest = self.streams[stream]
                self.streams[stream] = (held + count - 2, earliest, latest)

    def add(self, when_ms: int, stream: str) -> None:
        """One more line in it."""
        if not self.streams:
            self.first_ms = self.last_ms = when_ms
        self.first_ms = min(self.first_ms, when_ms)
        self.last_ms = max(self.last_ms, when_ms)
        count, first, last = self.streams.get(stream, (0, when_ms, when_ms))
        self.streams[stream] = (count + 1, min(first, when_ms), max(last, when_ms))


_encoder = msgspec.json.Encoder()
_records = msgspec.json.Decoder(Record)
_blocks = msgspec.json.Decoder(Block)


def encoded(rows: Iterable[Row]) -> bytes:
    """Rows as bytes, each ended by a newline. Lone surrogates become question marks."""
    rows = list(rows)
    try:
        return _encoder.encode_lines(rows)
    except UnicodeEncodeError:
        clean = [(row[0], *(_clean(each) for each in row[1:])) for row in rows]
        return _encoder.encode_lines(clean)


def decoded(line: bytes) -> Record | None:
    """A line from its bytes, with or without the newline; None if it is damaged."""
    try:
        return _records.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def encoded_block(block: Block) -> bytes:
    """An index entry as bytes."""
    return _encoder.encode(block) + b"\n"


def decoded_blocks(data: bytes, size: int) -> list[Block]:
    """The entries of an index, as far as they follow each other and lie within ``size`` bytes.

    An index may be torn, or be ahead of its segment after a power cut: the rest is read instead.
    """
    blocks: list[Block] = []
    at = 0
    for line in data.splitlines():
        try:
            block = _blocks.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            break
        if block.start != at or not at < block.end <= size:
            break
        blocks.append(block)
        at = block.end
    return blocks


def whole_lines(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of each line that has its end; ``offset`` is that of the first byte."""
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        yield offset + at, data[at:end]
        at = end + 1


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
