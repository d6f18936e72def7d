"""The memory limit where the kernel offers no groups: look often, kill above the limit.

Counts resident pages of the environment's process and of everything below it; what daemonises is
below it too, because an environment adopts its orphans. Pages that processes share are counted for
each, so a fork looks dearer than it is. Between two looks it can take more. A zygote is watched
too, its environments apart.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Protocol, TypeAlias

EVERY_SECONDS = 0.05
PROCESSES_MAX = 2_000
"""Looked at for one environment; more of them are a fork bomb, which other limits end."""

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


Resident: TypeAlias = Callable[[int, Collection[int]], int]
Apart: TypeAlias = Callable[[], Collection[int]]


class Watched(Protocol):
    """What the watchdog may kill."""

    @property
    def pid(self) -> int:
        """Host pid, 0 while there is none."""

    def kill_for_memory(self) -> None:
        """End it."""


class Watchdog:
    """Polls while there is anything to watch."""

    def __init__(self, resident_bytes: Resident | None = None) -> None:
        self._resident_bytes = resident_bytes or resident
        self._limits: dict[Watched, tuple[int, Apart]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, environment: Watched, limit_bytes: int, *, apart: Apart = set) -> None:
        """Kill ``environment`` when it is above ``limit_bytes``, those ``apart`` not counted."""
        self._limits[environment] = limit_bytes, apart
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self.look)

    def forget(self, environment: Watched) -> None:
        """It is gone."""
        self._limits.pop(environment, None)
        if not self._limits:
            self.close()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Look at each once, and again later while any is left."""
        for environment, (limit, apart) in list(self._limits.items()):
            if environment.pid and self._resident_bytes(environment.pid, apart()) > limit:
                environment.kill_for_memory()
        self._timer = None
        if self._limits:
            self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self.look)


def resident(pid: int, apart: Collection[int] = ()) -> int:
    """Resident bytes of ``pid`` and all below it but those ``apart``; 0 when it is gone."""
    total, seen, look = 0, 0, [pid]
    while look and seen < PROCESSES_MAX:
        current = look.pop()
        seen += 1
        total += _own(current)
        look += [child for child in _children(current) if child not in apart]
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - often
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    except (OSError, ValueError):
        return found
    return found


def _own(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - often
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0
