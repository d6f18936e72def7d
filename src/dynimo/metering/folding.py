"""From journal entries to use by function, version, alias and hour; each try counted once. Pure.

The same try of the same invocation may be journalled twice, when a crash came between its end and
the note that it ended. It is known again as long as its first entry is in the window: the file
that is being read and the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dynimo.metering.use import HOUR_MS, Row, Use
from dynimo.ports import Usage

USAGE, HELD = "u", "h"
WINDOW_FILES = 2
_USAGE_LENGTH, _HELD_LENGTH = 13, 5
_NUMBER_MAX = 1 << 48


def entry(usage: Usage) -> tuple[Any, ...]:
    """The journal's entry of one invocation."""
    return (
        USAGE, usage.id, usage.attempt, usage.arn, usage.version, usage.alias, usage.ended,
        usage.when_ms, usage.billed_ms, usage.memory_mib, round(usage.init_ms * 1000),
        round(usage.queue_ms * 1000), usage.max_rss_kib,
    )  # fmt: skip


def held_entry(arn: str, version: str, when_ms: int, mib_seconds: float) -> tuple[Any, ...]:
    """The journal's entry of memory that was held idle."""
    return (HELD, arn, version, when_ms, round(mib_seconds * 1000))


class Folding:
    """Adds entries up. ``taken`` is what came since it was last emptied."""

    def __init__(self) -> None:
        self.taken: dict[Row, Use] = {}
        self.repeated = 0
        self._seen: dict[int, set[int]] = {}

    def remember(self, number: int, entry: list[Any]) -> bool:
        """Note that file ``number`` had this entry; False if one of the window did before.

        What is no entry of ours is not noted.
        """
        if len(entry) < _USAGE_LENGTH or entry[0] != USAGE:
            return True
        known = hash((str(entry[1]), str(entry[2])))
        if any(known in each for each in self._seen.values()):
            return False
        self._seen.setdefault(number, set()).add(known)
        return True

    def fold(self, number: int, entry: list[Any]) -> None:
        """Add one entry of file ``number``, unless it is a repetition or no entry of ours."""
        found = _counted(entry)
        if found is None:
            return
        if not self.remember(number, entry):
            self.repeated += 1
            return
        row, use = found
        held = self.taken.get(row)
        if held is None:
            self.taken[row] = use
        else:
            held.add(use)

    def forget(self, number: int) -> None:
        """Let go of files before the window of file ``number``."""
        for old in [each for each in self._seen if each <= number - WINDOW_FILES]:
            del self._seen[old]


def _counted(entry: list[Any]) -> tuple[Row, Use] | None:
    """What an entry says; None if it is none of ours, or damaged."""
    if len(entry) == _HELD_LENGTH and entry[0] == HELD:
        _, arn, version, when_ms, mib_ms = entry
        if _sound((arn, version), (when_ms, mib_ms)):
            return Row(arn, version, "", when_ms // HOUR_MS), Use(held_mib_ms=mib_ms)
        return None
    if len(entry) != _USAGE_LENGTH or entry[0] != USAGE:
        return None
    arn, version, alias, ended = entry[3:7]
    when_ms, billed_ms, memory_mib, init_us, queue_us, rss = numbers = entry[7:]
    if not _sound((arn, version, alias, ended), numbers):
        return None
    row = Row(arn, version, alias, when_ms // HOUR_MS)
    if ended == "throttle":
        return row, Use(throttles=1)
    return row, Use(
        requests=1,
        errors=int(ended != "ok"),
        billed_ms=billed_ms,
        mib_ms=billed_ms * memory_mib,
        inits=int(init_us > 0),
        init_us=init_us,
        queue_us=queue_us,
        rss_kib=rss,
    )


def _sound(texts: Iterable[object], numbers: Iterable[object]) -> bool:
    """Whether the members are of their kinds: one damaged line must not stop the counting."""
    return all(isinstance(each, str) for each in texts) and all(
        isinstance(each, int) and 0 <= each < _NUMBER_MAX for each in numbers
    )
