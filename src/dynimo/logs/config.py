"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How much of what functions write is kept, and for how long.

    A log group is kept in segments of ``segment_bytes`` or ``segment_seconds``, whichever is
    reached first; a group may fill ``group_bytes_max`` and all of them ``total_bytes_max``, then
    the oldest segments go. ``free_bytes_min`` is left free on the disk. Lines older than
    ``retention_days`` go too, unless a group has a retention of its own (0: no limit of age).
    ``queue_bytes_max`` of lines may wait to be written, ``queue_group_bytes_max`` of one group;
    what comes beyond is dropped, counted, and told in the log. ``flush_seconds`` is how long lines
    gather before they are written.
    """

    segment_bytes: int = 8 * MIB
    segment_seconds: float = 86_400.0
    group_bytes_max: int = 256 * MIB
    total_bytes_max: int = 4096 * MIB
    free_bytes_min: int = 256 * MIB
    retention_days: int = 30
    queue_bytes_max: int = 16 * MIB
    queue_group_bytes_max: int = MIB
    flush_seconds: float = 0.05
