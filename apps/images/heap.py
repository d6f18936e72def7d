"""How this process treats memory it has freed: it keeps it for the next picture.

glibc gives large blocks back to the kernel at once, and the next picture pays for every page again.
An environment lives for one kind of work and seconds beyond its last use, so keeping is right here;
what it may hold is the platform's limit on memory.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from <malloc.h>
KEPT_BYTES = 256 << 20
BLOCK_BYTES_MAX = 32 << 20
"""The largest block that stays; glibc takes no higher number. Larger ones go back at once."""


def keep() -> None:
    """Ask glibc to keep up to ``KEPT_BYTES`` of freed memory; elsewhere nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, BLOCK_BYTES_MAX)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
