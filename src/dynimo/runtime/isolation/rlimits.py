"""Resource limits that every environment inherits from its zygote."""

from __future__ import annotations

import resource

LIMITS: dict[str, int] = {
    "RLIMIT_CORE": 0,
    "RLIMIT_NOFILE": 1024,
    "RLIMIT_NPROC": 4096,
    "RLIMIT_FSIZE": 2 * 1024**3,
    "RLIMIT_MEMLOCK": 64 * 1024,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_NICE": 0,
    "RLIMIT_RTPRIO": 0,
    "RLIMIT_STACK": 8 * 1024**2,
}
"""Soft and hard. NPROC counts all processes of the user on the host, so it only stops fork bombs;
FSIZE bounds one file; the address space is not limited, because it says little about memory."""


def apply() -> None:
    """Lower each limit to ``LIMITS``; one that is lower already stays.

    Raises:
        OSError: the kernel refused.
    """
    for name, value in LIMITS.items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (wanted, wanted))
