"""One file of nginx's cache: what its head says, and how it is made stale. Blocking.

The form is nginx's ``ngx_http_file_cache_header_t`` (src/http/ngx_http_cache.h), version 5 as its
64-bit builds write it; then the key, then the answer's head as the upstream sent it. A file of any
other form is ``None``: nobody knows what it holds.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from dynimo.edge.stored import TAG_HEADERS, merged_tags
from dynimo.nginx.configuring import SEPARATOR

VERSION = 5
HEAD_BYTES = 4096
"""What is read at first: nearly always all of it."""
HEAD_BYTES_MAX = 64 * 1024
"""Offsets in it have 16 bits."""

_HEAD = struct.Struct("@QqqqqqIHHHB128sB128s16s0Q")
_FRESH_UNTIL = struct.Struct("@q")
_FRESH_UNTIL_OFFSET = 8
_KEY = b"\nKEY: "
_KEY_FIELDS = 4
"""Fields of our keys before host and target."""


@dataclass(frozen=True, slots=True)
class Cached:
    """What a file holds. ``key`` is host and target, ``arrived`` when its answer's head came."""

    key: str
    generation: int
    tags: tuple[str, ...]
    arrived: int


def read(path: str) -> Cached | None:
    """Read a file's head.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, HEAD_BYTES, 0)
        if len(head) == HEAD_BYTES and parsed(head) is None:
            head = os.pread(descriptor, HEAD_BYTES_MAX, 0)
    finally:
        os.close(descriptor)
    return parsed(head)


def parsed(head: bytes) -> Cached | None:
    """Understand a file's first bytes."""
    if len(head) < _HEAD.size:
        return None
    version, _, _, _, _, arrived, _, _, begin, end, *_ = _HEAD.unpack_from(head)
    if version != VERSION or not head.startswith(_KEY, _HEAD.size) or not begin < end <= len(head):
        return None
    key = head[_HEAD.size + len(_KEY) : begin - 1].decode("latin-1")
    generation, *fields = key.split(SEPARATOR, _KEY_FIELDS)
    if len(fields) != _KEY_FIELDS or not generation.isdigit():
        return None
    tags: tuple[str, ...] = ()
    for line in head[begin:end].decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() in TAG_HEADERS:
            tags = merged_tags(tags, name.lower(), value)
    return Cached(fields[-1], int(generation), tags, arrived)


def make_stale(path: Path, at: float) -> bool:
    """Let what a file holds be stale since ``at``; nginx reads that anew each time. Say if it did.

    A file that is replaced meanwhile is newer, and stays. One that nobody understands is deleted.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            head = file.read(_HEAD.size) or b""
            if len(head) < _HEAD.size or _HEAD.unpack(head)[0] != VERSION:
                path.unlink()
                return True
            (until,) = _FRESH_UNTIL.unpack_from(head, _FRESH_UNTIL_OFFSET)
            if until < at:
                return False
            os.pwrite(file.fileno(), _FRESH_UNTIL.pack(int(at) - 1), _FRESH_UNTIL_OFFSET)
            return True
    except FileNotFoundError:
        return False


def delete(path: Path) -> None:
    """Delete a file, which may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
