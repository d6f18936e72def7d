"""What a decoder may take of this process's memory, where a file's header cannot be trusted on it.

A frame of video may be larger than its container says, and the decoder believes the frame. It is
refused its memory, and says so, before the platform ends the environment.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator

SPARE_BYTES = 96 << 20
"""Of the environment's memory: for what is no data, and for saying no."""


@contextlib.contextmanager
def memory() -> Iterator[None]:
    """Let allocations fail that the environment's memory has no room for; elsewhere do nothing."""
    said = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    most = (int(said) << 20) - SPARE_BYTES if said.isdecimal() else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if most <= 0 or (soft != resource.RLIM_INFINITY and soft <= most):
        yield
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
