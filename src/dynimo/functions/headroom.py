"""Has the machine memory for one more environment? Asked at every start, looked up seldom.

What is left is the kernel's own estimate of what programs can still take, so pages that
environments share with their zygote count once. When it is short, who listens lets go of what is
idle.
"""

from __future__ import annotations

from collections.abc import Callable

from dynimo import ports

LOOK_SECONDS = 0.1
"""How long an answer holds; so much may begin meanwhile as a burst allows."""
SHARE, MIB_MIN = 20, 256
"""What is kept free where no setting says it: a twentieth of the machine's memory, or this."""


class Headroom:
    """True while more than ``reserve_mib`` are left. ``on_short`` is called when it turns False."""

    def __init__(
        self, available_mib: Callable[[], int], clock: ports.Clock, *, reserve_mib: int
    ) -> None:
        self.on_short: Callable[[], None] = lambda: None
        self.refused = 0
        self._available_mib = available_mib
        self._clock = clock
        self._reserve_mib = reserve_mib
        self._until = float("-inf")
        self._enough = True

    def __call__(self) -> bool:
        """Whether one more may begin."""
        now = self._clock.monotonic()
        if now >= self._until:
            self._until = now + LOOK_SECONDS
            self._enough = self._available_mib() > self._reserve_mib
            if not self._enough:
                self.on_short()
        self.refused += not self._enough
        return self._enough


def reserve_mib(setting: int, total_mib: int) -> int:
    """What is kept free: the setting, or a share of the machine's memory where it is 0."""
    return setting or max(MIB_MIN, total_mib // SHARE)
