"""Which segments go when there are too many, too old, or too little disk. Pure.

Groups are told by a key; a group's own limit comes first, then age, then the limit of all, which
takes from whichever group holds most: so one that writes much pays with its own past.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from dynimo.logs.config import Config

Key = TypeVar("Key", bound=Hashable)
EVICT_TO_SHARE = 0.95
"""Once the limit of all is passed, so much of it is kept: not to be there again at once."""

DAY_MS = 86_400_000


class Held(NamedTuple):
    """One finished segment: number, bytes with its index, and when its last line came."""

    number: int
    size: int
    last_ms: int


@dataclass(slots=True)
class Share:
    """What one group holds: finished segments, oldest first, and the bytes of the growing one."""

    finished: list[Held] = field(default_factory=list)
    finished_bytes: int = 0
    growing_bytes: int = 0
    retention_days: int = 0

    @property
    def size(self) -> int:
        """All of it."""
        return self.finished_bytes + self.growing_bytes

    def add(self, held: Held) -> None:
        """The growing one is finished."""
        self.finished.append(held)
        self.finished_bytes += held.size

    def drop(self) -> Held:
        """Forget the oldest."""
        held = self.finished.pop(0)
        self.finished_bytes -= held.size
        return held


class Drop(NamedTuple, Generic[Key]):
    """A segment of this group has to go."""

    key: Key
    number: int


def of_group(key: Key, share: Share, config: Config, now_ms: int) -> list[Drop[Key]]:
    """What one group has too much of, or too old; taken out of its share."""
    days = share.retention_days or config.retention_days
    oldest_ms = now_ms - days * DAY_MS if days else 0
    dropped: list[Drop[Key]] = []
    while share.finished:
        too_much = share.size > config.group_bytes_max
        if not too_much and share.finished[0].last_ms >= oldest_ms:
            break
        dropped.append(Drop(key, share.drop().number))
    return dropped


def of_all(shares: Iterable[tuple[Key, Share]], total: int, config: Config) -> list[Drop[Key]]:
    """What all together have too much of; taken out of their shares.

    Growing segments are not taken: a group's is bounded by ``segment_bytes``.
    """
    if total <= config.total_bytes_max:
        return []
    wanted = total - int(config.total_bytes_max * EVICT_TO_SHARE)
    candidates = [(key, share) for key, share in shares if share.finished]
    dropped: list[Drop[Key]] = []
    while wanted > 0 and candidates:
        key, share = max(candidates, key=lambda each: each[1].size)
        wanted -= share.finished[0].size
        dropped.append(Drop(key, share.drop().number))
        if not share.finished:
            candidates.remove((key, share))
    return dropped
