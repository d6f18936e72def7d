"""The file that remembers purges, so that none is undone by a crash. Blocking; one thread's.

One line for each purge, forced to disk before the purge is answered; one that says up to which
number they are done. A last line without an end was never answered, and does not count. Any other
line that cannot be read might have been a purge: then everything counts as purged.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
from pathlib import Path

from dynimo.edge.purge import EVERYTHING, Purge, Selector
from dynimo.edge.purges import NUMBERS_PER_SECOND

REWRITE_BYTES = 1 << 20
"""A file that has grown by this much is written anew, with what still matters."""


class Journal:
    """Remembers purges until they are done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._length = self._grown = 0
        self._kept: list[Purge] = []
        self._done = 0

    def open(self) -> tuple[int, int, list[Purge]]:
        """Return the number to go on from, that up to which all are done, and those kept.

        Raises:
            OSError: the file cannot be used.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            text = b""
        try:
            last, self._done, kept = _read(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            last, kept = _highest(text), None
        number = max(int(time.time()) * NUMBERS_PER_SECOND, last + NUMBERS_PER_SECOND)
        if kept is None:
            kept = [Purge(number=number, at=time.time(), selector=EVERYTHING)]
        self._kept = kept
        self._rewrite(number)
        return number, self._done, list(kept)

    def append(self, purges: list[Purge], done: int = 0, *, durable: bool = True) -> None:
        """Remember purges, and that those up to ``done`` are; ``durable`` outlives a power cut.

        Raises:
            OSError: the disk failed.
        """
        self._done = max(self._done, done)
        self._kept = _still([*self._kept, *purges], self._done)
        lines = b"".join(_line(purge) for purge in purges)
        if done:
            lines += json.dumps({"done": done}).encode() + b"\n"
        try:
            if os.write(self._file, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        except OSError:
            with contextlib.suppress(OSError):  # or half a line would make the next one unreadable
                os.ftruncate(self._file, self._length)
            raise
        self._length += len(lines)
        self._grown += len(lines)
        if durable:
            os.fdatasync(self._file)
        if self._grown > REWRITE_BYTES:
            self._rewrite(max([self._done, *(purge.number for purge in self._kept)]))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _rewrite(self, number: int) -> None:
        aside = self._path.with_name(self._path.name + ".new")
        with aside.open("wb") as file:
            file.write(json.dumps({"number": number, "done": self._done}).encode() + b"\n")
            file.writelines(_line(purge) for purge in self._kept)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._path)
        self.close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._length, self._grown = self._path.stat().st_size, 0


def _line(purge: Purge) -> bytes:
    chosen = purge.selector
    kind = "tag" if chosen.tag else "prefix" if chosen.prefix else "url"
    value = {"purge": purge.number, "at": purge.at, kind: chosen.text, "soft": chosen.soft}
    return json.dumps(value).encode() + b"\n"


def _read(text: bytes) -> tuple[int, int, list[Purge]]:
    """Return the highest number, that up to which purges are done, and those to keep."""
    last = done = 0
    found: list[Purge] = []
    for line in text.split(b"\n")[:-1]:
        told = json.loads(line)
        if "purge" in told:
            found.append(_purge(told))
            last = max(last, found[-1].number)
        else:
            done = max(done, int(told.get("done", 0)))
            last = max(last, done, int(told.get("number", 0)))
    return last, done, _still(found, done)


def _highest(text: bytes) -> int:
    """Return the highest number in a file that cannot be read, or one above all that it can be."""
    return max([0, *(int(digits) for digits in re.findall(rb"\d{16,18}", text))])


def _purge(told: dict[str, object]) -> Purge:
    (kind,) = {"url", "prefix", "tag"} & told.keys()
    chosen = Selector(
        text=str(told[kind]), prefix=kind == "prefix", tag=kind == "tag", soft=told["soft"] is True
    )
    number, at = told["purge"], told["at"]
    if not isinstance(number, int) or not isinstance(at, int | float):
        raise TypeError
    return Purge(number=number, at=float(at), selector=chosen)


def _still(purges: list[Purge], done: int) -> list[Purge]:
    """Return those that are not done, and the last two of everything, hard and soft."""
    kept = {purge.number: purge for purge in purges if purge.number > done}
    for soft in (False, True):
        whole = [p for p in purges if p.selector.everything and p.selector.soft is soft]
        kept |= {purge.number: purge for purge in whole[-1:]}
    return [kept[number] for number in sorted(kept)]
