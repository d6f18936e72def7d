"""Parameters that say not which picture but by what right: presets, and until when. Pure."""

from __future__ import annotations

import re

from parameters import readers
from parameters.row import Row

NAMED_MAX = 8
"""Presets in one URL."""
EXPIRES_MAX = 9_999_999_999
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


def _names(text: str) -> tuple[str, ...] | None:
    pieces = tuple(text.split(",", NAMED_MAX))
    right = len(pieces) <= NAMED_MAX and all(map(_NAME.fullmatch, pieces))
    return pieces if right and len(set(pieces)) == len(pieces) else None


PRESET_NAMES = readers.Reader(_names, f"1 to {NAMED_MAX} names of presets, separated by commas")

ROWS = (
    Row("preset", PRESET_NAMES, "What the deployment calls by that name; later ones win over"
        " earlier ones, the URL over all."),
    Row("expires", readers.Reader(
        lambda text: int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None,
        f"seconds since 1970, up to {EXPIRES_MAX}", "number",
    ), "From then on the URL is refused (403)."),
)  # fmt: skip
