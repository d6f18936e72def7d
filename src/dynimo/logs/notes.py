"""What was decided about one log group: its retention, its empty streams, what was deleted.

One small JSON file, replaced as a whole. No line of a log is here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dynimo.logs import layout
from dynimo.logs.layout import Position

STREAMS_MAX = 10_000
"""Streams that may be made by name, or deleted by name, and are remembered for it."""


class Notes(msgspec.Struct, kw_only=True):
    """What people said of a group.

    ``streams`` maps those made by name to when (epoch milliseconds); ``gone`` maps deleted ones to
    the position (as text) before which nothing of them is shown. ``retention_days`` 0 is the
    store's own.
    """

    group: str
    created_ms: int = 0
    retention_days: int = 0
    streams: dict[str, int] = {}
    gone: dict[str, str] = {}
    tags: dict[str, str] = {}

    @property
    def deleted(self) -> dict[str, Position]:
        """``gone`` with positions."""
        return {stream: layout.position(at) for stream, at in self.gone.items()}


def load(folder: Path) -> Notes | None:
    """The notes of a group; None if there are none, or they are damaged."""
    try:
        return msgspec.json.decode((folder / layout.NOTES_FILE).read_bytes(), type=Notes)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def save(folder: Path, notes: Notes) -> None:
    """Replace the notes of a group; its folder is made if it is not there.

    Raises:
        OSError: the disk refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{layout.NOTES_FILE}"
    scratch.write_bytes(msgspec.json.encode(notes))
    scratch.replace(folder / layout.NOTES_FILE)
