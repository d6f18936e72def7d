"""The platform's own share of the processors: a control group that it moves into.

Whoever is turned away, or answered from the cache, costs the platform a fraction of a millisecond;
without a weight of its own it waits for that behind functions that use all there is. Only what
`cgroup_shares` can do is done here: version 1, as root. What it uses little of, it takes from
nobody: a share is what one gets at most when all want more.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PREFIX = "dynimo-own-"
"""Not the beginning of a version's group: those of dead platforms are killed, this is only left."""
WEIGHT = 8 * 1024
"""Eight times that of a busy process."""


def enter(folder: Path) -> Path | None:
    """Move this process, with all its threads, into a group below ``folder``; None if it may not.

    What it starts from now on begins there too, until it joins another.
    """
    _clear_stale(folder)
    own = folder / f"{PREFIX}{os.getpid()}"
    try:
        own.mkdir(exist_ok=True)
        (own / "cpu.shares").write_text(str(WEIGHT))
        (own / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        with contextlib.suppress(OSError):
            own.rmdir()
        return None
    return own


def leave(own: Path) -> None:
    """Move back, and remove the group, unless something else lives in it still."""
    with contextlib.suppress(OSError):
        (own.parent / "cgroup.procs").write_text(str(os.getpid()))
        own.rmdir()


def _clear_stale(folder: Path) -> None:
    """Remove the empty groups of platforms that were killed."""
    for left in folder.glob(f"{PREFIX}[0-9]*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists():
            with contextlib.suppress(OSError):
                left.rmdir()
