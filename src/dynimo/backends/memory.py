"""The machine's memory, as the kernel tells of it (proc(5), /proc/meminfo)."""

from __future__ import annotations

import os

_PATH = "/proc/meminfo"
_ENOUGH_MIB = 1 << 30


def available_mib() -> int:
    """What programs could still take without swapping; more than enough where nobody says it."""
    return _read(b"MemAvailable:")


def total_mib() -> int:
    """All there is; more than enough where nobody says it."""
    return _read(b"MemTotal:")


def _read(name: bytes) -> int:
    try:
        file = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _ENOUGH_MIB
    try:
        text = os.read(file, 4096)
    finally:
        os.close(file)
    _, found, rest = text.partition(name)
    return int(rest.split(None, 1)[0]) // 1024 if found else _ENOUGH_MIB
