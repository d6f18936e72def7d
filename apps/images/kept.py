"""What an environment keeps of the sources it has just read, for the next size of the same picture.

New artwork is asked for in many sizes at once. The second request for a source decodes it at a
scale from which most others can be made, and that stays for a while, within a budget; where that
has happened with most sources lately, the first does so. Memory of this process only; nothing is
ever written.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyvips

import original as originals
from shapes import Size

PIXELS_BYTES_MAX = 64 << 20
"""Decoded pictures kept in one environment, all together."""
FILES_BYTES_MAX = 48 << 20
"""Files of sources kept in one environment, all together."""
FILE_SECONDS = 10.0
"""How long a downloaded file is used without asking its server again."""
BANDS_MAX = 4
USEFUL_SIDE = 1_400
"""Pixels that the longer side has at least when a source is decoded for many sizes, as long as
nothing is known of them."""
USEFUL_SIDE_MAX = 2_048
"""The same where larger ones are asked for: what is larger still is decoded for itself."""
LEVEL_SIDE_MIN = 640
"""Half and quarter copies are kept beside a picture while their longer side has this."""
HALVINGS_MAX = 3
"""Decoders are quickest at a half, a quarter and an eighth."""
SEEN_MAX = 256
"""Sources of which it is remembered that they were asked for."""
PROFILE_BYTES_MAX = 64 << 10
"""Of a header that is remembered: a profile may have megabytes, and headers are many."""
FIRSTS = 8
"""Of so many sources it is remembered what was asked of them: what the next is like."""
FOLLOWED_MIN = 3
"""If it was so of these, and of most, the next source is decoded for many sizes at once."""


class Pictures:
    """Decoded pictures by source and revision, the least lately used go first.

    What is kept is upright 8-bit sRGB of the whole source, possibly smaller than it is.
    """

    def __init__(self, bytes_max: int = PIXELS_BYTES_MAX) -> None:
        """Keep up to ``bytes_max``."""
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[str, tuple[pyvips.Image, ...]] = OrderedDict()
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._firsts: OrderedDict[str, _First] = OrderedDict()
        self._headers: OrderedDict[str, Any] = OrderedDict()

    def find(self, key: str, least: Size) -> pyvips.Image | None:
        """Give the smallest picture of at least that size."""
        for image in reversed(self._held.get(key, ())):
            if image.width >= least[0] and image.height >= least[1]:
                self._held.move_to_end(key)
                return image
        return None

    def keep(self, key: str, levels: tuple[pyvips.Image, ...]) -> None:
        """Keep a picture whose pixels are in memory, largest level first, instead of an older."""
        if _size(levels) > self._bytes_max:
            return
        self._bytes += _size(levels) - _size(self._held.pop(key, ()))
        self._held[key] = levels
        while self._bytes > self._bytes_max:
            _, gone = self._held.popitem(last=False)
            self._bytes -= _size(gone)

    def holds(self, size: Size) -> bool:
        """Tell whether a picture of that size can be kept, whatever its bands."""
        return size[0] * size[1] * BANDS_MAX <= self._bytes_max

    def header(self, key: str, read: Callable[[], Any]) -> Any:
        """Give what was read of a file's header before, or read it: counting scans takes long."""
        header = self._headers.get(key)
        if header is None:
            header = read()
            if len(header.icc) > PROFILE_BYTES_MAX:
                return header
            self._headers[key] = header
            if len(self._headers) > SEEN_MAX:
                self._headers.popitem(last=False)
        return header

    def see(self, key: str, recipe: str, least: Size) -> bool:
        """Remember what was asked of it, and how large that is; whether else was asked before."""
        if key not in self._seen:
            self._firsts[key] = _First()
            if len(self._firsts) > FIRSTS:
                self._firsts.popitem(last=False)
        before = self._seen.setdefault(key, recipe)
        self._seen.move_to_end(key)
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        if key in self._firsts:
            first = self._firsts[key]
            first.followed |= before != recipe
            first.side = max(first.side, *least)
        return before != recipe

    @property
    def many_likely(self) -> bool:
        """Whether more was asked of most of the last sources, so that it will be of the next."""
        followed = sum(first.followed for first in self._firsts.values())
        return followed >= FOLLOWED_MIN and 2 * followed > len(self._firsts)

    @property
    def useful_side(self) -> int:
        """How long the longer side should be for most that will be asked of a source."""
        if not self.many_likely:
            return USEFUL_SIDE
        largest = max(first.side for first in self._firsts.values())
        return min(max(largest, LEVEL_SIDE_MIN), USEFUL_SIDE_MAX)


@dataclass(slots=True)
class _First:
    """Whether more than one thing was asked of a source, and the longest side that it needed."""

    followed: bool = False
    side: int = 0


def _size(levels: tuple[pyvips.Image, ...]) -> int:
    return sum(image.width * image.height * image.bands for image in levels)


@dataclass(slots=True)
class Picture:
    """The place of one source's picture; ``key`` changes whenever the source's bytes do.

    ``recipe`` is what is asked of it now. ``expected``: others that need it are known to be coming.
    ``shared`` tells, after rendering, whether the pixels come from what is kept for many sizes.
    """

    pictures: Pictures
    key: str
    recipe: str
    expected: bool = False
    shared: bool = False

    def find(self, least: Size) -> pyvips.Image | None:
        """Give a decoded picture of at least that size, if there is one."""
        found = self.pictures.find(self.key, least)
        if found is not None:  # this, too, tells what sources are like these days
            self.pictures.see(self.key, self.recipe, least)
        self.shared = found is not None
        return found

    def useful(self, size: Size, least: Size) -> Size | None:
        """Say how large to decode a source of ``size`` of which several pictures are made.

        None for the first (unless sources are asked for in many sizes these days), and where it
        could not be kept: then no more is decoded than is needed.
        """
        likely, side = self.pictures.many_likely, self.pictures.useful_side
        if not (self.pictures.see(self.key, self.recipe, least) or self.expected or likely):
            return None
        found = size
        for halvings in range(1, HALVINGS_MAX + 1):
            smaller = -(-size[0] // 2**halvings), -(-size[1] // 2**halvings)
            if max(smaller) < side or smaller[0] < least[0] or smaller[1] < least[1]:
                break
            found = smaller
        self.shared = self.pictures.holds(found)
        return found if self.shared else None

    def header(self, read: Callable[[], Any]) -> Any:
        """Give what was read of the file's header before, or read it."""
        return self.pictures.header(self.key, read)

    def keep(self, *levels: pyvips.Image) -> None:
        """Keep a decoded picture and smaller copies of it, whose pixels are in memory."""
        self.pictures.keep(self.key, levels)


@dataclass(frozen=True, slots=True)
class _Downloaded:
    """A file that was read a moment ago: what `original.Found` asks for."""

    original: originals.Original

    @property
    def revision(self) -> str:
        """That of the bytes."""
        return self.original.revision

    @property
    def modified(self) -> float | None:
        """As the server said."""
        return self.original.modified

    def read(self) -> originals.Original:
        """All of it."""
        return self.original

    def beginning(self, size: int) -> bytes:
        """The first bytes of it."""
        return self.original.data[:size]

    def close(self) -> None:
        """Nothing is held."""


class Files:
    """Files of sources, for as long as nobody would notice that they are not quite new."""

    def __init__(
        self, bytes_max: int = FILES_BYTES_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep up to ``bytes_max``; ``clock`` gives seconds."""
        self._bytes_max = bytes_max
        self._clock = clock
        self._bytes = 0
        self._held: OrderedDict[str, tuple[float | None, originals.Original]] = OrderedDict()

    def find(self, key: str) -> originals.Found | None:
        """Give the file if it was downloaded less than ``FILE_SECONDS`` ago."""
        held = self._held.get(key)
        if held is None or held[0] is None:
            return None
        if self._clock() > held[0] + FILE_SECONDS:
            self._drop(key)
            return None
        return _Downloaded(held[1])

    def same(self, key: str, revision: str | None) -> originals.Original | None:
        """Give the file if it was kept in that revision, however long ago."""
        held = self._held.get(key) if revision else None
        return held[1] if held is not None and held[1].revision == revision else None

    def keep(self, key: str, original: originals.Original, *, downloaded: bool) -> None:
        """Keep a file: ``downloaded`` for a moment, else for whoever knows its revision."""
        self._drop(key)
        self._held[key] = (self._clock() if downloaded else None, original)
        self._bytes += len(original.data)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        gone = self._held.pop(key, None)
        self._bytes -= len(gone[1].data) if gone else 0
