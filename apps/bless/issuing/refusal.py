"""A refusal: a word for programs, a sentence for people. Neither ever has a secret in it."""

from __future__ import annotations

DENIED, INVALID, UNPROVED, USED = "denied", "invalid", "unproved", "used"
PENDING, UNKNOWN, NO_CA = "pending", "unknown", "no_ca"
UNAVAILABLE, EXISTS = "unavailable", "exists"
CODES = (DENIED, INVALID, UNPROVED, USED, PENDING, UNKNOWN, NO_CA, UNAVAILABLE, EXISTS)


class Refused(Exception):
    """Nothing is signed. ``code`` is one of `CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
