"""What was used, as numbers that can be added up exactly: whole milli- and microseconds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

HOUR_MS = 3_600_000
_MIB_MS_PER_GB_SECOND = 1024 * 1000


class Row(NamedTuple):
    """Whose use it is. ``hour`` counts from the epoch; ``alias`` is empty for direct calls."""

    arn: str
    version: str
    alias: str
    hour: int


@dataclass(slots=True, kw_only=True)
class Use:
    """What invocations used together.

    ``requests`` are those that ran, ``errors`` those of them that failed; ``throttles`` were turned
    away and cost nothing. ``mib_ms`` is billed time times memory, ``held_mib_ms`` memory that idle
    environments held. ``inits`` counts cold starts. ``rss_kib`` is the highest peak of memory.
    """

    requests: int = 0
    errors: int = 0
    throttles: int = 0
    billed_ms: int = 0
    mib_ms: int = 0
    inits: int = 0
    init_us: int = 0
    queue_us: int = 0
    rss_kib: int = 0
    held_mib_ms: int = 0

    def add(self, other: Use) -> None:
        """Take another's use in."""
        highest = max(self.rss_kib, other.rss_kib)
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rss_kib = highest

    @property
    def gb_seconds(self) -> float:
        """Billed gigabyte-seconds."""
        return self.mib_ms / _MIB_MS_PER_GB_SECOND

    @property
    def held_gb_seconds(self) -> float:
        """Gigabyte-seconds held idle."""
        return self.held_mib_ms / _MIB_MS_PER_GB_SECOND


NAMES = tuple(each.name for each in fields(Use))
