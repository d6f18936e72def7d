"""Memory over disk as one store, and what a purge means across both.

A purge that runs while something is read from disk must win: what was read is then not used.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynimo.edge import config, disk, memory, purge
from dynimo.edge import key as keys
from dynimo.edge.stored import Stored

TOUCH_SECONDS = 600.0
"""How often the disk is told that an object which memory answers is in use."""


class Tiers:
    """The stored answers."""

    def __init__(self, settings: config.Config, disk_tier: disk.DiskTier | None) -> None:
        self.memory = memory.MemoryTier(settings.memory_bytes, settings.variants_max)
        self.disk = disk_tier
        self._purging = 0
        self._purges = 0

    async def get_from_disk(self, key: str, headers: Mapping[str, str]) -> Stored | None:
        """Return what the disk has for a request, and keep it in memory from now on."""
        if self.disk is None:
            return None
        before = self._purges
        entry = await self.disk.get(key, headers)
        if entry is None or self._purging or before != self._purges:
            return None
        self.memory.put(entry)
        return entry

    def put(self, entry: Stored) -> None:
        """Keep an answer; a decision in memory only (the disk remembers where it led)."""
        self.memory.put(entry)
        if self.disk is None:
            return
        if entry.forward:
            self.disk.forward(entry.key, entry.forward)
        else:
            self.disk.put(entry)

    def discard(self, entry: Stored) -> None:
        """Drop one answer, which turned out not to be good any more."""
        self.memory.remove(entry)
        if self.disk is not None and not entry.forward:
            self.disk.discard(entry)

    def touch(self, entry: Stored, now: float) -> None:
        """Note that an entry is being served."""
        if self.disk is not None and not entry.forward and now - entry.touched > TOUCH_SECONDS:
            entry.touched = now
            self.disk.touch(entry.key)

    async def purge(self, selector: purge.Selector) -> set[str]:
        """Drop what a selector takes and what its decisions led to; return the keys.

        Raises:
            OSError, sqlite3.Error: the disk failed; memory is purged, the disk may not be.
        """
        self._purging += 1
        self._purges += 1
        try:
            gone = self.memory.remove_where(lambda entry: selector.matches(entry.key))
            led = {keys.internal(entry.forward) for entry in gone if entry.forward}
            self.memory.remove_where(lambda entry: entry.key in led)
            found = {entry.key for entry in gone} | led
            if self.disk is not None:
                found.update(await self.disk.purge(selector))
                if selector != purge.EVERYTHING:
                    for key in led:
                        await self.disk.purge(purge.Selector(text=key))
                self.memory.remove_where(lambda entry: entry.key in found)
            return found
        finally:
            self._purging -= 1
            self._purges += 1

    def statistics(self) -> dict[str, int | str]:
        """Return both tiers' counts."""
        counts: dict[str, int | str] = {
            "memory_bytes": self.memory.bytes,
            "memory_entries": len(self.memory),
            "memory_evictions": self.memory.evictions,
            "disk_error": "",
        }
        return counts | (self.disk.statistics() if self.disk is not None else {})
