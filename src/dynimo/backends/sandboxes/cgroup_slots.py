"""One control group that environments join, again and again: its limits, its kills, its end.

Where groups are and who gets which slot is decided in ``cgroups``. Source: cgroups(7), the kernel's
cgroup-v1/memory and cgroup-v2 documents.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynimo.backends.sandboxes import cgroup_places

KILL_ROUNDS_MAX = 20
REMOVE_ROUNDS_MAX, REMOVE_PAUSE_SECONDS = 20, 0.005


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One group (a folder in each hierarchy), and its files that a process joins by.

    ``join`` are open descriptors; writing ``0`` to each moves the writer in.
    """

    folders: Mapping[str, Path]
    version: int
    memory_bytes: int
    processes: int
    join: list[int]
    kills_before: int = 0
    raised: bool = False

    def out_of_memory(self) -> bool:
        """Whether the kernel killed for memory here since ``begin``."""
        return self._kills() > self.kills_before

    def begin(self) -> None:
        """A new environment will use this slot."""
        self.kills_before = self._kills()

    def raise_memory_limit(self, extra_bytes: int) -> None:
        """Allow this much above the limit: what the kernel keeps for each fork is charged here.

        Raises:
            OSError: the kernel refused.
        """
        if "memory" in self.folders:
            self.raised = True
            more = self.memory_bytes + extra_bytes
            limit_memory(self.folders["memory"], more, v1=self.version == 1, higher=True)

    def limit_again(self) -> None:
        """Undo ``raise_memory_limit``. Raises OSError."""
        if self.raised:
            self.raised = False
            limit_memory(self.folders["memory"], self.memory_bytes, v1=self.version == 1)

    def kill(self) -> bool:
        """SIGKILL everything in it; True when it was found empty."""
        folder = next(iter(self.folders.values()))
        if self.version == 2:
            try:
                (folder / "cgroup.kill").write_text("1")
            except OSError:  # before Linux 5.14
                return kill_listed(folder)
            return not pids(folder)
        return kill_listed(folder)

    def remove(self) -> None:
        """Kill what is in it and delete it, as far as the kernel lets go now."""
        self.kill()
        for descriptor in self.join:
            os.close(descriptor)
        self.join.clear()
        for folder in self.folders.values():
            remove(folder)

    def _kills(self) -> int:
        folder = self.folders.get("memory")
        if folder is None:
            return 0
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return cgroup_places.oom_kills(read(folder / name))


def limit_memory(folder: Path, memory_bytes: int, *, v1: bool, higher: bool = False) -> None:
    """Limit ``folder`` to ``memory_bytes``; ``higher`` says that this is more than before."""
    if v1:
        files = [folder / "memory.limit_in_bytes", folder / "memory.memsw.limit_in_bytes"]
        if higher:
            files.reverse()  # the limit with swap may never be the lower one
        for file in files:
            if file.exists():
                file.write_text(str(memory_bytes))
        return
    (folder / "memory.max").write_text(str(memory_bytes))
    for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
        if (folder / name).exists():
            (folder / name).write_text(value)


def kill_listed(folder: Path) -> bool:
    """SIGKILL all that ``folder`` lists; True when it was found empty.

    All are stopped first, so that none sees another's death and says something of it.
    """
    for _ in range(KILL_ROUNDS_MAX):
        listed = pids(folder)
        if not listed:
            return True
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in listed:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
    return False


def pids(folder: Path) -> list[int]:
    """Who is in ``folder``, as this process's pid namespace numbers them."""
    return [int(line) for line in read(folder / "cgroup.procs").split()]


def read(path: Path) -> str:
    """The text of a kernel file; empty when it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


def remove(folder: Path) -> None:
    """Delete an empty group; waits a little for the last process to be buried."""
    for _ in range(REMOVE_ROUNDS_MAX):
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(REMOVE_PAUSE_SECONDS)  # the last process is still being buried
        else:
            return
