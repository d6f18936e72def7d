"""Counts the large bodies that are being read at once, so that they cannot fill the memory."""

from __future__ import annotations

from collections.abc import Callable

from dynimo.web import faults, message


class Uploads:
    """Lets large bodies in where ``allowed`` says so, ``most`` at once."""

    def __init__(self, allowed: Callable[[message.Request], bool], most: int) -> None:
        self._allowed = allowed
        self._most = most
        self._count = 0

    def admit(self, request: message.Request) -> bool:
        """Count it in, if such a request may be large at all; ``leave`` when it has been read.

        Raises:
            faults.Fault: 503, there are too many at once.
        """
        if not self._allowed(request):
            return False
        if self._count >= self._most:
            raise faults.Fault(503, "TooManyUploads", "Too many uploads at once; try again soon.")
        self._count += 1
        return True

    def leave(self) -> None:
        """Count one out."""
        self._count -= 1
