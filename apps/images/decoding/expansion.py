"""How much a drawing becomes when its references are followed: `use` of `use` grows without end.

Pure. Counts elements; whoever refers to an element counts for all that is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import refusals

DRAWN_MAX = 200_000
"""Elements of a drawing, each as often as it is referred to."""
DEPTH_MAX = 50
"""References through references."""
_LOCAL = re.compile(r"url\s*\(\s*['\"]?#([^)'\"]*)")


class Census:
    """Counts while a drawing is read; `check` judges at the end."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {"": 0}
        self._refers: dict[str, list[str]] = {"": []}
        self._open: list[str] = [""]

    def enter(self, name: str, references: Iterable[str]) -> None:
        """Count an element with that id (or none), inside of those that are open."""
        within = self._open[-1]
        if name and name not in self._sizes:
            self._refers[within].append(name)
            self._sizes[name], self._refers[name] = 0, []
            within = name
        self._open.append(within)
        self._sizes[within] += 1
        self._refers[within] += references

    def leave(self) -> None:
        """Close the element that was entered last."""
        self._open.pop()

    def check(self) -> None:
        """Judge.

        Raises:
            Refusal: 422; the drawing grows over ``DRAWN_MAX``, or refers deeper than is followed.
        """
        if self._drawn("", {}, 0) > DRAWN_MAX:
            raise refusals.unusable(
                "too_complex",
                f"the drawing has more than {DRAWN_MAX} elements when its references are followed",
            )

    def _drawn(self, name: str, known: dict[str, int], depth: int) -> int:
        if name in known or name not in self._sizes:
            return known.get(name, 0)
        if depth > DEPTH_MAX:
            return DRAWN_MAX + 1
        known[name] = 0  # a circle draws nothing
        count = self._sizes[name]
        for other in self._refers[name]:
            count += self._drawn(other, known, depth + 1)
            if count > DRAWN_MAX:
                break
        known[name] = count
        return count


def local(value: str) -> list[str]:
    """Name what an attribute's value refers to by ``url(#name)``."""
    return _LOCAL.findall(value)
