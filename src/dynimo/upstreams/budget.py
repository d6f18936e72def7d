"""May a request be tried again? Only a share may, or retries bring down what is slow. Pure."""

from __future__ import annotations


class Budget:
    """Each request brings ``share`` of a retry, each retry takes one; ``burst`` can be saved up."""

    __slots__ = ("_burst", "_saved", "_share")

    def __init__(self, share: float, burst: int) -> None:
        self._share = share
        self._burst = float(burst)
        self._saved = float(burst)

    def deposit(self) -> None:
        """A request came in."""
        self._saved = min(self._burst, self._saved + self._share)

    def withdraw(self) -> bool:
        """Take a retry out, if there is one."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
