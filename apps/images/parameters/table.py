"""The whole table of parameters in its order, and the operations that a set of them means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import colours
import limits as limit_names
import refusals
from ops import base, geometry
from ops.base import Op, Text
from parameters import access, audience, effects, layers, output, readers, sizing
from parameters.row import Given, Row


@lru_cache(maxsize=8)
def rows(limits: limit_names.Limits) -> Mapping[str, Row]:
    """Give all rows by name, in the order of the reference."""
    every = (
        *sizing.rows(limits), *effects.TONE, *effects.DETAIL, *effects.EDGES,
        *layers.rows(_edit(limits)), *output.ROWS, *audience.ROWS,
        *access.ROWS,
    )  # fmt: skip
    return {row.name: row for row in every}


def _edit(limits: limit_names.Limits) -> readers.Reader:
    """Take a query of its own, for a mark: everything but layers and output."""
    known = {
        row.name: row
        for row in (*sizing.rows(limits), *effects.TONE, *effects.DETAIL, *effects.EDGES)
    }

    def take(text: str) -> Text | None:
        given: dict[str, Any] = {}
        for piece in text.split("&"):
            name, _, value = piece.partition("=")
            found = known[name].reader.take(value) if name in known else None
            if found is None or name in given:
                return None
            given[name] = found
        try:
            made = ops(given, *sizing.sides(given, limits), geometry.CLEAR)
            base.check_all(made)
        except refusals.Refusal:
            return None
        return Text(";".join(map(base.spell, made)))

    allowed = "parameters of shape, colours, detail and edges, encoded as w%3D90%26radius%3D50p"
    return readers.Reader(take, allowed)


@lru_cache(maxsize=8)
def picture_rows(limits: limit_names.Limits) -> Mapping[str, Row]:
    """Give the rows that say which picture, and so may have defaults."""
    rights = {row.name for row in (*access.ROWS, *audience.ROWS)}
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
