"""How large a run of the spike benchmark is: phases, rates and which profiles. Values only."""

from __future__ import annotations

from dataclasses import dataclass

DEADLINE_SECONDS = 5.0
"""A client gives up then, and that is a failure."""
BASE_PER_SECOND = 10.0
SERVICE_SECONDS, SIGMA = 0.1, 0.3
SEED = 20
FLEET_SMALL = 2
"""What base needs at 0.7 utilisation."""
COMPRESSED = 10.0
"""The autoscaler's time is compressed so many times."""
METRIC_SECONDS, BOOT_SECONDS = 60 / COMPRESSED, 60 / COMPRESSED
PROFILES = "ABCD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Seconds of each phase of profile A; ``short`` ones are those of the other profiles.

    The step comes at the end of one of the autoscaler's periods, which is its best case.
    """

    factors: tuple[int, ...] = (5, 10, 20)
    profiles: str = PROFILES
    warm_seconds: float = 6.0
    base_seconds: float = 30.0
    step_seconds: float = 60.0
    after_seconds: float = 30.0
    short_base_seconds: float = 5.0
    short_step_seconds: float = 15.0
    short_after_seconds: float = 5.0


FULL = Scale()
QUICK = Scale(
    factors=(10,),
    profiles="AC",
    warm_seconds=3,
    base_seconds=9,
    step_seconds=20,
    after_seconds=15,
    short_base_seconds=2,
    short_step_seconds=6,
    short_after_seconds=2,
)
TINY = Scale(
    factors=(10,),
    profiles="C",
    short_base_seconds=1,
    short_step_seconds=2,
    short_after_seconds=0.5,
)
"""For the test that the benchmark itself works."""
