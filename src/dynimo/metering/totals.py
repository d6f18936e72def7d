"""What was used, asked from outside: the ledger and what the journal has beyond it, of one moment.

Only reads, so it may be asked while a server writes, or while none runs.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dynimo.metering import folding, journal
from dynimo.metering.folding import Folding
from dynimo.metering.ledger import FILE, Ledger
from dynimo.metering.use import HOUR_MS, Row, Use

BY = ("function", "version", "alias", "day")
ATTEMPTS = 5
"""The journal's files may be counted and removed while they are read; then it is begun anew."""


@dataclass(frozen=True, slots=True)
class Total:
    """What one function used; ``part`` is the version, alias or day that it is told apart by."""

    arn: str
    part: str
    use: Use


def totals(folder: Path, *, since_ms: int, by: str = "function", function: str = "") -> list[Total]:
    """What was used since a time (its whole hour), by one of ``BY``; ``function`` is name or ARN.

    Raises:
        FileNotFoundError: nothing was ever counted there.
        sqlite3.Error: the ledger cannot be read.
    """
    sums: dict[tuple[str, str], Use] = {}
    for row, use in _rows(folder, since_ms // HOUR_MS):
        if function and function not in {row.arn, row.arn.rpartition(":")[2]}:
            continue
        key = (row.arn, _part(row, by))
        sums.setdefault(key, Use()).add(use)
    return [Total(arn, part, use) for (arn, part), use in sorted(sums.items(), key=_order)]


def _rows(folder: Path, since_hour: int) -> list[tuple[Row, Use]]:
    if not (folder / FILE).exists():
        raise FileNotFoundError(folder / FILE)
    for _ in range(ATTEMPTS - 1):
        try:
            return _read(folder, since_hour)
        except FileNotFoundError:
            continue
    return _read(folder, since_hour)


def _read(folder: Path, since_hour: int) -> list[tuple[Row, Use]]:
    try:
        ledger = Ledger(folder, writable=False)
    except sqlite3.OperationalError:
        ledger = Ledger(folder)  # a ledger in WAL may need its companion files made
    try:
        rows, (number, offset) = ledger.snapshot(since_hour)
    finally:
        ledger.close()
    known = Folding()
    for each in journal.files(folder):
        if each <= number - folding.WINDOW_FILES:
            continue
        size = journal.path(folder, each).stat().st_size
        counted = size if each < number else offset if each == number else 0
        for after, entry in journal.entries(folder, each, 0, size):
            if after > counted:
                known.fold(each, entry)
            else:
                known.remember(each, entry)
        known.forget(each)
    return rows + [(row, use) for row, use in known.taken.items() if row.hour >= since_hour]


def _part(row: Row, by: str) -> str:
    if by == "version":
        return row.version
    if by == "alias":
        return row.alias
    if by == "day":
        from datetime import UTC, datetime  # noqa: PLC0415 - few ask

        return f"{datetime.fromtimestamp(row.hour * 3600, UTC):%Y-%m-%d}"
    return ""


def _order(item: tuple[tuple[str, str], Use]) -> tuple[str, int, str]:
    arn, part = item[0]
    return (arn, int(part) if part.isdigit() else -1, part)
