"""What the sender is told and what it tells: requests with their times, and how each ended. Pure.

A schedule is computed before the run and sent as it is, whatever the answers do (an open loop).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.setting import Unavailable
from bench.spike import scale
from dynimo.simulating import elasticity
from dynimo.simulating.demand import Arrival

LATE_MS_MAX = 10.0
"""The sender's own lateness, p99; above it a run is void."""
DEADLINE, BROKEN = 0, -1
"""In place of a status: not answered in time; the connection failed."""
SHED_STATUSES = frozenset({429, 503})


class Shot(NamedTuple):
    """One request: when it is due (seconds from the beginning), its target, and its class."""

    due: float
    target: str
    prefetch: bool = False


class Shown(NamedTuple):
    """How a shot ended. ``late`` is the sender's own; ``seconds`` counts from when it was due.

    ``run`` is the answer's X-Run, ``cache`` its Cache-Status.
    """

    late: float
    seconds: float
    status: int
    run: str
    cache: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """A whole run: what was sent and what came. ``began`` is on the monotonic clock."""

    began: float
    shots: Sequence[Shot]
    shown: Sequence[Shown]
    processor_seconds: float = 0.0

    @property
    def late_ms_p99(self) -> float:
        """The sender's own lateness."""
        return elasticity.percentile([each.late * 1e3 for each in self.shown], 99)

    @property
    def void(self) -> bool:
        """Whether the sender could not keep to its schedule."""
        return self.late_ms_p99 > LATE_MS_MAX

    def requests(self, arrivals: Sequence[Arrival] = ()) -> list[elasticity.Request]:
        """In the words of the figures; ``arrivals`` know the service times, 0 without."""
        services = [each.service for each in arrivals] or [0.0] * len(self.shots)
        return [
            elasticity.Request(
                shot.due,
                min(shown.seconds, scale.DEADLINE_SECONDS),
                outcome(shown.status, shown.seconds),
                service,
            )
            for shot, shown, service in zip(self.shots, self.shown, services, strict=True)
        ]


def outcome(status: int, seconds: float = 0.0) -> str:
    """The kind of an end; a good answer that is there too late is late."""
    if status == 200 and seconds > scale.DEADLINE_SECONDS:
        return elasticity.LATE
    if status == 200:
        return elasticity.OK
    if status in SHED_STATUSES:
        return elasticity.SHED
    return elasticity.LATE if status == DEADLINE else elasticity.OTHER


def write_schedule(path: Path, shots: Sequence[Shot]) -> None:
    """For the sender's process."""
    path.write_text(json.dumps(shots))


def read_schedule(path: Path) -> list[Shot]:
    """In the sender's process."""
    return [Shot(*each) for each in json.loads(path.read_text())]


def write_result(path: Path, volley: Volley) -> None:
    """For the bench's process."""
    document = {
        "began": volley.began,
        "processor_seconds": volley.processor_seconds,
        "shown": volley.shown,
    }
    path.write_text(json.dumps(document))


def read_result(path: Path, shots: Sequence[Shot]) -> Volley:
    """In the bench's process.

    Raises:
        Unavailable: the sender said less than it was asked.
    """
    document = json.loads(path.read_text())
    shown = [Shown(*each) for each in document["shown"]]
    if len(shown) != len(shots):
        raise Unavailable(f"the sender told of {len(shown)} of {len(shots)} requests")
    return Volley(
        began=document["began"],
        shots=shots,
        shown=shown,
        processor_seconds=document["processor_seconds"],
    )


def once(arrivals: Sequence[Arrival]) -> list[Shot]:
    """A key of its own for each request, that no cache may keep."""
    return [
        Shot(each.due, f"/spike/once/{number}?seconds={each.service:.5f}")
        for number, each in enumerate(arrivals)
    ]


def zipf(count: int, keys: int, *, seed: int) -> list[int]:
    """Draw ``count`` keys by Zipf's law with exponent 1: the n-th is asked for 1/n as often."""
    weights = [1 / rank for rank in range(1, keys + 1)]
    return random.Random(seed).choices(range(keys), weights, k=count)
