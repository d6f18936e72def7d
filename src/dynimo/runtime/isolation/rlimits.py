"""Resource limits that every environment inherits from its zygote."""

from __future__ import annotations

import resource

LIMITS: dict[str, int] = {
    "RLIMIT_CORE": 1,
    "RLIMIT_NOFILE": 1024,
    "RLIMIT_MEMLOCK": 64 * 1024,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_NICE": 0,
    "RLIMIT_RTPRIO": 0,
    "RLIMIT_STACK": 8 * 1024**2,
}
"""Soft and hard. AWS's are NOFILE 1024, MEMLOCK 64 KiB, STACK 8 MiB, and CORE 10 GiB: here one
byte, which no core fits, and which alone also keeps a program that the host pipes cores to from
running (core(5)). The address space is not limited, because that says little about memory."""

PROCESSES_MAX = 4096
"""NPROC counts all processes of the user on the host: it only stops fork bombs, without groups."""


def apply(*, file_mib: int = 2048, processes_max: int | None = PROCESSES_MAX) -> None:
    """Lower each limit to ``LIMITS``, and files to ``file_mib``; what is lower already stays.

    A file may be 1 MiB more, so that a folder with a limit of its own says first that it is full.

    ``processes_max`` is None where groups count processes, which this limit cannot do one by one.

    Raises:
        OSError: the kernel refused.
    """
    limits = {**LIMITS, "RLIMIT_FSIZE": (file_mib + 1) * 1024**2}
    if processes_max is not None:
        limits["RLIMIT_NPROC"] = processes_max
    for name, value in limits.items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (wanted, wanted))
