"""The trace of an invocation, where AWS's libraries look for it: an environment variable.

It changes with every invocation, and the C library keeps every text that a variable ever had; so it
is written into one buffer, over and over. Nothing is read of it here.
"""

from __future__ import annotations

import ctypes
import os

from dynimo.runtime.isolation import syscalls

NAME = "_X_AMZN_TRACE_ID"
BYTES_MAX = 4096
"""Of name and value; a longer one is set in the usual way, and costs its length."""

_buffer = ctypes.create_string_buffer(BYTES_MAX)
_key = NAME.encode()


def apply(trace: str | None) -> None:
    """Set the variable to ``trace``, or remove it."""
    known = getattr(os.environ, "_data", None)  # what Python shows of it, in bytes
    if not trace or "\0" in trace:
        if known is None or _key in known:
            os.environ.pop(NAME, None)
        return
    value = os.fsencode(trace)
    if known is None or len(_key) + len(value) + 2 > BYTES_MAX:
        os.environ[NAME] = trace
        return
    _buffer.value = _key + b"=" + value
    syscalls.LIBC.putenv(_buffer)  # the buffer itself becomes the variable; nothing is copied
    known[_key] = value
