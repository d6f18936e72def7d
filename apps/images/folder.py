"""Originals in a folder: opened beneath its root, read whole, never half old and half new.

Links may point anywhere inside the folder, never out of it. The real path is worked out first and
then walked from the root without following links, so a link swapped in meanwhile leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import limits as limit_names
import original
import refusals

TRIES_MAX = 4
"""Times a file is read again because it changed meanwhile."""
SETTLE_SECONDS = 0.02
"""A file changed so recently may change again without its timestamp telling: its clock ticks only
every few milliseconds. So such a file is read later."""
_WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_NOT_THERE = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EISDIR})


class FolderFile:
    """An open regular file in a source folder."""

    def __init__(self, descriptor: int, limits: limit_names.Limits) -> None:
        """Take over an open descriptor."""
        self._descriptor = descriptor
        self._limits = limits
        self._found = os.fstat(descriptor)

    @property
    def revision(self) -> str:
        """The revision as of opening."""
        return _revision(self._found)

    @property
    def modified(self) -> float:
        """The modification time as of opening."""
        return self._found.st_mtime

    def read(self) -> original.Original:
        """Read the file; again when it changes meanwhile.

        Raises:
            Refusal: 422 when it is too large, 503 when it does not stop changing.
        """
        for _ in range(TRIES_MAX):
            before = os.fstat(self._descriptor)
            if _is_recent(before):
                time.sleep(SETTLE_SECONDS)
                before = os.fstat(self._descriptor)
                if _is_recent(before):
                    continue
            if before.st_size > self._limits.source_bytes:
                raise too_large(self._limits)
            data = self._contents(before.st_size)
            after = os.fstat(self._descriptor)
            if _revision(before) == _revision(after) and len(data) == after.st_size:
                return original.Original(
                    data=data, revision=_revision(after), modified=after.st_mtime
                )
        raise refusals.Refusal(503, "source_changing", "the source is being written; try again")

    def beginning(self, size: int) -> bytes:
        """Read the first ``size`` bytes."""
        return os.pread(self._descriptor, size, 0)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def _contents(self, size: int) -> bytes:
        """Read ``size`` bytes; fewer only if the file has become shorter."""
        data = os.pread(self._descriptor, size, 0)
        while len(data) < size and (piece := os.pread(self._descriptor, size, len(data))):
            data += piece
        return data


def open_file(root: str, path: str, limits: limit_names.Limits) -> FolderFile:
    """Open ``path`` (relative, already checked by `paths`) beneath the folder ``root``.

    Raises:
        Refusal: 404 when it does not exist, lies outside, or is no regular file; 503 when the
            system has no descriptors left.
    """
    try:
        real_root = os.path.realpath(root, strict=True)
        real = os.path.realpath(Path(root) / path, strict=True)
        if os.path.commonpath([real_root, real]) != real_root or real == real_root:
            raise refusals.not_found()
        descriptor = _walk(real_root, os.path.relpath(real, real_root))
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        raise refusals.not_found() from None
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise refusals.not_found() from None
        raise refusals.Refusal(503, "source_unreadable", "the source cannot be read now") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refusals.not_found()
    return FolderFile(descriptor, limits)


def too_large(limits: limit_names.Limits) -> refusals.Refusal:
    """422: the source has too many bytes."""
    return refusals.unusable(
        "source_too_large",
        f"the source is larger than {limits.source_bytes} bytes (limit source_bytes)",
    )


def _walk(root: str, relative: str) -> int:
    *folders, name = Path(relative).parts
    at = os.open(root, _WALK)
    try:
        for folder in folders:
            below = os.open(folder, _WALK, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _OPEN, dir_fd=at)
    finally:
        os.close(at)


def _is_recent(found: os.stat_result) -> bool:
    return abs(time.time() - found.st_mtime) < SETTLE_SECONDS


def _revision(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"
