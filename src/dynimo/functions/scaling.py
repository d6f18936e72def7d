"""How many environments should there be? Pure arithmetic over what is known at arrival.

No metric, no window, no clock: the decision is made when somebody is waiting, from what is true
at that instant (reference: Little's law for the expected wait).
"""

from __future__ import annotations

SMOOTHING = 0.2
"""Weight of the newest observation in the running means of service and cold-start time."""


def should_start(
    *, count: int, limit: int, queued: int, service_seconds: float, cold_start_seconds: float
) -> bool:
    """Whether one more environment shortens the wait of whoever has just arrived.

    ``count`` environments exist and none is free; ``queued`` invocations already wait in front.
    With nothing running, or nothing known yet about the service time, starting is the only guess
    that cannot strand anybody.
    """
    if count >= limit:
        return False
    if count == 0 or service_seconds <= 0:
        return True
    expected_wait = (queued + 1) * service_seconds / count
    return expected_wait > cold_start_seconds


def smoothed(mean: float, observed: float) -> float:
    """The running mean after one more observation; the first one counts whole."""
    return observed if mean <= 0 else mean + SMOOTHING * (observed - mean)
