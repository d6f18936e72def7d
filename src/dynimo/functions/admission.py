"""May one more invocation of this function begin now? Counts against AWS's limits. Pure.

A function with reserved concurrency has that many places for itself and no more; the others of its
account share what is left. Who is refused here is told so at once (429); waiting is the pool's.
"""

from __future__ import annotations

from dynimo.model.errors import TooManyRequests

ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"
RESERVED_LIMIT = "ReservedFunctionConcurrentInvocationLimitExceeded"

Owned = tuple[str, str]
"""(account, function)."""


class Admission:
    """Who is inside. ``enter`` before an invocation, ``leave`` after it."""

    def __init__(self, concurrency_max: int) -> None:
        self._max = concurrency_max
        self._inside: dict[Owned, int] = {}
        self._unreserved: dict[str, int] = {}
        self._reserved: dict[Owned, int] = {}
        self._reserved_total: dict[str, int] = {}

    def reserve(self, account: str, function: str, places: int | None) -> None:
        """Give a function its own number of places; None takes them away."""
        owned = (account, function)
        before = self._reserved.pop(owned, None)
        inside = self._inside.get(owned, 0)
        if before is not None:
            self._reserved_total[account] -= before
        if places is not None:
            self._reserved[owned] = places
            self._reserved_total[account] = self._reserved_total.get(account, 0) + places
        if (before is None) != (places is None):
            change = -inside if places is not None else inside
            self._unreserved[account] = self._unreserved.get(account, 0) + change

    def enter(self, account: str, function: str) -> None:
        """Count one invocation in.

        Raises:
            TooManyRequests: the function's own places, or those of the account, are taken.
        """
        owned = (account, function)
        inside = self._inside.get(owned, 0)
        reserved = self._reserved.get(owned)
        if reserved is not None:
            if inside >= reserved:
                raise TooManyRequests(RESERVED_LIMIT)
        else:
            shared = self._unreserved.get(account, 0)
            if shared >= self._max - self._reserved_total.get(account, 0):
                raise TooManyRequests(ACCOUNT_LIMIT)
            self._unreserved[account] = shared + 1
        self._inside[owned] = inside + 1

    def leave(self, account: str, function: str) -> None:
        """Count one invocation out."""
        owned = (account, function)
        inside = self._inside.get(owned, 0) - 1
        if inside > 0:
            self._inside[owned] = inside
        else:
            self._inside.pop(owned, None)
        if owned not in self._reserved:
            self._unreserved[account] = self._unreserved.get(account, 1) - 1

    def inside(self, account: str, function: str) -> int:
        """Invocations of a function that have begun and not ended."""
        return self._inside.get((account, function), 0)
