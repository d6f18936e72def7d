"""How much memory a program takes with all its processes: PSS, sampled.

PSS (proportional set size, Linux ``/proc/PID/smaps_rollup``) shares each page out among those who
map it, so a tree of forked processes is neither counted twice nor flattered. Reading it costs the
measured program a little time, so benches sample in rounds of their own.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Self

SAMPLE_SECONDS = 0.05
NAME_CHARACTERS = 60
PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """Return ``root`` and all its descendants, as far as they are alive now."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            # A process may end between the listing and the reading.
            with contextlib.suppress(OSError):
                after_name = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2]
                children.setdefault(int(after_name.split()[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def pss_kib(pid: int) -> int:
    """Return the PSS of one process in KiB; 0 when it is gone or may not be looked at."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text("utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def tree_mib(roots: list[int]) -> float:
    """Return the PSS of whole trees in MiB."""
    return sum(pss_kib(pid) for root in roots for pid in tree(root)) / 1024


class Sampler:
    """Samples trees in a thread while a round runs; ``peak_mib`` is the highest sum seen."""

    def __init__(self, roots: list[int]) -> None:
        self._roots = roots
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mib = 0.0
        self.samples = 0

    def _sample(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.peak_mib = max(self.peak_mib, tree_mib(self._roots))
            self.samples += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def name(pid: int) -> str:
    """Return the beginning of a process's command line."""
    with contextlib.suppress(OSError):
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        program = Path(words[0].decode(errors="replace")).name
        shown = " ".join(word.decode(errors="replace") for word in words[1:5])
        return f"{program} {' '.join(shown.split())[:NAME_CHARACTERS]}".strip()
    return "gone"
