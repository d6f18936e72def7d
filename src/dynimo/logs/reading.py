"""Finding lines again: forwards or backwards from a position, by time, stream and content.

Reads files only, so that another process may read what a server writes. Blocks that the index rules
out are not read; everything else counts against a budget of bytes, so that no question costs more
than a caller meant.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from dynimo.logs import layout, records
from dynimo.logs.layout import Position
from dynimo.logs.records import Block, Record

FOREVER_MS = 1 << 62
UNLIMITED = 1 << 62


class Found(NamedTuple):
    """A line, and the positions before and after it."""

    record: Record
    at: Position
    after: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines. Times are epoch milliseconds, the last one not included.

    ``stream`` says which streams; ``needle`` are bytes that a line has, as it was kept; ``gone``
    maps streams that were deleted to the position where the deletion was.
    """

    since_ms: int = 0
    until_ms: int = FOREVER_MS
    stream: Callable[[str], bool] | None = None
    needle: bytes = b""
    gone: Mapping[str, Position] = field(default_factory=dict)

    def block(self, block: Block) -> bool:
        """Whether such a line may be in a block."""
        if not block.known:
            return True
        if block.last_ms < self.since_ms or block.first_ms >= self.until_ms:
            return False
        return self.stream is None or any(map(self.stream, block.streams))

    def record(self, record: Record, at: Position) -> bool:
        """Whether it is such a line."""
        if not self.since_ms <= record.when_ms < self.until_ms:
            return False
        if self.stream is not None and not self.stream(record.stream):
            return False
        return at >= self.gone.get(record.stream, layout.START)


class Scan:
    """One walk through a group. Iterate it; ``position`` is where to go on from at any time.

    ``exhausted`` says that the budget ended the walk, not the log.
    """

    def __init__(
        self,
        folder: Path,
        wanted: Wanted,
        *,
        start: Position | None = None,
        backwards: bool = False,
        bytes_max: int = UNLIMITED,
    ) -> None:
        self.exhausted = False
        self._folder = folder
        self._wanted = wanted
        self._backwards = backwards
        self._left = bytes_max
        if start is None:
            start = end_of(folder) if backwards else layout.START
        self.position = start

    def __iter__(self) -> Iterator[Found]:
        return self._back() if self._backwards else self._forth()

    def _forth(self) -> Iterator[Found]:
        for number in segments(self._folder):
            if number < self.position.segment:
                continue
            with _Reader(self._folder, number) as reader:
                for block in reader.blocks():
                    start = max(Position(number, block.start), self.position)
                    if start.offset >= block.end and start.segment == number:
                        continue
                    if not self._spend(block):
                        return
                    yield from self._found(reader, block, start)
                    self.position = max(self.position, Position(number, block.end))

    def _found(self, reader: _Reader, block: Block, start: Position) -> Iterator[Found]:
        for found in reader.records(block, self._wanted.needle) if self._may(block) else ():
            if found.at < start:
                continue
            self.position = found.after
            if self._wanted.record(found.record, found.at):
                yield found

    def _back(self) -> Iterator[Found]:
        for number in reversed(segments(self._folder)):
            if number > self.position.segment:
                continue
            with _Reader(self._folder, number) as reader:
                for block in reversed(list(reader.blocks())):
                    if Position(number, block.start) >= self.position:
                        continue
                    if not self._spend(block):
                        return
                    if self._may(block):
                        for found in reversed(list(reader.records(block, self._wanted.needle))):
                            if found.at >= self.position:
                                continue
                            self.position = found.at
                            if self._wanted.record(found.record, found.at):
                                yield found
                    self.position = min(self.position, Position(number, block.start))

    def _may(self, block: Block) -> bool:
        return self._wanted.block(block)

    def _spend(self, block: Block) -> bool:
        """Pay for a block; False when there is not enough left."""
        if not self._may(block):
            return True
        if self._left <= 0:
            self.exhausted = True
            return False
        self._left -= block.end - block.start
        time.sleep(0)  # let the event loop's thread have the interpreter between blocks
        return True


class _Reader:
    """One segment, open for reading; one that is gone meanwhile is empty."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            path = layout.segment_file(self._folder, self._number)
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._file = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def blocks(self) -> Iterator[Block]:
        """What the index tells, then blocks of the rest that it does not know yet."""
        if self._file is None:
            return
        size = os.fstat(self._file).st_size
        try:
            told = layout.index_file(self._folder, self._number).read_bytes()
        except FileNotFoundError:
            told = b""
        at = 0
        for block in records.decoded_blocks(told, size):
            yield block
            at = block.end
        while at < size:
            data = os.pread(self._file, min(layout.BLOCK_BYTES, size - at), at)
            whole = data.rfind(b"\n") + 1
            while not whole and at + len(data) < size:  # one line longer than a block
                more = os.pread(self._file, layout.BLOCK_BYTES, at + len(data))
                if not more:
                    return
                data += more
                whole = data.rfind(b"\n") + 1
            if not whole:
                return  # torn, or still being written
            yield Block(at, at + whole, 0, 0, {})
            at += whole

    def records(self, block: Block, needle: bytes = b"") -> Iterator[Found]:
        """Yield the lines of a block that have ``needle``; damaged ones are passed over."""
        if self._file is None:
            return
        data = os.pread(self._file, block.end - block.start, block.start)
        if needle and needle not in data:
            return
        for offset, line in records.whole_lines(data, block.start):
            if needle and needle not in line:
                continue
            record = records.decoded(line)
            if record is not None:
                after = Position(self._number, offset + len(line) + 1)
                yield Found(record, Position(self._number, offset), after)


@dataclass(slots=True)
class Stream:
    """What a group knows of one stream; 0 for times of one without lines."""

    name: str
    created_ms: int = 0
    first_ms: int = 0
    last_ms: int = 0
    lines: int = 0


def streams(folder: Path, gone: Mapping[str, Position]) -> dict[str, Stream]:
    """Every stream with lines that were not deleted, by name."""
    known: dict[str, Stream] = {}
    for number in segments(folder):
        with _Reader(folder, number) as reader:
            for block in reader.blocks():
                for name, (count, first, last) in _streams_of(reader, block, gone).items():
                    stream = known.setdefault(name, Stream(name, first, first, last))
                    stream.first_ms = min(stream.first_ms, first)
                    stream.created_ms = stream.first_ms
                    stream.last_ms = max(stream.last_ms, last)
                    stream.lines += count
        time.sleep(0)
    return known


def _streams_of(
    reader: _Reader, block: Block, gone: Mapping[str, Position]
) -> Mapping[str, tuple[int, int, int]]:
    """The streams of a block; it is read if the index does not know it, or lines of it went."""
    if block.known and not any(name in gone for name in block.streams):
        return block.streams
    learned = Block(block.start, block.end, 0, 0, {})
    for found in reader.records(block):
        if found.at >= gone.get(found.record.stream, layout.START):
            learned.add(found.record.when_ms, found.record.stream)
    return learned.streams


def segments(folder: Path) -> list[int]:
    """The numbers of a group's segments, oldest first."""
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(number for each in names if (number := layout.segment_number(each)) is not None)


def end_of(folder: Path) -> Position:
    """The position after the last line there is now."""
    for number in reversed(segments(folder)):
        try:
            return Position(number, layout.segment_file(folder, number).stat().st_size)
        except FileNotFoundError:
            continue
    return layout.START
