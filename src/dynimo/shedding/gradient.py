"""How many requests at once are good? Learned from how long they take. Pure.

After Gradient2 of Netflix's concurrency-limits (Apache-2.0; the rule, not the code): if requests
take much longer than they do when alone, too many are in progress. Different here: the limit is
wide open until there is evidence, so that a spike is never met by a small one; the smallest limit
is the number of cores; and the time "alone" rises only with what was measured while few were in
progress or nothing was slow, so that a long overload is not taken for the way things are.
"""

from __future__ import annotations

TOLERANCE = 1.5
"""Taking so many times the usual is not yet crowded."""
GRADIENT_MIN = 0.5
HEADROOM = 4.0
"""Requests over the limit that are tried, so that it can be found too low."""
SMOOTHING = 0.2
LONG_WINDOWS = 600
"""Windows over which the usual time follows what is measured while nothing is slow."""
WINDOW_SECONDS = 0.5
WINDOW_SAMPLES_MIN = 10
DROPPED_FACTOR = 0.9
"""What is left of the limit after the platform behind turned something away."""


class Gradient:
    """One limit. ``least`` and ``most`` bound it; ``usual`` is how long a request takes alone."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.limit = float(max(least, most))
        self.usual = 0.0
        self._sum = 0.0
        self._samples = 0
        self._shortest = 0.0
        self._peak = 0
        self._dropped = False
        self._ends = 0.0

    def __repr__(self) -> str:
        return f"<Gradient limit: {self.limit:.1f}, usual: {self.usual * 1000:.1f} ms>"

    def sample(self, seconds: float, now: float, *, in_progress: int) -> None:
        """One request took ``seconds`` while at most ``in_progress`` were in progress."""
        if not self._samples or seconds < self._shortest:
            self._shortest = seconds
        self._samples += 1
        self._sum += seconds
        self._peak = max(self._peak, in_progress)
        if now >= self._ends and self._samples >= WINDOW_SAMPLES_MIN:
            self._close(self._sum / self._samples)
            self._sum, self._samples, self._peak, self._dropped = 0.0, 0, 0, False
            self._ends = now + WINDOW_SECONDS

    def dropped(self) -> None:
        """The platform behind turned one away: less at once, one step for each window."""
        if not self._dropped:
            self._dropped = True
            self.limit = max(float(self._least), self.limit * DROPPED_FACTOR)

    def _close(self, short: float) -> None:
        """Judge one window, whose requests took ``short`` on average."""
        usual = self.usual or self._shortest
        gradient = max(GRADIENT_MIN, min(1.0, TOLERANCE * usual / short)) if short else 1.0
        if gradient < 1.0 and self._peak > self._least:
            from_here = min(self.limit, 2.0 * self._peak)
            target = from_here * gradient + HEADROOM
            self.limit = (1 - SMOOTHING) * from_here + SMOOTHING * target
        else:
            self.limit += max(HEADROOM, self.limit**0.5)
        self.limit = max(float(self._least), min(float(self._most), self.limit))
        if short < usual or self._peak <= self._least:
            usual += SMOOTHING * (short - usual)
        elif gradient == 1.0:
            usual += (short - usual) / LONG_WINDOWS
        self.usual = usual
