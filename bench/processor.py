"""How much processor time a program uses: unlike its speed, hardly changed by busy neighbours.

User and system time of a whole tree, from ``/proc/PID/stat``, with that of children that have ended
and been waited for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench import memory

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def seconds(roots: list[int]) -> float:
    """Return the processor seconds used so far by these trees."""
    return sum(_one(pid) for root in roots for pid in memory.tree(root))


def of_machine() -> float:
    """Return the seconds that all cores together were busy since boot, for anybody."""
    fields = Path("/proc/stat").read_text("utf-8").split(maxsplit=9)[1:9]
    # user, nice, system, idle, iowait, irq, softirq, steal: proc(5).
    return sum(int(fields[index]) for index in (0, 1, 2, 5, 6, 7)) / _TICKS_PER_SECOND


def of_bench() -> float:
    """Return the seconds used by this process and by all that it started and that has ended."""
    times = os.times()
    return times.user + times.system + _of_children() + sum(_orphaned)


def _of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


_orphaned: list[float] = []
"""Time of processes whose parents were killed before they could wait for them."""


@contextlib.contextmanager
def accounted(pids: list[int]) -> Iterator[None]:
    """Stop these processes inside; what the kernel then does not pass on to us is remembered."""
    used, before = sum(_one(pid) for pid in pids), _of_children()
    yield
    _orphaned.append(max(0.0, used - (_of_children() - before)))


def _one(pid: int) -> float:
    with contextlib.suppress(OSError):
        text = (Path("/proc") / str(pid) / "stat").read_text("utf-8", "replace")
        fields = text.rpartition(")")[2].split()
        # utime, stime, cutime, cstime are fields 14 to 17 of proc(5), counted from 1.
        return sum(int(field) for field in fields[11:15]) / _TICKS_PER_SECOND
    return 0.0
