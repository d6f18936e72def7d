"""Purges of nginx's cache: what they take, and for what else they hold. Blocking; one thread's.

A purge takes files. What was asked for before it and stored after it is taken when it is first
seen: purges are kept for a while, and answers that had begun by then are theirs too. Everything is
purged by a new generation of keys, for which nginx is loaded anew (``program``); here the files of
generations before are only swept away.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from dynimo.edge.purge import Purge, Selector
from dynimo.nginx import cached
from dynimo.nginx.catalogue import Catalogue, Found

KEPT_SECONDS = 900.0
"""As long as a function may run, and an answer may come."""

UNDER_WAY_SECONDS = 5.0
"""An answer that begins this soon after a purge may have been made before it: it is taken as well.
One that was asked for before and takes longer is not told from one that was asked for after."""

SWEPT_AT_ONCE = 1000


class Purger:
    """Purges the cache in ``folder``; keeps a catalogue of it in ``file``."""

    def __init__(self, folder: Path, file: Path, *, now: Callable[[], float] = time.time) -> None:
        self._catalogue = Catalogue(folder, file)
        self._now = now
        self._kept: deque[Purge] = deque()
        self._number = 0
        self.counts = {"purges": 0, "purged": 0, "files": 0, "unreadable": 0}

    def hurry(self) -> None:
        """End what is under way as soon as can be; from any thread."""
        self._catalogue.stopping = True

    def close(self) -> None:
        """Close the catalogue."""
        self._catalogue.close()

    def purge(self, selector: Selector) -> int:
        """Take what is there; return how many files that were.

        Raises:
            OSError: the cache cannot be read, or a file not be deleted.
        """
        self.look()
        self._number += 1
        purge = Purge(number=self._number, at=self._now(), selector=selector)
        self._kept.append(purge)
        count = self._take(self._catalogue.taken(selector), purge)
        self.counts["purges"] += 1
        self.counts["purged"] += count
        return count

    def look(self) -> None:
        """See what nginx has stored since, and take what earlier purges hold for.

        Raises:
            OSError: as above.
        """
        new = self._catalogue.look()
        self.counts["unreadable"] += sum(not each.key for each in new)
        while self._kept and self._kept[0].at + KEPT_SECONDS < self._now():
            self._kept.popleft()
        oldest = min((each.arrived for each in new), default=0)
        for purge in reversed(self._kept):
            until = purge.at + UNDER_WAY_SECONDS
            if not new or until < oldest:
                break
            late = [each for each in new if each.arrived <= until]
            self._take([each for each in late if _held(each, purge)], purge)
        self.counts["files"] = len(self._catalogue)

    def sweep(self, generation: int) -> bool:
        """Delete some files of earlier generations; say whether there may be more."""
        old = self._catalogue.older(generation, SWEPT_AT_ONCE)
        for each in old:
            cached.delete(self._catalogue.path(each))
        self._catalogue.forget(old)
        return len(old) == SWEPT_AT_ONCE

    def _take(self, found: list[Found], purge: Purge) -> int:
        """Delete files, or make them stale; return how many."""
        if purge.selector.soft:
            return sum(cached.make_stale(self._catalogue.path(each), purge.at) for each in found)
        for each in found:
            cached.delete(self._catalogue.path(each))
        self._catalogue.forget(found)
        return len(found)


def _held(found: Found, purge: Purge) -> bool:
    return not found.key or purge.selector.matches(found.key, found.tags)
