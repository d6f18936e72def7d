"""The constraints of AWS's service model on what a request holds, and their words. Pure.

All that is wrong is told at once, as the service does: "2 validation errors detected: …; …".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dynimo.model.errors import ValidationFailed


class Faults:
    """Collects what is wrong with one request; ``check`` raises if there is anything."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def add(self, value: Any, member: str, constraint: str) -> None:
        """Note that the value of a member breaks a constraint."""
        shown = "null" if value is None else f"'{value}'"
        self._told.append(f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}")

    def required(self, value: Any, member: str) -> None:
        """It must be there."""
        if value is None:
            self.add(None, member, "Member must not be null")

    def pattern(self, value: Any, member: str, pattern: str) -> None:
        """It must match the whole of a regular expression."""
        if value is not None and not re.fullmatch(pattern, str(value)):
            self.add(value, member, f"Member must satisfy regular expression pattern: {pattern}")

    def one_of(self, value: Any, member: str, allowed: Collection[str]) -> None:
        """It must be one of a set."""
        if value is not None and value not in allowed:
            listed = ", ".join(allowed)
            self.add(value, member, f"Member must satisfy enum value set: [{listed}]")

    def between(self, value: Any, member: str, low: float, high: float) -> None:
        """It must be a number within bounds."""
        if value is None:
            return
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.add(value, member, "Member must be a number")
        elif value < low:
            self.add(value, member, f"Member must have value greater than or equal to {low:g}")
        elif value > high:
            self.add(value, member, f"Member must have value less than or equal to {high:g}")

    def at_most(self, value: Any, member: str, length: int) -> None:
        """Its length is limited."""
        if value is not None and len(value) > length:
            constraint = f"Member must have length less than or equal to {length}"
            self.add(_shown(value), member, constraint)

    def check(self) -> None:
        """Raise ValidationFailed if anything was noted."""
        if self._told:
            count = len(self._told)
            words = "1 validation error" if count == 1 else f"{count} validation errors"
            raise ValidationFailed(f"{words} detected: {'; '.join(self._told)}")


def _shown(value: Any) -> Any:
    """Lists and maps as the service writes them: without quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={each}" for key, each in value.items()) + "}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "[" + ", ".join(map(str, value)) + "]"
    return value


def shown(value: Any) -> Any:
    """A value as the service writes it in its messages."""
    return _shown(value)
