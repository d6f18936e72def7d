"""How many environments should there be? Pure arithmetic over what is known at arrival.

No metric, no window, no clock: the decision is made when somebody is waiting, from what is true
at that instant (reference: Little's law for the expected wait).
"""

from __future__ import annotations

SMOOTHING = 0.2
"""Weight of the newest observation in the running means of service and cold-start time."""
PATIENCE, PATIENCE_SECONDS_MAX = 0.3, 0.05
"""A wait of this share of a service time, and of at most so long, is worth no environment: without
it the pool holds what the highest peak of chance needed, nearly twice the mean (decision 16)."""


def should_start(
    *,
    count: int,
    limit: int,
    queued: int,
    service_seconds: float,
    cold_start_seconds: float,
    waited: float = 0.0,
) -> bool:
    """Whether one more environment shortens the wait of whoever has just arrived.

    ``count`` environments exist and none is free; ``queued`` invocations already wait in front, the
    first of them for ``waited`` seconds: what was expected may not have come true.
    It shortens the wait if that would be longer than the start, and worth it (``PATIENCE``). With
    nothing running, or nothing known yet about the service time, starting is the only guess
    that cannot strand anybody.
    """
    if count >= limit:
        return False
    if count == 0 or service_seconds <= 0:
        return True
    expected_wait = max(waited, (queued + 1) * service_seconds / count)
    return expected_wait > worth_waiting(service_seconds, cold_start_seconds)


def worth_waiting(service_seconds: float, cold_start_seconds: float) -> float:
    """How many seconds of waiting are better than another environment."""
    return max(cold_start_seconds, min(PATIENCE * service_seconds, PATIENCE_SECONDS_MAX))


class Burst:
    """How many environments may begin: ``size`` at once, ``per_second`` more as time goes on.

    The token bucket of AWS's scaling rate (Lambda developer guide, "scaling behavior").
    """

    __slots__ = ("_at", "_left", "_per_second", "_size")

    def __init__(self, size: int, per_second: float) -> None:
        self._size = size
        self._per_second = per_second
        self._left = float(size)
        self._at = 0.0

    def ready(self, now: float) -> bool:
        """Whether one may begin now."""
        if self._left < self._size:
            self._left = min(self._size, self._left + (now - self._at) * self._per_second)
        self._at = now
        return self._left >= 1

    def take(self) -> None:
        """One begins; after ``ready`` said so, or because it must."""
        self._left -= 1

    @property
    def next_at(self) -> float | None:
        """When the next may begin, in the time that ``ready`` was given; None if it may now."""
        return None if self._left >= 1 else self._at + (1 - self._left) / self._per_second


def smoothed(mean: float, observed: float) -> float:
    """The running mean after one more observation; the first one counts whole."""
    return observed if mean <= 0 else mean + SMOOTHING * (observed - mean)
