"""The settings of load shedding, with their units. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Who is turned away in front of the functions when there is too much.

    What the cache answers never comes here. A request that cannot be answered within
    ``deadline_seconds`` (or three times what its function usually takes, if that is more) of its
    arrival is refused at once. Each function has at most ``limit_max`` requests in progress and
    never fewer than ``limit_min`` (0: as many as there are cores); between them the limit follows
    what is measured. ``queue_max`` requests may wait for each function.
    """

    enabled: bool = True
    deadline_seconds: float = 5.0
    limit_min: int = 0
    limit_max: int = 1000
    queue_max: int = 1000
