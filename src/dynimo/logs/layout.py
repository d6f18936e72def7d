"""Where lines lie on the disk, and the names of places among them. Pure: no file is touched.

``logs/ACCOUNT/GROUP/NUMBER.jsonl`` holds lines in the order in which they came; beside it lies
``NUMBER.index``, one entry for each block of about ``BLOCK_BYTES``; ``group.json`` holds what was
decided about the group. A slash in a group's name is a plus in its folder's.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from dynimo.model.names import ACCOUNT_DEFAULT

FOLDER = "logs"
NOTES_FILE = "group.json"
SEGMENT_SUFFIX, INDEX_SUFFIX = ".jsonl", ".index"
GROUP_NAME_MAX = 512
FOLDER_NAME_MAX = 200
BLOCK_BYTES = 64 * 1024

_DOTS = re.compile(r"\.+")
_SEGMENT = re.compile(r"(\d{8,})\.jsonl")


class Position(NamedTuple):
    """A place in a group: a segment's number and a byte in it. Later is greater."""

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}.{self.offset}"


START = Position(0, 0)


def position(text: str) -> Position:
    """What ``str`` of a position said.

    Raises:
        ValueError: it is none.
    """
    segment, _, offset = text.partition(".")
    if not (segment.isascii() and segment.isdigit() and offset.isascii() and offset.isdigit()):
        raise ValueError(f"no position: {text!r}")
    return Position(int(segment[:18]), int(offset[:18]))


def event_id(when_ms: int, at: Position) -> str:
    """A name for one event, 56 digits like the service's; later events have greater ones."""
    return f"{max(0, when_ms):020d}{at.segment:018d}{at.offset:018d}"


def group_folder(root: Path, account: str, group: str) -> Path:
    """The folder of a group; every name has one of its own, and none leads out of ``root``."""
    return root / quote(account or ACCOUNT_DEFAULT, safe="") / folder_name(group)


def folder_name(group: str) -> str:
    """A file name for a group's name. Names too long for one keep their beginning and a hash."""
    name = quote(group, safe="/#", errors="replace").replace("/", "+")
    if _DOTS.fullmatch(name) or not name:
        name = f"={name}"
    if len(name) > FOLDER_NAME_MAX:
        told = hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        name = f"{name[:150]}~{told}"
    return name


def group_name(folder: str) -> str:
    """The group's name from its folder's; empty if only ``group.json`` has it."""
    if len(folder) == 150 + 1 + 32 and folder[150] == "~":
        return ""
    return unquote(folder.removeprefix("=").replace("+", "/"))


def segment_file(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:08d}{SEGMENT_SUFFIX}"


def index_file(folder: Path, number: int) -> Path:
    """The index of a segment."""
    return folder / f"{number:08d}{INDEX_SUFFIX}"


def segment_number(name: str) -> int | None:
    """The number of a segment from its file's name; None for other files."""
    found = _SEGMENT.fullmatch(name)
    return int(found[1]) if found else None
