"""The one who writes groups to the disk, and lets go of what is too much. Used by one thread.

It knows what every group holds; ``budget`` decides what goes. Lines that the disk refuses are
counted and named in the log once it takes lines again.
"""

from __future__ import annotations

import heapq
import logging
import operator
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dynimo.logs import budget, layout, notes, reading
from dynimo.logs.budget import Held, Share
from dynimo.logs.config import Config
from dynimo.logs.records import Row
from dynimo.logs.segment import ROWS_AT_ONCE, Segment

_when = operator.itemgetter(0)
log = logging.getLogger("dynimo.logs")

OPEN_FILES_MAX = 128
IDLE_SECONDS = 600.0
"""A group that got no line for so long is closed; its next line opens it again."""

FREE_CHECK_SECONDS = 1.0
TELL_SECONDS_MIN = 60.0
"""At most one line in the platform's own log about a failing disk in this time."""

ROTATE_AT_ONCE = 16


class Key(NamedTuple):
    """Whose group, and which."""

    account: str
    group: str


@dataclass(slots=True)
class Lost:
    """Lines of a group that could not be kept, and the stream of the last of them."""

    count: int = 0
    stream: str = ""

    def row(self, when_ms: int) -> Row:
        """The one line that tells it."""
        lines = "1 line was" if self.count == 1 else f"{self.count} lines were"
        text = f"[dynimo] {lines} lost here: more was written than the log could take."
        return (when_ms, self.stream, "platform", "", text)


@dataclass(slots=True)
class _Group:
    """A group at work: what it holds, and the segment that grows (None while it rests)."""

    folder: Path
    share: Share = field(default_factory=Share)
    segment: Segment | None = None
    born: float = 0.0
    used: float = 0.0
    lost: Lost = field(default_factory=Lost)


class Keeper:
    """All groups of a folder. ``load`` before use."""

    def __init__(self, root: Path, config: Config, now: Callable[[], float] = time.time) -> None:
        self.root = root
        self.refused = 0
        self.error = ""
        self._config = config
        self._now = now
        self._groups: dict[Path, _Group] = {}
        self._open: OrderedDict[Path, Segment] = OrderedDict()
        self._free_checked = 0.0
        self._grown = 0
        self._told = -TELL_SECONDS_MIN

    @property
    def size(self) -> int:
        """Bytes of all groups."""
        return sum(group.share.size for group in self._groups.values())

    @property
    def groups(self) -> int:
        """How many there are."""
        return len(self._groups)

    def load(self) -> None:
        """Learn what is on the disk, and let go of what is too much.

        Raises:
            OSError: the folder cannot be used.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for account in self.root.iterdir():
            for folder in account.iterdir() if account.is_dir() else ():
                self._learn(folder)
        self.tidy()

    def append(self, key: Key, rows: list[Row], lost: Lost | None = None) -> bool:
        """Keep rows of a group (made if it is new), and tell how many were lost before it.

        False if the disk refused them.
        """
        group = self._group(key)
        if lost is not None and lost.count:
            group.lost.count += lost.count
            group.lost.stream = lost.stream
        rows.sort(key=_when)
        now = self._now()
        if group.lost.count:
            rows.append(group.lost.row(int(now * 1000)))
        for at in range(0, len(rows), ROWS_AT_ONCE):
            try:
                self._check_free(now)
                self._segment(group, key, now).append(rows[at : at + ROWS_AT_ONCE])
            except OSError as error:
                self._refuse(group, rows[at:], error)
                return False
            self._rotate(group, now)
        group.lost = Lost()
        self.error = ""
        if self._grown >= self._config.segment_bytes:
            self.shrink()
        return True

    def tidy(self) -> None:
        """Let go of what is too old or too much; close what is idle. Costs a look at each group."""
        now = self._now()
        drops = []
        for group in self._groups.values():
            if group.segment is not None and now - group.used > IDLE_SECONDS:
                self._finish(group)
            drops += budget.of_group(group.folder, group.share, self._config, int(now * 1000))
        self._drop(drops)
        self.shrink()

    def shrink(self) -> None:
        """Keep all together within ``total_bytes_max``."""
        self._grown = 0
        total = self.size
        while total > self._config.total_bytes_max:
            shares = ((folder, group.share) for folder, group in self._groups.items())
            self._drop(budget.of_all(shares, total, self._config))
            total = self.size
            if total <= self._config.total_bytes_max:
                return
            growing = [each for each in self._groups.values() if each.segment is not None]
            if not growing:
                return
            for group in heapq.nlargest(ROTATE_AT_ONCE, growing, key=lambda each: each.share.size):
                self._finish(group)

    def close(self) -> None:
        """Finish every index and close every file."""
        for group in self._groups.values():
            self._finish(group)

    # What people decide about groups and streams. Each returns False if there is no such group.

    def create_group(self, key: Key) -> bool:
        """Make an empty group; False if it is there already."""
        folder = layout.group_folder(self.root, *key)
        if folder.is_dir():
            return False
        self._group(key)
        self._write_notes(folder, key)
        return True

    def delete_group(self, key: Key) -> bool:
        """Remove a group with all its lines."""
        folder = layout.group_folder(self.root, *key)
        if not folder.is_dir():
            return False
        group = self._groups.pop(folder, None)
        if group is not None and group.segment is not None:
            group.segment.rest()
        self._open.pop(folder, None)
        shutil.rmtree(folder)
        return True

    def note(self, key: Key, change: Callable[[notes.Notes], None]) -> bool:
        """Change a group's notes."""
        folder = layout.group_folder(self.root, *key)
        if not folder.is_dir():
            return False
        group = self._group(key)
        told = notes.load(folder) or notes.Notes(
            group=key.group, created_ms=int(self._now() * 1000)
        )
        change(told)
        first = min(reading.segments(folder), default=0)
        told.gone = {
            stream: at for stream, at in told.gone.items() if layout.position(at).segment >= first
        }
        notes.save(folder, told)
        group.share.retention_days = told.retention_days
        return True

    # Inside.

    def _learn(self, folder: Path) -> None:
        share = Share()
        for number in reading.segments(folder):
            path = layout.segment_file(folder, number)
            told = path.stat()
            try:
                size = told.st_size + layout.index_file(folder, number).stat().st_size
            except FileNotFoundError:
                size = told.st_size
            share.add(Held(number, size, int(told.st_mtime * 1000)))
        noted = notes.load(folder)
        share.retention_days = noted.retention_days if noted is not None else 0
        self._groups[folder] = _Group(folder, share)

    def _group(self, key: Key) -> _Group:
        folder = layout.group_folder(self.root, *key)
        group = self._groups.get(folder)
        if group is None:
            group = self._groups[folder] = _Group(folder)
        return group

    def _segment(self, group: _Group, key: Key, now: float) -> Segment:
        """The segment that grows, with its file open."""
        if group.segment is None:
            finished = group.share.finished
            if not finished and not group.folder.is_dir():
                self._write_notes(group.folder, key)
            number = 1
            if finished and finished[-1].size < self._config.segment_bytes:
                held = finished.pop()
                group.share.finished_bytes -= held.size
                number = held.number
            elif finished:
                number = finished[-1].number + 1
            else:
                number = max(reading.segments(group.folder), default=0) + 1
            group.segment = Segment(group.folder, number)
            first = group.segment.first_ms / 1000
            group.born = first if 0 < first < now else now
        self._open[group.folder] = group.segment
        self._open.move_to_end(group.folder)
        if len(self._open) > OPEN_FILES_MAX:
            self._open.popitem(last=False)[1].rest()
        return group.segment

    def _rotate(self, group: _Group, now: float) -> None:
        """Count what was written, and begin another segment if this one is big or old."""
        assert group.segment is not None
        self._grown += group.segment.size - group.share.growing_bytes
        group.share.growing_bytes = group.segment.size
        group.used = now
        old = now - group.born > self._config.segment_seconds
        if old or group.segment.size >= self._config.segment_bytes:
            self._finish(group)
            self._drop(budget.of_group(group.folder, group.share, self._config, int(now * 1000)))

    def _finish(self, group: _Group) -> None:
        segment = group.segment
        if segment is None:
            return
        segment.finish()
        self._open.pop(group.folder, None)
        group.segment = None
        group.share.growing_bytes = 0
        group.share.add(Held(segment.number, segment.size, int(self._now() * 1000)))

    def _drop(self, drops: list[budget.Drop[Path]]) -> None:
        for folder, number in drops:
            layout.segment_file(folder, number).unlink(missing_ok=True)
            layout.index_file(folder, number).unlink(missing_ok=True)

    def _write_notes(self, folder: Path, key: Key) -> None:
        notes.save(folder, notes.Notes(group=key.group, created_ms=int(self._now() * 1000)))

    def _check_free(self, now: float) -> None:
        """Raise OSError while the disk has too little left."""
        if not self.error and now - self._free_checked < FREE_CHECK_SECONDS:
            return
        self._free_checked = now
        told = os.statvfs(self.root)
        if told.f_bavail * told.f_frsize < self._config.free_bytes_min:
            mib = self._config.free_bytes_min // (1024 * 1024)
            raise OSError(28, f"less than {mib} MiB are free")

    def _refuse(self, group: _Group, rows: list[Row], error: OSError) -> None:
        count = len(rows) - (1 if group.lost.count else 0)
        self.refused += count
        group.lost.count += count
        group.lost.stream = rows[0][1]
        self.error = error.strerror or str(error)
        if time.monotonic() - self._told >= TELL_SECONDS_MIN:
            self._told = time.monotonic()
            log.warning(
                "functions' lines cannot be kept in %s (%s); %d were lost up to now",
                self.root, self.error, self.refused,
            )  # fmt: skip
