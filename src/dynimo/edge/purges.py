"""The purges that still matter, so that none of them has to touch what it takes. Pure.

Purges are numbered. What is stored bears, as its ``stamp``, the number that was the last when its
fill began; a purge takes what it names if the stamp is lower. So a purge is one entry in a table
whatever it takes, and it holds for fills under way. Each stored answer is judged when it is next
looked at, and again only after another purge. When a sweep has dropped what a purge took from where
it lies, the purge is retired.
"""

from __future__ import annotations

from collections import Counter, deque

from dynimo.edge.purge import Purge, Selector, target_of
from dynimo.edge.stored import Stored

NUMBERS_PER_SECOND = 1 << 24
"""Numbers begin at the time of opening, times this: above all that an earlier life gave."""


class Purges:
    """What has been purged. ``version`` changes with each purge: what was judged then stands.

    ``retired`` is the last purge that was forgotten; what was read before that cannot be judged.
    """

    def __init__(self) -> None:
        self.number = 1
        self.version = 0
        self.retired = 0
        self.pending: deque[Purge] = deque()
        self._hard = _Floors()
        self._soft = _Floors()
        self._soft_at: dict[int, float] = {}
        self._led: list[tuple[_Floors, int, str]] = []

    def __repr__(self) -> str:
        return f"<Purges number: {self.number}, pending: {len(self.pending)}>"

    def begin(self, number: int, done: int, restored: list[Purge]) -> None:
        """Take up what an earlier life left; numbers go on above ``number``."""
        for purge in restored:
            self._record(purge)
        self.retire(done)
        self.number = max(self.number, number)

    def add(self, selector: Selector, at: float) -> Purge:
        """Purge: from now on nothing stored before is what it was."""
        self.number += 1
        purge = Purge(number=self.number, at=at, selector=selector)
        self._record(purge)
        return purge

    def judge(self, entry: Stored) -> bool:
        """Say whether an answer still stands; one that was softly purged becomes stale here.

        Only one that stands is marked as judged: who merely looks must not pass a purged one.
        """
        if entry.stamp < self.number and entry.stamp < self._hard.of(entry.key, entry.tags):
            return False
        entry.checked = self.version
        soft = self._soft.of(entry.key, entry.tags)
        if entry.stamp < soft:
            entry.cut(self._soft_at[soft])
        return True

    def led(self, decision: Stored) -> None:
        """Let what a decision leads to be no older than the purges of the decision itself."""
        for floors in (self._hard, self._soft):
            number = floors.of(decision.key, decision.tags)
            if number <= floors.everything or floors.exact.get(decision.forward_key, 0) >= number:
                continue
            floors.exact[decision.forward_key] = number
            self._led.append((floors, number, decision.forward_key))
            self.version += 1

    def retire(self, number: int) -> list[Purge]:
        """Forget the purges up to this number, which nothing stored is older than; return them.

        Those of everything stay: they are two numbers, and cost nothing.
        """
        gone = []
        self.retired = max(self.retired, number)
        while self.pending and self.pending[0].number <= number:
            gone.append(self.pending.popleft())
        for purge in gone:
            floors = self._soft if purge.selector.soft else self._hard
            floors.remove(purge.selector, purge.number)
            if purge.selector.soft and self._soft.everything != purge.number:
                del self._soft_at[purge.number]
        for floors, led, key in self._led:
            if led <= number and floors.exact.get(key) == led:
                del floors.exact[key]
        self._led = [each for each in self._led if each[1] > number]
        return gone

    def _record(self, purge: Purge) -> None:
        self.pending.append(purge)
        if purge.selector.soft:
            self._soft_at[purge.number] = purge.at
        (self._soft if purge.selector.soft else self._hard).add(purge.selector, purge.number)
        self.version += 1


class _Floors:
    """The number of the last purge of each key, prefix and tag: what is older is taken.

    Keys with and without a host share the tables: those for any host begin with a slash.
    """

    def __init__(self) -> None:
        self.everything = 0
        self.exact: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._lengths: Counter[int] = Counter()
        self._tags: dict[str, int] = {}

    def _table(self, selector: Selector) -> dict[str, int]:
        if selector.tag:
            return self._tags
        return self._prefixes if selector.prefix else self.exact

    def add(self, selector: Selector, number: int) -> None:
        """Raise the floor under what this names."""
        if selector.everything:
            self.everything = number
            return
        table = self._table(selector)
        if selector.prefix and selector.text not in table:
            self._lengths[len(selector.text)] += 1
        table[selector.text] = number

    def remove(self, selector: Selector, number: int) -> None:
        """Forget a floor, unless a later purge set it."""
        table = self._table(selector)
        if table.get(selector.text) != number:
            return
        del table[selector.text]
        if selector.prefix:
            self._lengths[len(selector.text)] -= 1
            self._lengths = +self._lengths

    def of(self, key: str, tags: tuple[str, ...]) -> int:
        """Return the highest floor under a key with these tags; 0 for none."""
        floor = self.everything
        if self.exact or self._prefixes:
            for subject in (key, target_of(key)):
                floor = max(floor, self.exact.get(subject, 0))
                for length in self._lengths:
                    if length <= len(subject):
                        floor = max(floor, self._prefixes.get(subject[:length], 0))
        if self._tags:
            for tag in tags:
                floor = max(floor, self._tags.get(tag, 0))
        return floor
