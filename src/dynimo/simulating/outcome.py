"""What a simulated run came to: totals, waits, and a row for each stretch of time. No simulating.

One rule holds for every run and every row up to it: offered = answered + failed + inside, where
inside is who still waits or runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from dynimo.metering.config import Config as Prices

ROWS_MAX = 600
"""Rows of a run, so that a day is as quick to draw as a minute."""
_GROWTH = 1.05
_SMALLEST_SECONDS = 1e-4
GIB_MIB = 1024


class Waits:
    """How long requests waited, kept in buckets that are 5 % wide: any number in little memory."""

    def __init__(self) -> None:
        self._none = 0.0
        self._buckets: dict[int, float] = {}
        self.total_seconds = 0.0

    def add(self, seconds: float, count: float = 1) -> None:
        """So many waited so long."""
        self.total_seconds += seconds * count
        if seconds < _SMALLEST_SECONDS:
            self._none += count
        else:
            bucket = math.ceil(math.log(seconds / _SMALLEST_SECONDS, _GROWTH))
            self._buckets[bucket] = self._buckets.get(bucket, 0.0) + count

    @property
    def count(self) -> float:
        """How many were added."""
        return self._none + sum(self._buckets.values())

    def percentile(self, percent: float) -> float:
        """What so many per cent did not exceed, in seconds; NaN of nothing."""
        count = self.count
        if not count:
            return math.nan
        left = count * percent / 100 - self._none
        if left <= 0:
            return 0.0
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 1e-9 * count:
                return _SMALLEST_SECONDS * _GROWTH**bucket
        return math.nan


@dataclass(slots=True)
class Row:
    """One stretch of time: what came and ended in it, and who was there at its end.

    ``needed`` is the concurrency that demand asks for (Little's law). ``environments`` are held,
    ordered ones too; ``ready`` ones can work.
    """

    at: float
    needed: float = 0.0
    offered: float = 0.0
    answered: float = 0.0
    failed: float = 0.0
    waiting: float = 0.0
    running: float = 0.0
    environments: float = 0.0
    ready: float = 0.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One plan under one trace. ``model`` is ``exact`` or ``aggregate``."""

    plan: str
    model: str
    rows: list[Row]
    row_seconds: float
    waits: Waits = field(default_factory=Waits)
    environment_seconds: float = 0.0
    busy_seconds: float = 0.0
    peak: float = 0.0

    @property
    def offered(self) -> float:
        """Requests that came."""
        return sum(row.offered for row in self.rows)

    @property
    def answered(self) -> float:
        """Requests answered in time."""
        return sum(row.answered for row in self.rows)

    @property
    def failed(self) -> float:
        """Requests turned away, or not answered in time."""
        return sum(row.failed for row in self.rows)

    @property
    def inside(self) -> float:
        """Requests that still waited or ran when the run ended."""
        return self.rows[-1].waiting + self.rows[-1].running

    @property
    def utilisation(self) -> float:
        """Busy over held, 0 to 1."""
        return self.busy_seconds / self.environment_seconds if self.environment_seconds else 0.0

    def times(self, nodes: int) -> Run:
        """The same on so many nodes. Waits stay one node's: their shares are what counts."""
        rows = [
            Row(row.at, *(getattr(row, name) * nodes for name in Row.__slots__[1:]))
            for row in self.rows
        ]
        return Run(
            plan=self.plan,
            model=self.model,
            rows=rows,
            row_seconds=self.row_seconds,
            waits=self.waits,
            environment_seconds=self.environment_seconds * nodes,
            busy_seconds=self.busy_seconds * nodes,
            peak=self.peak * nodes,
        )

    def cost(self, memory_mib: int, prices: Prices) -> float:
        """What all that was held costs, busy or idle: its memory, at the price of a GB-second."""
        held = self.environment_seconds * memory_mib / GIB_MIB * prices.gb_second_price
        return held + self.offered * prices.request_price_per_million / 1e6

    def document(self, memory_mib: int, prices: Prices) -> dict[str, Any]:
        """For JSON. Waits are milliseconds."""
        return {
            "plan": self.plan,
            "model": self.model,
            "offered": round(self.offered),
            "answered": round(self.answered),
            "failed": round(self.failed),
            "inside": round(self.inside),
            "wait_ms_p50": _milliseconds(self.waits.percentile(50)),
            "wait_ms_p99": _milliseconds(self.waits.percentile(99)),
            "peak_environments": round(self.peak),
            "environment_seconds": round(self.environment_seconds, 3),
            "busy_seconds": round(self.busy_seconds, 3),
            "utilisation": round(self.utilisation, 4),
            "cost": self.cost(memory_mib, prices),
            "rows": [
                {name: round(getattr(row, name), 3) for name in Row.__slots__} for row in self.rows
            ],
        }


def _milliseconds(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1e3, 3)


def empty_rows(seconds: float) -> tuple[list[Row], float]:
    """Rows over a run, of a second or, where that were too many, more; and how long each is."""
    each = max(1.0, seconds / ROWS_MAX)
    return [Row(index * each) for index in range(math.ceil(seconds / each))], each
