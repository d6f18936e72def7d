"""The memory tier: S3-FIFO by bytes. No clock, no freshness, no I/O.

New entries pass a small queue (a twentieth of the budget); only those used again before they reach
its end, or seen lately (the ghost list), enter the main queue, where each use buys one more round.
So a flood of one-time objects cannot push out the popular ones, and a hit costs one addition:
nothing is moved (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
What was purged is found to be so when it is looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from dynimo.edge.purges import Purges
from dynimo.edge.stored import Stored

SMALL_SHARE = 0.05
USES_MAX = 3
GHOSTS_MAX = 100_000

_Place = tuple[str, tuple[str, ...], tuple[str, ...]]


class MemoryTier:
    """Holds ``Stored`` entries within a budget of bytes, several variants to a key."""

    def __init__(self, budget_bytes: int, variants_max: int, purges: Purges | None = None) -> None:
        self._purges = purges or Purges()
        self._budget = budget_bytes
        self._variants_max = variants_max
        self._small: OrderedDict[_Place, Stored] = OrderedDict()
        self._main: OrderedDict[_Place, Stored] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._shelves: dict[str, list[Stored]] = {}
        self._groups: dict[str, dict[_Place, Stored]] = {}
        self._small_bytes = 0
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def __repr__(self) -> str:
        return f"<MemoryTier entries: {len(self)}, bytes: {self.bytes}/{self._budget}>"

    @property
    def object_bytes_max(self) -> int:
        """The largest entry it takes: an eighth of the budget, so that one cannot clear it."""
        return self._budget // 8

    def get(self, key: str, headers: Mapping[str, str]) -> Stored | None:
        """Return the entry that a request with these headers selects, the newest if several."""
        shelf = self._shelves.get(key)
        if shelf is None:
            return None
        for entry in shelf:
            if not entry.names or entry.answers(headers):
                if entry.checked != self._purges.version and not self._purges.judge(entry):
                    self.remove(entry)
                    return self.get(key, headers)
                entry.uses += 1
                return entry
        return None

    def __contains__(self, key: str) -> bool:
        return key in self._shelves

    def variants(self, key: str) -> list[Stored]:
        """Return all entries of a key, newest first."""
        return list(self._shelves.get(key, ()))

    def members(self, group: str) -> list[Stored]:
        """Return all entries of a group, the oldest first."""
        return list(self._groups.get(group, {}).values())

    def entries(self) -> list[Stored]:
        """Return all there is, in no order."""
        return [*self._small.values(), *self._main.values()]

    def put(self, entry: Stored) -> bool:
        """Take an entry in, in place of one with the same key and variant; False if too large."""
        place = entry.place
        popular = place in self._main
        held = self._main.get(place) or self._small.get(place)
        if held is not None:
            entry.uses = max(entry.uses, held.uses)
        self.remove(entry)
        if entry.cost > self.object_bytes_max:
            return False
        shelf = self._shelves.get(entry.key)
        if shelf is not None and len(shelf) >= self._variants_max:
            self.remove(shelf[-1])
        while self.bytes + entry.cost > self._budget:
            self._evict()  # before it comes in, or it might be the one to go
        shelf = self._shelves.setdefault(entry.key, [])
        for other in shelf:
            other.prepared = None  # from now on this one is selected before it
        shelf.insert(0, entry)
        if entry.group and not entry.forward:
            self._groups.setdefault(entry.group, {})[place] = entry
        entry.seen, entry.credit = entry.uses, 0
        if self._ghosts.pop(hash(place), self) is None or popular:
            self._main[place] = entry
        else:
            self._small[place] = entry
            self._small_bytes += entry.cost
        self.bytes += entry.cost
        return True

    def remove(self, entry: Stored) -> bool:
        """Drop the entry that has this one's key and variant; say whether there was one."""
        place = entry.place
        held = self._small.pop(place, None)
        if held is not None:
            self._small_bytes -= held.cost
        else:
            held = self._main.pop(place, None)
        if held is None:
            return False
        self._forget(held)
        return True

    def sift(self, entry: Stored) -> None:
        """Drop this very entry if a purge took it."""
        if not self._purges.judge(entry) and entry in self._shelves.get(entry.key, ()):
            self.remove(entry)

    def remove_older(self, key: str, number: int) -> None:
        """Drop what a key holds that was asked for before the purge of this number."""
        for entry in self.variants(key):
            if entry.stamp < number:
                self.remove(entry)

    def _forget(self, entry: Stored) -> None:
        self.bytes -= entry.cost
        entry.prepared = None
        shelf = self._shelves[entry.key]
        shelf[:] = [other for other in shelf if other is not entry]
        if not shelf:
            del self._shelves[entry.key]
        group = self._groups.get(entry.group) if entry.group and not entry.forward else None
        if group is not None:
            group.pop(entry.place, None)
            if not group:
                del self._groups[entry.group]

    def _evict(self) -> None:
        """Take one step towards the budget: move, spare or drop the oldest of a queue."""
        if self._small and (self._small_bytes > self._budget * SMALL_SHARE or not self._main):
            place, entry = self._small.popitem(last=False)
            self._small_bytes -= entry.cost
            if entry.uses > entry.seen:
                entry.seen = entry.uses
                self._main[place] = entry
                return
            self._ghosts[hash(place)] = None
            if len(self._ghosts) > min(GHOSTS_MAX, len(self._main) + len(self._small) + 1):
                self._ghosts.popitem(last=False)
        else:
            place, entry = self._main.popitem(last=False)
            entry.credit = min(USES_MAX, entry.credit + entry.uses - entry.seen)
            entry.seen = entry.uses
            if entry.credit > 0:
                entry.credit -= 1
                self._main[place] = entry
                return
        self.evictions += 1
        self._forget(entry)
