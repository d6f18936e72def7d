"""The circumstances of a run: where to keep things, how thorough to be, how to speak.

Also the error by which a bench says that it cannot run here. No measuring.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""


class Unavailable(Exception):
    """Something this bench needs is not here; the message says what, and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``data`` keeps downloads, peers and scratch; ``quick`` asks for fewer rounds.

    ``profiles`` and ``factors`` narrow the spike bench down (all if empty); ``plot`` is where its
    picture goes (below ``data`` if None).
    """

    data: Path
    quick: bool = False
    profiles: str = ""
    factors: tuple[int, ...] = ()
    plot: Path | None = None

    def rounds(self, full: int, quick: int = 2) -> int:
        """Return how many rounds to run."""
        return quick if self.quick else full

    def folder(self, *parts: str) -> Path:
        """Return a folder below ``data``, made if need be."""
        path = self.data.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def say(self, text: str) -> None:
        """Tell a waiting person what happens, on stderr: stdout is for results."""
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def machine() -> dict[str, str]:
    """Describe the machine in the words a reader of results needs."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
