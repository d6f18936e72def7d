"""The whole table of parameters in its order, and the operations that a set of them means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import colours
import limits as limit_names
from ops.base import Op
from parameters import access, effects, layers, output, sizing
from parameters.row import Given, Row


@lru_cache(maxsize=8)
def rows(limits: limit_names.Limits) -> Mapping[str, Row]:
    """Give all rows by name, in the order of the reference."""
    every = (
        *sizing.rows(limits), *effects.TONE, *effects.DETAIL, *effects.EDGES, *layers.ROWS,
        *output.ROWS, *access.ROWS,
    )  # fmt: skip
    return {row.name: row for row in every}


@lru_cache(maxsize=8)
def picture_rows(limits: limit_names.Limits) -> Mapping[str, Row]:
    """Give the rows that say which picture, and so may have defaults."""
    rights = {row.name for row in access.ROWS}
    return {name: row for name, row in rows(limits).items() if name not in rights}


def ops(given: Given, w: int | None, h: int | None, bg: colours.Colour) -> tuple[Op, ...]:
    """Give the operations, always in this order, whatever the URL's.

    ``w`` and ``h`` are those of `sizing.sides`.
    """
    return (
        *sizing.before(given, bg),
        *sizing.sized(given, w, h),
        *effects.applied(given),
        *effects.edges(given),
        *sizing.canvas(given, w, h, bg),
        *layers.laid(given),
    )
