"""Memory over disk as one store, and what a purge means across both.

A purge is effective before it returns, whatever it takes: it is an entry in a table (``purges``)
and a line in a file. What it took is dropped from where it lies afterwards, behind the requests;
then, once no fill is under way that is older, the purge is forgotten. A purge that runs while
something is read from disk must win: what was read is then not used.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Callable, Mapping

from dynimo.edge import config, disk, index, memory, purges
from dynimo.edge.purge import Purge, Selector
from dynimo.edge.stored import Stored

_log = logging.getLogger("dynimo.edge")

TOUCH_SECONDS = 600.0
"""How often the disk is told that an object which memory answers is in use."""

TAGS_MAX = 1000
"""An answer with more tags is not stored: a purge could not be sure to find it."""

COUNT_LOOKS_MAX = 2000
"""Above so many entries in memory a purge counts what is on disk only."""

PENDING_MAX = 10_000
"""Purges not yet swept; one more waits until some are."""

SLICE_ENTRIES = 500
"""A sweep through memory lets requests in after so many."""

SWEEP_PAUSE_SECONDS = 0.2
"""Before a sweep: purges that come together are written down before the disk is busy with them."""

WAIT_SECONDS, WAITS_MAX = 0.1, 100
"""How often a sweep looks whether the fills that are older have ended; then they are not stored."""

BATCH_PURGES = 256
"""So many purges are swept together."""

RETRY_SECONDS = 30.0
"""After the disk failed a sweep, until it is tried again."""


class Tiers:
    """The stored answers. ``now`` tells the time."""

    def __init__(
        self,
        settings: config.Config,
        disk_tier: disk.DiskTier | None,
        *,
        now: Callable[[], float],
    ) -> None:
        self.purges = purges.Purges()
        self.memory = memory.MemoryTier(settings.memory_bytes, settings.variants_max, self.purges)
        self.disk = disk_tier
        self._older_fills: Callable[[int], bool] = lambda _: False
        self._mark_older: Callable[[int], None] = lambda _: None
        self._now = now
        self._sweeper: asyncio.Task[None] | None = None
        self._swept = asyncio.Event()
        self._counting: set[int] = set()

    def watch(self, older: Callable[[int], bool], mark: Callable[[int], None]) -> None:
        """Be told of the fills under way: is one older than a purge; and such are not stored."""
        self._older_fills, self._mark_older = older, mark

    async def open(self) -> None:
        """Open the disk tier, and go on with the purges that an earlier life left."""
        if self.disk is None:
            return
        told = await self.disk.open()
        if told is not None:
            self.purges.begin(*told)
        if self.purges.pending:
            self._start_sweeping()

    async def close(self) -> None:
        """Stop sweeping (what is left is swept in the next life), and write what waits."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self.disk is not None:
            await self.disk.close()

    # Answers.

    async def get_from_disk(self, key: str, headers: Mapping[str, str]) -> Stored | None:
        """Return what the disk has for a request, and keep it in memory from now on."""
        if self.disk is None:
            return None
        before = self.purges.number, self.purges.retired
        entry = await self.disk.get(key, headers)
        since = self.purges.number, self.purges.retired
        if entry is None or since != before or not self.purges.judge(entry):
            return None
        self.memory.put(entry)
        return entry

    async def members(self, group: str, limit: int) -> list[Stored]:
        """Return what is stored of a group, at most so many; those on disk without their bodies."""
        found = {each.place: each for each in self.memory.members(group) if self.stands(each)}
        if self.disk is not None and len(found) < limit:
            rows = await self.disk.ask(lambda db: index.members(db, group, limit))
            for row in rows or ():
                entry = row.stored(b"")
                if entry.place not in found and self.stands(entry):
                    found[entry.place] = entry
        return list(found.values())[:limit]

    async def whole(self, member: Stored) -> Stored | None:
        """Return a member with its body; None if it is gone."""
        selecting = member.selecting
        held = self.memory.get(member.key, selecting)
        return held or await self.get_from_disk(member.key, selecting)

    def put(self, entry: Stored) -> None:
        """Keep an answer; a decision in memory only (the disk remembers where it led).

        One that was purged while it was on its way is not kept.
        """
        if not entry.stamp:
            entry.stamp = self.purges.number
        if len(entry.tags) > TAGS_MAX or not self.purges.judge(entry):
            return
        self.memory.put(entry)
        if self.disk is None:
            return
        if entry.forward:
            self.disk.forward(entry)
        else:
            self.disk.put(entry)

    def stands(self, entry: Stored) -> bool:
        """Say whether an answer was not purged since its fill began."""
        return self.purges.judge(entry)

    def led(self, decision: Stored) -> None:
        """A decision is followed: what it leads to must be no older than the decision's purges."""
        self.purges.led(decision)

    def discard(self, entry: Stored) -> None:
        """Drop one answer, which turned out not to be good any more."""
        self.memory.remove(entry)
        if self.disk is not None and not entry.forward:
            self.disk.discard(entry)

    def touch(self, entry: Stored, now: float) -> None:
        """Note that an entry is being served."""
        if self.disk is not None and not entry.forward and now - entry.touched > TOUCH_SECONDS:
            entry.touched = now
            entry.told = entry.uses
            self.disk.touch(entry.key, entry.uses)

    # Purges.

    async def purge(self, selector: Selector, *, durable: bool = False) -> int:
        """Purge; return how many keys that takes, exactly up to ``disk.COUNT_MAX``.

        ``durable`` waits until not even a power cut undoes it.

        Raises:
            OSError: the disk failed; it is purged, but a crash may undo that.
        """
        while len(self.purges.pending) >= PENDING_MAX:
            self._swept.clear()
            await self._swept.wait()
        taken = self._in_memory(selector)
        if durable or taken or not selector.one_key or not self._is_absent(selector.text):
            return await self._purge(selector, taken, durable=durable)
        return 0

    def _is_absent(self, key: str) -> bool:
        return self.disk is None or self.disk.denies(key)

    async def _purge(self, selector: Selector, taken: set[str], *, durable: bool) -> int:
        made = self.purges.add(selector, self._now())
        self._counting.add(made.number)
        number = 0
        try:
            if self.disk is not None:
                (number, named), _ = await asyncio.gather(
                    self.disk.taken(selector), self.disk.remember(made, durable=durable)
                )
                taken |= named
        except OSError as error:
            if durable:
                raise
            _log.warning("A purge could not be written down; a crash may undo it: %s", error)
        finally:
            self._counting.discard(made.number)
            self._start_sweeping()
        if selector.everything:
            number = self._count()
        return max(len(taken), number if number > disk.COUNT_EXACT_MAX else 0)

    def _in_memory(self, selector: Selector) -> set[str]:
        """Return the keys in memory that a purge takes, what their decisions led to included."""
        if selector.one_key:
            entries = self.memory.variants(selector.text)
        elif len(self.memory) <= COUNT_LOOKS_MAX:
            entries = self.memory.entries()
        else:
            return set()
        found = [entry for entry in entries if selector.matches(entry.key, entry.tags)]
        led = {entry.forward_key for entry in found if entry.forward}
        return {entry.key for entry in found} | {key for key in led if key in self.memory}

    def _count(self) -> int:
        return max(len(self.memory), self.disk.count if self.disk is not None else 0)

    def _start_sweeping(self) -> None:
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="edge sweep")

    def _next_batch(self) -> list[Purge]:
        """Return the next purges to sweep: in order, and none before it has been counted."""
        first = itertools.islice(self.purges.pending, BATCH_PURGES)
        return list(itertools.takewhile(lambda made: made.number not in self._counting, first))

    async def _sweep(self) -> None:
        """Drop what the purges took, until none is left that matters."""
        while self.purges.pending:
            await asyncio.sleep(SWEEP_PAUSE_SECONDS)
            batch = self._next_batch()
            if not batch:
                return
            try:
                await asyncio.gather(*(self._sweep_disk(made) for made in batch))
            except (OSError, sqlite3.Error) as error:
                _log.warning("A purge's sweep failed and is tried again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._sweep_memory(batch)
            last = batch[-1].number
            for _ in range(WAITS_MAX):
                if not self._older_fills(last):
                    break
                await asyncio.sleep(WAIT_SECONDS)
            self._mark_older(last)
            await asyncio.sleep(WAIT_SECONDS)  # who waited for the last of them looks once more
            self.purges.retire(last)
            self._swept.set()
            if self.disk is not None:
                self.disk.retired(last)

    async def _sweep_disk(self, made: Purge) -> None:
        gone = await self.disk.sweep(made) if self.disk is not None else set()
        for key in gone if not made.selector.soft else ():
            self.memory.remove_older(key, made.number)

    async def _sweep_memory(self, batch: list[Purge]) -> None:
        """Judge what lies in memory by the purges; what dead decisions led to goes too."""
        if all(made.selector.one_key for made in batch):
            found = [entry for made in batch for entry in self.memory.variants(made.selector.text)]
        else:
            found = self.memory.entries()
        for number, entry in enumerate(found, 1):
            if entry.forward:
                self.purges.led(entry)
                for led in self.memory.variants(entry.forward_key):
                    self.memory.sift(led)
            self.memory.sift(entry)
            if number % SLICE_ENTRIES == 0:
                await asyncio.sleep(0)

    def statistics(self) -> dict[str, int | str]:
        """Return both tiers' counts."""
        counts: dict[str, int | str] = {
            "memory_bytes": self.memory.bytes,
            "memory_entries": len(self.memory),
            "memory_evictions": self.memory.evictions,
            "purges_pending": len(self.purges.pending),
            "disk_error": "",
        }
        return counts | (self.disk.statistics() if self.disk is not None else {})
