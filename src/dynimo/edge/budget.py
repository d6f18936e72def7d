"""How fast may what a soft purge took be made anew? As fast as other things are made. Pure.

A purge of everything makes every popular answer stale in the same instant. Stale answers are still
good enough to give; only making all of them anew at once is not, so their refreshes share one
budget: the rate of all other fills of late. What is asked for most comes first by itself.
"""

from __future__ import annotations

import math

MEMORY_SECONDS = 5.0
"""Over which the rate of other fills is taken, the latest counting most."""
SHARE = 0.8
"""Of that rate: what expires in its own time goes on being made, so both are less than twice it."""
PER_SECOND_MIN = 1.0
"""What is allowed where nothing else is made."""


class Budget:
    """``note`` each other fill; ask ``allow`` before a refresh. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._began = self._at = self._filled_at = now
        self._weight = 0.0
        self._tokens = PER_SECOND_MIN

    def note(self, now: float) -> None:
        """Something else was made."""
        self._fade(now)
        self._weight += 1.0

    def per_second(self, now: float) -> float:
        """How many others were made a second, of late."""
        self._fade(now)
        known = 1.0 - math.exp(-(now - self._began) / MEMORY_SECONDS)
        return self._weight / (MEMORY_SECONDS * known) if known > 0 else 0.0

    def allow(self, now: float) -> bool:
        """Whether one more refresh may begin; that uses it up."""
        rate = max(PER_SECOND_MIN, SHARE * self.per_second(now))
        self._tokens = min(max(1.0, rate / 4), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _fade(self, now: float) -> None:
        self._weight *= math.exp(-(now - self._at) / MEMORY_SECONDS)
        self._at = now
