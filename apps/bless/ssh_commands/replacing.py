"""Writes a file whole or not at all: a new one beside it, on the disk, then renamed over it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SECRET, PUBLIC = 0o600, 0o644


def replace(path: Path, data: bytes, mode: int) -> None:
    """Put ``data`` in the place of ``path``. After a crash the old or the new one is there.

    A link is followed, so that it stays one. Raises OSError; then the old one is as it was.
    """
    path = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # it names the new file, of which nobody has heard
        raise OSError(error.errno, error.strerror, str(path.parent)) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
