"""The journal of usage: one line for each thing that happened, in numbered files.

Appending is a copy into a mapped page of the file, which is the kernel's, so what was appended
survives the end of the process; a system call for each line would cost ten times as much. The disk
space is taken before it is mapped, so a full disk is an error and never a signal. A line counts
when its newline is there, which is written last: what a kill tore, and the zeros after it, are cut
when the journal is opened.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

READ_BYTES = 1024 * 1024
WINDOW_BYTES = 256 * 1024
"""How much of the file is mapped, and taken from the disk, at once."""

_NEWLINE = ord("\n")
_NAME = re.compile(r"journal-(\d{8,})\.jsonl")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Any])


class Journal:
    """The end of the journal that is written. One user at a time."""

    def __init__(self, folder: Path, bytes_max: int, folded: tuple[int, int]) -> None:
        """Open the last file, or begin a new one.

        ``folded`` is the (file, offset) up to which everything was counted; a file that is shorter
        than that, after a power cut, is not written on.

        Raises:
            OSError: the folder cannot be used.
        """
        self._folder = folder
        self._bytes_max = bytes_max
        self.number = max([folded[0], *files(folder)])
        self.size = 0
        self._file = -1
        self._window = mmap.mmap(-1, 1)
        self._from = self._to = 0
        self._open()
        if self.number == folded[0] and self.size < folded[1]:
            self._next()

    def append(self, entry: tuple[Any, ...]) -> None:
        """Add one entry.

        Raises:
            OSError: the disk refused; nothing was added.
        """
        data = _encoder.encode(entry)
        end = self.size + len(data)
        if end >= self._to:
            self._reach(end + 1)
        self._window[self.size - self._from : end - self._from] = data
        self._window[end - self._from] = _NEWLINE
        self.size = end + 1
        if self.size >= self._bytes_max:
            self._next()

    def close(self) -> None:
        """Close the file."""
        self._window.close()
        os.ftruncate(self._file, self.size)
        os.close(self._file)

    def _reach(self, end: int) -> None:
        """Map the file from where it ends now to beyond ``end``."""
        start = self.size - self.size % mmap.ALLOCATIONGRANULARITY
        length = max(WINDOW_BYTES, end - start)
        os.posix_fallocate(self._file, start, length)
        window = mmap.mmap(self._file, length, offset=start)
        self._window.close()
        self._window, self._from, self._to = window, start, start + length

    def _next(self) -> None:
        before, size = self._file, self.size
        self.number += 1
        try:
            self._open()
        except OSError:
            self.number -= 1  # the file before serves on
            return
        os.ftruncate(before, size)
        os.close(before)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        file = os.open(path(self._folder, self.number), flags, 0o640)
        size = os.fstat(file).st_size
        whole = _whole(file, size)
        if whole < size:
            os.ftruncate(file, whole)
        self._file, self.size, self._from, self._to = file, whole, 0, 0


def files(folder: Path) -> list[int]:
    """The numbers of the files there are, oldest first."""
    found = (_NAME.fullmatch(each.name) for each in folder.iterdir())
    return sorted(int(each[1]) for each in found if each is not None)


def path(folder: Path, number: int) -> Path:
    """Where a file is."""
    return folder / f"journal-{number:08d}.jsonl"


def entries(folder: Path, number: int, start: int, end: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield (offset after it, entry) of the whole lines between two offsets of a file.

    Lines that the disk damaged are passed over.

    Raises:
        FileNotFoundError: the file is gone.
    """
    with path(folder, number).open("rb") as file:
        file.seek(start)
        while start < end:
            data = file.read(min(READ_BYTES, end - start))
            whole = data.rfind(b"\n") + 1
            if not whole:
                return
            for line in data[:whole].splitlines(keepends=True):
                start += len(line)
                try:
                    yield start, _decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
            file.seek(start)


def _whole(file: int, size: int) -> int:
    """The offset after the last newline."""
    end = size
    while end > 0:
        start = max(0, end - 4096)
        at = os.pread(file, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
