"""Has a file or a folder changed? Looks at times and sizes; reads and deploys nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TypeAlias

from dynimo.deploying.packing import FILES_MAX, SKIPPED_AT_TOP, SKIPPED_NAMES

State: TypeAlias = frozenset[tuple[str, int, int]]
"""(name, mtime in ns, size) of every file."""


def state(source: Path) -> State:
    """How it stands now; empty while there is nothing. At most ``FILES_MAX`` files are looked at.

    What is never deployed (``packing.SKIPPED_NAMES``, byte code) does not count.
    """
    found: set[tuple[str, int, int]] = set()
    if not source.is_dir():
        _look(source.parent, source.name, found)
        return frozenset(found)
    for root, folders, names in os.walk(source):
        skipped = SKIPPED_NAMES | (SKIPPED_AT_TOP if Path(root) == source else frozenset())
        folders[:] = [name for name in folders if name not in skipped]
        for name in names:
            if not name.endswith(".pyc"):
                _look(Path(root), name, found)
            if len(found) >= FILES_MAX:
                return frozenset(found)
    return frozenset(found)


def _look(folder: Path, name: str, found: set[tuple[str, int, int]]) -> None:
    with contextlib.suppress(OSError):  # it went while we looked; the next look will tell
        status = (folder / name).stat()
        found.add((str(folder / name), status.st_mtime_ns, status.st_size))
