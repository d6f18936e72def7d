"""The rules in force: files whose changes come into force by themselves, and how they roll out.

A change that cannot be used is refused whole and said once; what was in force stays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deciding import Book
from rulesets import rollout
from rulesets.facts import Titles
from rulesets.mistakes import RulesError
from rulesets.reading import load
from rulesets.ruleset import Ruleset, Table

CHECK_SECONDS = 1.0
"""Files are looked at no more often than this."""

Check = Callable[[Ruleset, str], None]
"""Runs a ruleset's own tests; raises RulesError."""
_State = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    plan: rollout.Plan
    stable: Book
    canary: Book | None
    seen: tuple[tuple[Path, _State], ...]


class Watched:
    """The rules of a deployment: one file, or two by a roll-out file that names them.

    ``clock`` gives seconds; ``complain`` takes one line for each refused change.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float],
        check: Check,
        complain: Callable[[str], object] = sys.stderr.write,
    ) -> None:
        """Load the files.

        Raises:
            RulesError: the first version must be right.
        """
        self._path = path
        self._clock = clock
        self._check = check
        self._complain = complain
        self._titles: dict[Table, Titles] = {}
        self._looked_at = clock()
        self._refused: tuple[tuple[Path, _State], ...] = ()
        self._loaded = self._load()

    def current(self, url: str = "", which: str = "") -> Book:
        """Give the ruleset for an address; ``which`` names stable or canary whatever the share."""
        self._look()
        loaded = self._loaded
        if loaded.canary is None or which == "stable":
            return loaded.stable
        if which == "canary" or rollout.is_canary(loaded.plan, url):
            return loaded.canary
        return loaded.stable

    @property
    def rolls_out(self) -> bool:
        """Whether there is a canary."""
        self._look()
        return self._loaded.canary is not None

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked_at < CHECK_SECONDS:
            return
        self._looked_at = now
        seen = tuple((path, _state(path)) for path, _ in self._loaded.seen)
        if seen in (self._loaded.seen, self._refused):
            return
        try:
            self._loaded = self._load()
            self._refused = ()
        except RulesError as error:
            self._refused = seen
            self._complain(f"rules refused, the old ones stay: {error}\n")

    def _load(self) -> _Loaded:
        state = _state(self._path)
        plan = rollout.read(self._path)
        files = [plan.stable, *([plan.canary] if plan.canary else [])]
        seen = [(self._path, state), *((each, _state(each)) for each in files)]
        books = [self._book(each) for each in files]
        kept = {book.ruleset.table for book in books}
        self._titles = {key: each for key, each in self._titles.items() if key in kept}
        canary = books[1] if plan.canary else None
        return _Loaded(plan=plan, stable=books[0], canary=canary, seen=tuple(dict(seen).items()))

    def _book(self, path: Path) -> Book:
        ruleset = load(path)
        self._check(ruleset, str(path))
        if ruleset.table is None:
            return Book(ruleset=ruleset)
        titles = self._titles.setdefault(ruleset.table, Titles(ruleset.table))
        return Book(ruleset=ruleset, look=titles.look, trouble=lambda: titles.trouble)


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
