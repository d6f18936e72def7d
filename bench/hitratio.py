"""What share of requests each way of choosing what to keep in memory would answer. Pure and quick.

The edge's own memory tier, as it is, beside LRU and beside W-TinyLFU (in its common shape: a window
of one per cent, a segmented LRU, a count-min sketch that forgets), each with the same bytes, on the
same requests. Sizes are log-normal like those of pictures and do not depend on popularity. Seeded:
two runs give the same figures. A share counts requests or bytes.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterator
from itertools import accumulate
from typing import Protocol

from bench.figures import Report
from bench.setting import Setting
from dynimo.edge.memory import MemoryTier
from dynimo.edge.stored import Stored

NAME = "hitratio"
ABOUT = "hit ratio of the memory tier beside LRU and W-TinyLFU, on Zipf and on scans"
KEYS, REQUESTS = 20_000, 200_000
QUICK_REQUESTS = 60_000
SHARES = (0.01, 0.1)
"""Of the bytes of all objects, how much fits in memory."""
SEED = 20_2611
SIZE_MEDIAN, SIZE_SIGMA, SIZE_MAX = 20_000, 1.0, 400_000


class Policy(Protocol):
    """Keeps within a budget of bytes."""

    def hit(self, key: int) -> bool:
        """Say whether a request is answered, and note it."""

    def put(self, key: int, size: int) -> None:
        """Offer what a miss brought."""


class _Lru:
    """The least recently used goes first."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._held: OrderedDict[int, int] = OrderedDict()

    def hit(self, key: int) -> bool:
        if key not in self._held:
            return False
        self._held.move_to_end(key)
        return True

    def put(self, key: int, size: int) -> None:
        self._held[key] = size
        self._left -= size
        while self._left < 0:
            self._left += self._held.popitem(last=False)[1]


class _TinyLfu:
    """A newcomer leaves the window for the main part only if it was asked for more often."""

    def __init__(self, budget: int) -> None:
        self._window: OrderedDict[int, int] = OrderedDict()
        self._probation: OrderedDict[int, int] = OrderedDict()
        self._protected: OrderedDict[int, int] = OrderedDict()
        self._window_left = budget // 100
        self._main_left = budget - budget // 100
        self._protected_left = self._main_left * 4 // 5
        self._counts: dict[int, int] = {}
        self._sample, self._seen = 10 * KEYS, 0

    def _count(self, key: int) -> None:
        self._counts[key] = min(15, self._counts.get(key, 0) + 1)
        self._seen += 1
        if self._seen >= self._sample:  # forget by halves
            self._seen //= 2
            self._counts = {key: n // 2 for key, n in self._counts.items() if n > 1}

    def hit(self, key: int) -> bool:
        self._count(key)
        if key in self._window:
            self._window.move_to_end(key)
        elif key in self._protected:
            self._protected.move_to_end(key)
        elif key in self._probation:
            self._protect(key)
        else:
            return False
        return True

    def _protect(self, key: int) -> None:
        size = self._probation.pop(key)
        self._protected[key] = size
        self._protected_left -= size
        while self._protected_left < 0:
            old, freed = self._protected.popitem(last=False)
            self._protected_left += freed
            self._probation[old] = freed

    def put(self, key: int, size: int) -> None:
        self._window[key] = size
        self._window_left -= size
        while self._window_left < 0:
            out, freed = self._window.popitem(last=False)
            self._window_left += freed
            self._admit(out, freed)

    def _admit(self, key: int, size: int) -> None:
        mine = self._counts.get(key, 0)
        while self._main_left < size:
            queue = self._probation or self._protected
            victim = next(iter(queue), None)
            if victim is None or self._counts.get(victim, 0) >= mine:
                return
            freed = queue.pop(victim)
            self._main_left += freed
            self._protected_left += freed if queue is self._protected else 0
        self._probation[key] = size
        self._main_left -= size


class _Edge:
    """The memory tier itself."""

    def __init__(self, budget: int) -> None:
        self._tier = MemoryTier(budget, 1)

    def hit(self, key: int) -> bool:
        return self._tier.get(str(key), {}) is not None

    def put(self, key: int, size: int) -> None:
        entry = Stored(
            key=str(key), names=(), values=(), status=200, headers=(), body=b"", born=0.0,
            lifetime=1.0,
        )  # fmt: skip
        entry.cost = size
        self._tier.put(entry)


POLICIES = {"S3-FIFO (the edge)": _Edge, "LRU": _Lru, "W-TinyLFU": _TinyLfu}


def run(setting: Setting) -> Report:
    """Put the same requests to each."""
    report = Report(bench=NAME)
    count = QUICK_REQUESTS if setting.quick else REQUESTS
    sizes = _sizes(random.Random(SEED))
    for title, requests in _demands(count):
        total = sum(sizes[key] for key in set(requests) if key < KEYS)
        for share in SHARES if "scan" not in title else SHARES[1:]:
            ratios = {}
            for name, policy in POLICIES.items():
                by_request, by_byte = _played(policy(int(total * share)), requests, sizes)
                ratios[name] = by_request
                report.add(
                    f"{title}, {share:.0%} fits: {name}", by_request * 100, "%",
                    note=f"{by_byte:.1%} of the bytes",
                )  # fmt: skip
            gain = ratios["S3-FIFO (the edge)"] - ratios["LRU"]
            report.add(f"{title}, {share:.0%} fits: points over LRU", gain * 100, at_least=0.0)
    report.notes.append(f"{KEYS:,} objects, {count:,} requests each, seed {SEED}")
    return report


def _sizes(chance: random.Random) -> list[int]:
    return [
        min(SIZE_MAX, int(SIZE_MEDIAN * chance.lognormvariate(0, SIZE_SIGMA))) + 1600
        for _ in range(KEYS)
    ]


def _demands(count: int) -> Iterator[tuple[str, list[int]]]:
    for exponent in (0.8, 1.0):
        yield f"Zipf {exponent}", _zipf(random.Random(SEED + 1), exponent, count)
    mixed = []
    once = KEYS
    for number, key in enumerate(_zipf(random.Random(SEED + 2), 1.0, count)):
        mixed.append(key)
        if number % 20_000 >= 10_000:  # every other ten thousand, a crawler asks as often as all
            mixed.append(once)
            once += 1
    yield "Zipf 1.0 and a scan", mixed


def _zipf(chance: random.Random, exponent: float, count: int) -> list[int]:
    summed = list(accumulate((rank + 1) ** -exponent for rank in range(KEYS)))
    keys = list(range(KEYS))
    chance.shuffle(keys)
    return [keys[bisect(summed, chance.random() * summed[-1])] for _ in range(count)]


def _played(policy: Policy, requests: list[int], sizes: list[int]) -> tuple[float, float]:
    """Return the share of requests, and of bytes, that were hits; a warm-up does not count."""
    hits = asked = hit_bytes = asked_bytes = 0
    begin = len(requests) // 5
    for number, key in enumerate(requests):
        size = sizes[key % KEYS]
        hit = policy.hit(key)
        if not hit:
            policy.put(key, size)
        if number >= begin and key < KEYS:
            asked, asked_bytes = asked + 1, asked_bytes + size
            hits, hit_bytes = hits + hit, hit_bytes + size * hit
    return hits / asked, hit_bytes / asked_bytes
