"""The generation of nginx's keys: all stored before it is as if it were not. Blocking.

It is a number that rises with time, so that one which is lost is followed by a higher one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FILE = "generation"


def current(folder: Path) -> int:
    """Return the generation that is kept in a folder; a new one where none is.

    Raises:
        OSError: it cannot be read or written.
    """
    try:
        return int((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return begin(folder)


def begin(folder: Path) -> int:
    """Begin the next, and remember it on the disk, so that no crash brings back what was before.

    Raises:
        OSError: it cannot be written.
    """
    try:
        before = int((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        before = 0
    number = max(before + 1, int(time.time()))
    aside = folder / f"{FILE}.new"
    with aside.open("w") as file:
        file.write(str(number))
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / FILE)
    return number
