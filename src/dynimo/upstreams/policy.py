"""How several servers of one upstream are used: every number that decides it. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Balance, retries, hedges and circuit breakers, the same for every upstream.

    ``tries_max`` are all tries of one request together. ``retry_share`` of the requests may be
    tried again or hedged, and ``retry_burst`` at once after a quiet time. ``hedge_seconds`` without
    an answer bring a second try beside the first; 0 is never. A server that failed ``failures_max``
    times in a row, or ``failures_share`` of ``failures_of`` times or more lately, rests for
    ``rest_seconds``, then twice as long, up to ``rest_seconds_max``; after ``probes`` good answers
    in a row it is used again, a tenth at first and all within ``slow_start_seconds``.
    """

    tries_max: int = 2
    retry_share: float = 0.2
    retry_burst: int = 10
    hedge_seconds: float = 0.0
    failures_max: int = 5
    failures_share: float = 0.5
    failures_of: int = 20
    lately_seconds: float = 10.0
    rest_seconds: float = 2.0
    rest_seconds_max: float = 60.0
    probes: int = 2
    slow_start_seconds: float = 10.0
