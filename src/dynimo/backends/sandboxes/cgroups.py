"""Control groups, versions 1 and 2: the memory and process limits that the kernel enforces.

Here live finding the hierarchies, the platform's own parent group (``dynimo-PID``), and the slots
under it that environments join. A slot is made once and used again, because making one costs more
than a fork. Source: cgroups(7), the kernel's cgroup-v1/memory and cgroup-v2 documents.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from dynimo.backends.sandboxes import cgroup_places, cgroup_slots
from dynimo.backends.sandboxes.cgroup_slots import Slot

PREFIX = "dynimo-"
MEMORY_MEASURE, PIDS_MEASURE = "cgroup memory limit", "cgroup process limit"


class Groups:
    """The platform's parent groups, and the slots that are free."""

    def __init__(self, parents: Mapping[str, Path], version: int, found: Mapping[str, str]) -> None:
        self._parents = parents
        self._version = version
        self._found = found
        self._free: list[Slot] = []
        self._draining: list[Slot] = []
        self._all: list[Slot] = []
        self._count = 0

    @classmethod
    def open(cls, *, without: frozenset[str] = frozenset(), root: Path = Path("/")) -> Groups:
        """Find what this process may use, clear what dead platforms left, make the parents.

        Never raises: what cannot be had is told by ``describe``. ``root`` is where proc and sys
        are.
        """
        mounts = cgroup_slots.read(root / "proc/self/mountinfo")
        membership = cgroup_slots.read(root / "proc/self/cgroup")
        version, places = cgroup_places.find(mounts, membership)
        parents: dict[str, Path] = {}
        found: dict[str, str] = {}
        for controller, measure in (("memory", MEMORY_MEASURE), ("pids", PIDS_MEASURE)):
            place = places.get(controller)
            if measure in without:
                found[measure] = "turned off in the configuration"
                continue
            if place is None:
                found[measure] = "no such cgroup controller here"
                continue
            folder = root / place.lstrip("/")
            _clear_stale(folder)
            try:
                parents[controller] = _parent(folder, controller, version)
                found[measure] = "on"
            except OSError as error:
                found[measure] = f"{folder}: {error.strerror}"
        return cls(parents, version, found)

    def describe(self) -> Mapping[str, str]:
        """Measure → ``on`` or the reason."""
        return self._found

    def withdraw(self, reason: str) -> None:
        """Use no groups after all, because a process could not join one."""
        self.close()
        self._parents = {}
        self._found = {name: reason if was == "on" else was for name, was in self._found.items()}

    @property
    def limits_memory(self) -> bool:
        """Whether slots limit memory."""
        return "memory" in self._parents

    def take(self, *, memory_bytes: int, processes: int) -> Slot | None:
        """A slot with these limits, used before or new; None without groups.

        Raises:
            OSError: the kernel refused a new one.
        """
        if not self._parents:
            return None
        if self._draining:
            draining, self._draining = self._draining, []
            for slot in draining:
                self.give_back(slot)
        for slot in self._free:
            if (slot.memory_bytes, slot.processes) == (memory_bytes, processes):
                self._free.remove(slot)
                slot.begin()
                return slot
        slot = self._make(memory_bytes, processes)
        slot.begin()
        return slot

    def give_back(self, slot: Slot) -> None:
        """The environment is gone: the slot is for the next, once nothing is left in it."""
        empty = slot.kill()
        if empty:
            slot.limit_again()
        (self._free if empty else self._draining).append(slot)

    def close(self) -> None:
        """Kill all that is left in any slot and delete everything. May wait; not for the loop."""
        for slot in self._all:
            slot.remove()
        self._all.clear()
        self._free.clear()
        self._draining.clear()
        for parent in set(self._parents.values()):
            if parent.exists() and not any(child.is_dir() for child in parent.iterdir()):
                cgroup_slots.remove(parent)  # else another sandbox of this process is using it
        self._parents = {}

    def _make(self, memory_bytes: int, processes: int) -> Slot:
        self._count += 1
        while any((parent / str(self._count)).exists() for parent in self._parents.values()):
            self._count += 1  # another sandbox of this process
        folders: dict[str, Path] = {}
        for controller, parent in self._parents.items():
            folder = parent / str(self._count)
            folder.mkdir(exist_ok=True)
            folders[controller] = folder
        v1 = self._version == 1
        if "memory" in folders:
            cgroup_slots.limit_memory(folders["memory"], memory_bytes, v1=v1)
        if "pids" in folders:
            (folders["pids"] / "pids.max").write_text(str(processes))
        # In version 1 a lone thread moves itself by `tasks` without stopping the world.
        name = "tasks" if v1 else "cgroup.procs"
        flags = os.O_WRONLY | os.O_CLOEXEC
        join = [os.open(folder / name, flags) for folder in dict.fromkeys(folders.values())]
        slot = Slot(
            folders=folders,
            version=self._version,
            memory_bytes=memory_bytes,
            processes=processes,
            join=join,
        )
        self._all.append(slot)
        return slot


def _parent(folder: Path, controller: str, version: int) -> Path:
    parent = folder / f"{PREFIX}{os.getpid()}"
    if version == 1:
        parent.mkdir(exist_ok=True)
        return parent
    _enable(folder, controller)
    parent.mkdir(exist_ok=True)
    _enable(parent, controller)
    return parent


def _enable(folder: Path, controller: str) -> None:
    """Let children of a version 2 group have ``controller``; it must hold no processes for that."""
    control = folder / "cgroup.subtree_control"
    if controller in cgroup_slots.read(control).split():
        return
    try:
        control.write_text(f"+{controller}")
    except OSError as error:
        if error.errno != errno.EBUSY or cgroup_slots.pids(folder) != [os.getpid()]:
            raise
        # Only this process is in the way (a unit of its own, say), so it moves one down.
        leaf = folder / f"{PREFIX}platform"
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(os.getpid()))
        control.write_text(f"+{controller}")


def _clear_stale(folder: Path) -> None:
    """Remove the groups of platforms that are no more, and whatever still runs in them."""
    for left in folder.glob(f"{PREFIX}[0-9]*"):
        if Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists():
            continue
        for slot in left.iterdir():
            if slot.is_dir():
                cgroup_slots.kill_listed(slot)
                cgroup_slots.remove(slot)
        cgroup_slots.remove(left)
