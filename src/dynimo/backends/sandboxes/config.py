"""The process sandbox's own settings, and what was found to hold on this host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEASURES = (
    "no-new-privileges",
    "resource limits",
    "scrubbed environment",
    "landlock",
    "seccomp",
    "own user",
    "capabilities dropped",
    "user namespace",
    "pid namespace",
    "ipc namespace",
    "uts namespace",
    "mount namespace",
    "private /tmp",
    "network namespace",
    "scoped signals and sockets",
    "cgroup memory limit",
    "cgroup process limit",
    "processor shares",
    "memory watchdog",
)
"""In the order in which they are told."""

ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How sandboxes are made.

    ``scratch`` is a folder of the platform's own, where environments get theirs. ``uid_first`` and
    ``uid_count`` are the users that versions become when the platform is root. ``without`` names
    measures that the operator turned off. The ``state_uid_count`` users after those own apps'
    states. ``processes_max`` bounds one environment's processes and
    threads. ``zygote_memory_mib`` is what a zygote may take above its function's memory.
    """

    scratch: Path
    uid_first: int = 60_000
    uid_count: int = 4_000
    state_uid_count: int = 1_000
    without: frozenset[str] = frozenset()
    processes_max: int = 256
    zygote_memory_mib: int = 256
    close_seconds: float = 5.0

    @property
    def state_uids(self) -> range:
        """The users that own states, and that no other function runs as."""
        first = self.uid_first + self.uid_count
        return range(first, first + self.state_uid_count)


@dataclass(frozen=True, slots=True)
class Measures:
    """Measure → ``on`` or why not."""

    found: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, measure: str) -> bool:
        """Whether it is on."""
        return self.found.get(measure) == ON


def settle(probed: Mapping[str, str], without: frozenset[str], *, root: bool = True) -> Measures:
    """What will be applied, from what the host allows and what the operator wants.

    A user who is not ``root`` makes namespaces only in a user namespace of his own.

    Measures that only make sense together are refused together, with the reason.
    """
    found = {name: probed.get(name, "not tried") for name in MEASURES}
    for name in MEASURES:
        if name in without:
            found[name] = "turned off in the configuration"
    if not root:
        for name in ("pid namespace", "ipc namespace", "uts namespace", "network namespace"):
            _needs(found, name, "user namespace")
    _needs(found, "mount namespace", "pid namespace")
    _needs(found, "own user", "mount namespace")
    _needs(found, "private /tmp", "mount namespace")
    _needs(found, "private /tmp", "capabilities dropped")
    _needs(found, "landlock", "no-new-privileges")
    _needs(found, "seccomp", "no-new-privileges")
    _needs(found, "scoped signals and sockets", "landlock")
    return Measures(found)


def _needs(found: dict[str, str], name: str, other: str) -> None:
    if found[name] == ON and found[other] != ON:
        found[name] = f"needs: {other}"
