"""Processor time by shares: a control group for each version, all of the same weight.

A zygote joins its version's group before it imports a line, and what it forks is born there; so it
costs an environment nothing. A version with a thousand busy environments then gets as much of the
cores as one with a single one, and the platform itself (``cgroup_own``) keeps its part beside all
of them. Only in version 1, where a process may be in another group for each controller. Source: the
kernel's scheduler/sched-design-CFS and cgroup-v1 documents.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from dynimo.backends.sandboxes import cgroup_own, cgroup_places, cgroup_slots

MEASURE = "processor shares"
PREFIX = "dynimo-"
WEIGHT = 1024
"""Of one version; the kernel's own default for any group or process."""

_log = logging.getLogger("dynimo.sandbox")


@dataclass(slots=True, eq=False)
class Share:
    """One version's group; ``join`` is a descriptor: who writes ``0`` to it moves in."""

    folder: Path
    join: int


class Shares:
    """The groups of this platform's versions."""

    def __init__(self, parent: Path | None, found: str, own: Path | None = None) -> None:
        self.found = found
        """``on``, or why not."""
        self._parent = parent
        self._own = own
        self._count = 0
        self._leaving: list[Path] = []

    @classmethod
    def open(cls, *, without: frozenset[str] = frozenset(), root: Path = Path("/")) -> Shares:
        """Find the controller, clear what dead platforms left, make the parent. Never raises."""
        if MEASURE in without:
            return cls(None, "turned off in the configuration")
        if os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}:
            return cls(None, "not under a real-time policy")
        mounts = cgroup_slots.read(root / "proc/self/mountinfo")
        membership = cgroup_slots.read(root / "proc/self/cgroup")
        place = cgroup_places.legacy(mounts, membership, "cpu")
        if place is None:
            return cls(None, "no cpu controller of cgroup version 1 here")
        folder = root / place.lstrip("/")
        _clear_stale(folder)
        parent = folder / f"{PREFIX}{os.getpid()}"
        try:
            parent.mkdir(exist_ok=True)
            # All versions together weigh as much as one busy process on each core.
            (parent / "cpu.shares").write_text(str(WEIGHT * (os.cpu_count() or 1)))
        except OSError as error:
            return cls(None, f"{folder}: {error.strerror}")
        return cls(parent, "on", cgroup_own.enter(folder))

    def make(self) -> Share | None:
        """A group for one version; None where there are none, or the kernel refuses one."""
        self._tidy()
        if self._parent is None:
            return None
        self._count += 1
        folder = self._parent / str(self._count)
        try:
            folder.mkdir()
            (folder / "cpu.shares").write_text(str(WEIGHT))
            return Share(folder, os.open(folder / "tasks", os.O_WRONLY | os.O_CLOEXEC))
        except OSError as error:
            _log.warning("no processor share for a version: %s: %s", folder, error.strerror)
            return None

    def give_back(self, share: Share) -> None:
        """Its processes are gone or going; the group goes when it is empty."""
        os.close(share.join)
        self._leaving.append(share.folder)
        self._tidy()

    def close(self) -> None:
        """Remove all that is empty. May wait; not for the loop."""
        for folder in [*self._leaving, *([self._parent] if self._parent is not None else [])]:
            cgroup_slots.remove(folder)
        self._leaving.clear()
        if self._own is not None:
            cgroup_own.leave(self._own)
        self._parent = self._own = None

    def _tidy(self) -> None:
        left = []
        for folder in self._leaving:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(folder)  # its last process is still being buried
        self._leaving = left


def _clear_stale(folder: Path) -> None:
    """Remove the groups of platforms that are no more."""
    for left in folder.glob(f"{PREFIX}[0-9]*"):
        if Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists():
            continue
        for group in left.iterdir():
            if group.is_dir():
                cgroup_slots.kill_listed(group)
                cgroup_slots.remove(group)
        cgroup_slots.remove(left)
