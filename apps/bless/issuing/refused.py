"""Refusals: rows with a cap, so that who tries in vain is seen and cannot fill the disk.

No token, proof or key is in them; a subject key stands there by its fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from issuing.state import State

ROWS_MAX = 10_000
TEXT_CHARACTERS_MAX = 512
_SHOWN = ("number", "at", "doing", "code", "caller", "key", "message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """``at`` is seconds since the epoch; ``key`` a fingerprint, or empty."""

    at: int
    doing: str
    code: str
    caller: str
    key: str
    message: str

    def told(self) -> dict[str, object]:
        """As it is shown and logged."""
        return asdict(self)


def put(state: State, refusals: Sequence[Refusal]) -> list[None]:
    """Keep them; the oldest go when there are too many. Raises StateError."""
    with state.changing(counted=False) as sql:
        sql.executemany(
            "INSERT INTO refusals (at, doing, code, caller, key, message)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (each.at, each.doing[:32], each.code, each.caller[:TEXT_CHARACTERS_MAX],
                 each.key, each.message[:TEXT_CHARACTERS_MAX])
                for each in refusals
            ],
        )  # fmt: skip
        sql.execute(
            "DELETE FROM refusals WHERE number <= (SELECT max(number) FROM refusals) - ?",
            (ROWS_MAX,),
        )
    return [None] * len(refusals)


def read(state: State, begin: int, count: int) -> list[dict[str, object]]:
    """From number ``begin`` on, the oldest first. Raises StateError."""
    rows = state.rows(
        "SELECT number, at, doing, code, caller, key, message FROM refusals"
        " WHERE number >= ? ORDER BY number LIMIT ?",
        (begin, count),
    )
    return [dict(zip(_SHOWN, row, strict=True)) for row in rows]
