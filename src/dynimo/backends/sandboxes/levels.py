"""From the measures that hold on this host to one word, and to what they do not stop. Pure.

docs/explanation/isolation.md says the same at length.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynimo.backends.sandboxes.config import ON

LEVELS: Mapping[str, str] = {
    "full": "hostile functions are kept from each other, from the platform and from the host",
    "namespaces": "functions see their own files and processes only, but share one user",
    "basic": "functions are held by filters alone, and share one user and the host's /tmp",
    "weak": "the kernel holds too little; run only code that you trust",
}
"""Each level in a few words, the strongest first."""

_FILTERS = ("no-new-privileges", "landlock", "seccomp", "capabilities dropped", "resource limits")
_SPACES = ("mount namespace", "pid namespace", "private /tmp", "network namespace")
_OWN = ("own user", "cgroup memory limit", "cgroup process limit", "scoped signals and sockets")

_NOT_STOPPED: Mapping[str, str] = {
    "private /tmp": "filling the disk: /tmp is a folder of the host's, only each file is bounded",
    "cgroup memory limit": "a burst of memory between two looks, 50 ms apart",
    "cgroup process limit": "processes up to one bound for all functions together",
    "processor shares": "slowing its neighbours with many busy processes",
    "scoped signals and sockets": "reaching abstract sockets of the host",
    "network namespace": "nothing more, but the network switch 'loopback' is refused",
}


def level(found: Mapping[str, str]) -> str:
    """The word for these measures (measure → ``on`` or why not)."""

    def all_on(measures: tuple[str, ...]) -> bool:
        return all(found.get(each) == ON for each in measures)

    if not all_on(_FILTERS):
        return "weak"
    if not all_on(_SPACES):
        return "basic"
    return "full" if all_on(_OWN) else "namespaces"


def not_stopped(found: Mapping[str, str]) -> list[str]:
    """What a hostile function may still do here because a measure is missing."""
    told = [text for measure, text in _NOT_STOPPED.items() if found.get(measure) != ON]
    if "scoped signals and sockets" in found and ON not in (
        found["scoped signals and sockets"], found.get("pid namespace"),
    ):  # fmt: skip
        told.append("signals to other processes of its user, the platform's among them")
    return told
