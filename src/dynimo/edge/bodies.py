"""Bodies as files named by their hash, in two levels of folders. Blocking; called from threads.

A file is written aside and renamed into place, so its name is there whole or not at all; what a
power cut could still tear is found by length and hash when it is read.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from pathlib import Path

ORPHAN_SECONDS_MIN = 300.0
"""A file without a row is removed only when older than this."""

_HASH_BYTES = 20


def name_of(body: bytes) -> str:
    """Return the name under which a body is stored."""
    return hashlib.blake2b(body, digest_size=_HASH_BYTES).hexdigest()


class Bodies:
    """The folder of bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder / "aside"
        self._numbers = itertools.count()

    def open(self) -> None:
        """Make the folder, and clear what an earlier life left half-written.

        Raises:
            OSError: the folder cannot be used.
        """
        self._aside.mkdir(parents=True, exist_ok=True)
        for left in self._aside.iterdir():
            left.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return where a body is."""
        return self._folder / name[:2] / name[2:4] / name

    def write(self, name: str, body: bytes) -> None:
        """Store a body under its name, unless it is there already.

        Raises:
            OSError: the disk is full, or worse; nothing is left behind under ``name``.
        """
        path = self.path(name)
        if _length(path) == len(body):
            return
        aside = self._aside / f"{os.getpid()}-{next(self._numbers)}"
        try:
            aside.write_bytes(body)
            try:
                aside.rename(path)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                aside.rename(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def read(self, name: str, length: int) -> bytes | None:
        """Return a body, or None when it is gone or is not what was stored."""
        try:
            with self.path(name).open("rb") as file:
                body = file.read(length + 1)
        except OSError:
            return None
        return body if len(body) == length and name_of(body) == name else None

    def remove(self, name: str) -> None:
        """Drop a body."""
        self.path(name).unlink(missing_ok=True)

    def old_names(self, first: int) -> list[str]:
        """Return the names in one of the 256 first-level folders that are not brand new."""
        horizon = time.time() - ORPHAN_SECONDS_MIN
        found = []
        for path in (self._folder / f"{first:02x}").glob("*/*"):
            try:
                if path.stat().st_mtime < horizon:
                    found.append(path.name)
            except FileNotFoundError:
                continue
        return found


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
