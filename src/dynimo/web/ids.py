"""Ids by chance: what tells requests apart. Call on the event loop's thread.

Made many at once, for a system call for each would cost more than all else about them.
"""

from __future__ import annotations

import os

MADE_AT_ONCE = 128


class Chance:
    """Gives texts of ``count`` random bytes, in hexadecimal; never one of them twice."""

    def __init__(self, count: int) -> None:
        self._digits = 2 * count
        self._ready: list[str] = []

    def take(self) -> str:
        """The next one."""
        if not self._ready:
            digits = os.urandom(self._digits // 2 * MADE_AT_ONCE).hex()
            starts = range(0, len(digits), self._digits)
            self._ready = [digits[start : start + self._digits] for start in starts]
        return self._ready.pop()


_requests = Chance(16)
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def request_id() -> str:
    """A new id in the form of a UUID by chance (RFC 9562, section 5.4)."""
    made = _requests.take()
    return f"{made[:8]}-{made[8:12]}-4{made[13:16]}-{_VARIANTS[made[16]]}{made[17:20]}-{made[20:]}"
