"""The writing end of one segment: lines are appended, and an index entry for each full block.

Used by one thread. A torn line that a crash left at the end is cut when the segment is opened.
Which segment is written, and for how long, is the store's decision.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dynimo.logs import layout, records
from dynimo.logs.records import Block, Row

ROWS_AT_ONCE = 256
"""Rows that are encoded in one go: so that the interpreter is not held for long."""


class Segment:
    """One segment that may still grow.

    ``size`` is its bytes with its index; ``first_ms`` is the time of its first line (0 if empty),
    ``last_ms`` the latest time in it.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.first_ms = 0
        self.last_ms = 0
        self._path = layout.segment_file(folder, number)
        self._index = layout.index_file(folder, number)
        self._file: int | None = None
        self._indexed = 0
        self._block = Block(0, 0, 0, 0, {})
        self._open()

    @property
    def size(self) -> int:
        """Bytes of lines and index."""
        return self._block.end + self._indexed

    @property
    def end(self) -> layout.Position:
        """Where the next line will be."""
        return layout.Position(self.number, self._block.end)

    @property
    def resting(self) -> bool:
        """Whether its file is closed, until the next line."""
        return self._file is None

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows, in order of time, at the end.

        Raises:
            OSError: the disk refused; the rows that were not written leave no trace.
        """
        for at in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[at : at + ROWS_AT_ONCE]
            self._write(records.encoded(some))
            self._block.add_all(some)
            self.first_ms = self.first_ms or some[0][0]
            self.last_ms = max(self.last_ms, some[-1][0])
            if self._block.end - self._block.start >= layout.BLOCK_BYTES:
                self._close_block()

    def rest(self) -> None:
        """Close the file; the next append opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def finish(self) -> None:
        """Write the index to its end: nothing more will be appended."""
        if self._block.end > self._block.start:
            self._close_block()
        self.rest()

    def _open(self) -> None:
        """Learn what is there; cut what is torn."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        size = os.fstat(self._file).st_size
        try:
            told = self._index.read_bytes()
        except FileNotFoundError:
            told = b""
        blocks = records.decoded_blocks(told, size)
        self._rewrite_index(blocks, told)
        if blocks:
            self.first_ms = blocks[0].first_ms
            self.last_ms = max(each.last_ms for each in blocks)
        start = blocks[-1].end if blocks else 0
        self._block = Block(start, start, 0, 0, {})
        self._learn(start, size)

    def _rewrite_index(self, blocks: Sequence[Block], told: bytes) -> None:
        """Leave only the entries that hold."""
        held = b"".join(map(records.encoded_block, blocks))
        if held != told:
            self._index.write_bytes(held)
        self._indexed = len(held)

    def _learn(self, start: int, size: int) -> None:
        """Read what the index does not know yet, and cut after its last whole line."""
        assert self._file is not None
        rest, at = b"", start
        while at < size:
            data = os.pread(self._file, layout.BLOCK_BYTES, at)
            if not data:
                break
            at += len(data)
            rest += data
            for offset, line in records.whole_lines(rest, self._block.end):
                record = records.decoded(line)
                if record is not None:
                    self._note(record.when_ms, record.stream)
                self._block.end = offset + len(line) + 1
            rest = rest[len(rest) - (at - self._block.end) :]
            if self._block.end - self._block.start >= layout.BLOCK_BYTES:
                self._close_block()
        if self._block.end < size:
            os.ftruncate(self._file, self._block.end)

    def _note(self, when_ms: int, stream: str) -> None:
        self._block.add(when_ms, stream)
        self.first_ms = self.first_ms or when_ms
        self.last_ms = max(self.last_ms, when_ms)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._block.end)
            raise
        self._block.end += len(data)

    def _close_block(self) -> None:
        """Write the entry of the block that is full, and begin the next."""
        if not self._block.known:  # nothing but damaged lines: an entry must say a stream
            self._block.add(0, "")
        entry = records.encoded_block(self._block)
        try:
            with self._index.open("ab") as file:
                file.write(entry)
        except OSError:
            return  # the block stays open, and is tried again with the next lines
        self._indexed += len(entry)
        self._block = Block(self._block.end, self._block.end, 0, 0, {})
