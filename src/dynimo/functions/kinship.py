"""Which invocations share work, and how long is it worth waiting for whoever does it? Pure.

The counts and running means live here; which environment is at work on what is the pool's.
"""

from __future__ import annotations

from dynimo.functions import scaling

KIN_WAIT_SECONDS = 0.1
"""How long somebody waits for what an environment does now, if they share work, before it goes
elsewhere and does all of it again."""
KIN_FIRST_SECONDS = 2.0
"""The same while the first of them is at work, where sharing spares most of an invocation: the
others would only do what that one does."""


class Kinship:
    """The kin of all invocations that wait or run."""

    __slots__ = ("_first_seconds", "_later_seconds", "_members", "_of")

    def __init__(self) -> None:
        """Nobody is anybody's kin."""
        self._of: dict[str, str] = {}
        self._members: dict[str, int] = {}
        self._first_seconds = 0.0
        self._later_seconds = 0.0

    def __bool__(self) -> bool:
        """Whether anybody who waits or runs has kin of a name."""
        return bool(self._of)

    def add(self, invocation: str, kin: str) -> None:
        """It shares work with all of this ``kin``; with nobody if that is empty."""
        if kin:
            self._of[invocation] = kin
            self._members[kin] = self._members.get(kin, 0) + 1

    def of(self, invocation: str) -> str:
        """Its kin; empty for nobody's."""
        return self._of.get(invocation, "") if self._of else ""

    def others(self, kin: str) -> int:
        """How many share work with one of this kin."""
        return max(0, self._members.get(kin, 0) - 1)

    def forget(self, invocation: str) -> None:
        """It neither waits nor runs any more."""
        kin = self._of.pop(invocation, "") if self._of else ""
        if kin:
            self._members[kin] -= 1
            if not self._members[kin]:
                del self._members[kin]

    def observe(self, seconds: float, *, first: bool) -> None:
        """One with kin took so long; ``first``: what it shares was not there before."""
        if first:
            self._first_seconds = scaling.smoothed(self._first_seconds, seconds)
        else:
            self._later_seconds = scaling.smoothed(self._later_seconds, seconds)

    def patience(self, *, first: bool) -> float:
        """How many seconds others wait for one that begins now."""
        spares_most = 0.0 < 2 * self._later_seconds < self._first_seconds
        return KIN_FIRST_SECONDS if first and spares_most else KIN_WAIT_SECONDS
