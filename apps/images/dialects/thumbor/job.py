"""One path on its way to a recipe: what its filters have said so far. No pixels, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import refusals
from dialects.thumbor.arguments import Skip
from dialects.thumbor.focus import Focus
from dialects.thumbor.path import Path
from ops import base, layers
from ops.base import Op


@dataclass(slots=True)
class Layers:
    """How many layers one request has, nested ones included."""

    count: int = 0

    def add(self) -> None:
        """Count one more.

        Raises:
            Refusal: 400; they are too many.
        """
        self.count += 1
        if self.count > layers.LAYERS_MAX:
            raise refusals.parameter("layers", str(self.count), f"at most {layers.LAYERS_MAX}")


@dataclass(slots=True, kw_only=True)
class Job:
    """A path, and what its filters make of it.

    ``flags`` are filters that only say how to size; ``made`` is what comes after sizing; ``out``
    are arguments of the output; ``nested`` compiles a layer's own path to its file and operations.
    """

    path: Path
    refer: Callable[[str], str]
    nested: Callable[[str], Nested]
    layers: Layers
    flags: set[str] = field(default_factory=set)
    turned: int = 0
    focuses: list[Focus] = field(default_factory=list)
    made: list[Op] = field(default_factory=list)
    out: dict[str, Any] = field(default_factory=dict)
    until: float | None = None
    skipped: list[str] = field(default_factory=list)

    def add(self, *ops: Op) -> None:
        """Do these after what is there.

        Raises:
            Skip: an argument is outside what the operation allows.
        """
        for op in ops:
            try:
                base.check(op)
            except refusals.Refusal:
                raise Skip from None
        self.made += ops


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A layer: its file, what is done to it first, and which sides are its parent's."""

    file: str
    ops: tuple[Op, ...]
    path: Path


FilterWork = Callable[[Job, list[str]], None]
"""What a filter does; it raises `Skip` when it cannot."""
