"""Is this queue a queue that works off a burst, or one that only stands? Pure.

Controlled delay, in the form that RPC servers use (folly's Codel): a queue is good if somebody
passed it quickly within each interval. If nobody did, it only adds delay and is cut.
"""

from __future__ import annotations

import math

CUT_TARGETS = 2.0
"""Of a queue that stands, nobody should wait longer than so many targets."""


class CoDel:
    """Watches one queue. ``target`` and ``interval`` are seconds."""

    __slots__ = ("_ends", "_interval", "_least", "overloaded", "target")

    def __init__(self, target: float, interval: float) -> None:
        self.target = target
        self._interval = interval
        self._least = math.inf
        self._ends = -math.inf
        self.overloaded = False

    def __repr__(self) -> str:
        return f"<CoDel {'standing' if self.overloaded else 'flowing'}>"

    @property
    def patience(self) -> float:
        """Seconds that one may wait as things are."""
        return self.target * CUT_TARGETS if self.overloaded else math.inf

    def passed(self, waited: float, now: float) -> None:
        """Somebody left the queue for work after ``waited`` seconds."""
        self._least = min(self._least, waited)
        if now >= self._ends:
            self.overloaded = math.isfinite(self._ends) and self._least > self.target
            self._least = math.inf
            self._ends = now + self._interval

    def emptied(self) -> None:
        """Nobody waits: a queue that empties does not stand."""
        self.overloaded = False
        self._least = math.inf
        self._ends = -math.inf
