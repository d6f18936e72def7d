"""What a bench finds, as values, and how people and programs read it.

Here are the figure, the report, the arithmetic on samples, and both renderings (table, JSON).
No measuring. A figure carries its goal, so that no reader has to look it up elsewhere.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number. ``goal`` is met when ``value`` is at least (or at most) that."""

    name: str
    value: float
    unit: str = ""
    goal: float | None = None
    better: Literal["more", "less"] = "more"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; ``None`` without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


@dataclass(slots=True, kw_only=True)
class Report:
    """What one bench has to say. ``missing`` names what could not be measured, and why.

    ``blocks`` are further lines for people, ``details`` the same for programs.
    """

    bench: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def add(
        self,
        name: str,
        value: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        note: str = "",
    ) -> None:
        """Append one figure, with at most one of the two kinds of goal."""
        goal = at_most if at_least is None else at_least
        better: Literal["more", "less"] = "more" if at_most is None else "less"
        figure = Figure(name=name, value=value, unit=unit, goal=goal, better=better, note=note)
        self.figures.append(figure)


def median(samples: Sequence[float]) -> float:
    """Return the middle value, or NaN of nothing."""
    return statistics.median(samples) if samples else math.nan


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that ``percent`` of all samples do not exceed (nearest rank)."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratio_of_rounds(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios, round by round: what a slow minute does to both cancels."""
    pairs = zip(ours, theirs, strict=True)
    return median([mine / other for mine, other in pairs if other])


def spread(samples: Sequence[float]) -> str:
    """Say how far the rounds lie apart, for the note beside a median."""
    if len(samples) < 2:
        return ""
    return f"rounds {shown(min(samples))}-{shown(max(samples))}"


def shown(value: float) -> str:
    """Render a number with about three significant digits."""
    if math.isnan(value):
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(report: Report) -> str:
    """Render a report for a person."""
    rows = [_row(figure) for figure in report.figures]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [f"{report.bench}  ({report.seconds:.0f} s)"]
    for name, value, unit, goal, note in rows:
        line = f"  {name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}"
        lines.append(f"{line}  {goal:<{widths[3]}}  {note}".rstrip())
    lines += report.blocks
    lines += [f"  missing: {text}" for text in report.missing]
    lines += [f"  note: {text}" for text in report.notes]
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    goal = ""
    if figure.goal is not None:
        sign = "\u2265" if figure.better == "more" else "\u2264"
        goal = f"goal {sign} {shown(figure.goal)} {'met' if figure.met else 'MISSED'}"
    return figure.name, shown(figure.value), figure.unit, goal, figure.note


def as_json(report: Report) -> dict[str, Any]:
    """Render a report for a program; a value that could not be measured is ``null``."""
    document = asdict(report)
    del document["blocks"]
    for row, figure in zip(document["figures"], report.figures, strict=True):
        row["value"] = None if math.isnan(figure.value) else figure.value
        row["met"] = figure.met
    return document
