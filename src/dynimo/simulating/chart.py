"""One drawing: demand, supply and waiting over time, a panel for each way of supply. SVG as text.

Nothing is computed here but places on the sheet. Every panel has the same scales, so that they can
be compared at a glance; where supply is missing is red.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLUMNS_MAX = 2
WIDTH, SUPPLY_HEIGHT, WAITING_HEIGHT = 400, 150, 56
MARGIN_LEFT, MARGIN_TOP, GAP, TITLE_HEIGHT, AXIS_HEIGHT = 52, 92, 22, 46, 24
POINTS_MAX = 600
DEMAND, SUPPLY, MISSING, WAITING, INK, QUIET = (
    "#c9ced6", "#1666c5", "#d93a2b", "#e8912d", "#1c2430", "#6b7480",
)  # fmt: skip

Across = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One way of supply. The sequences run together, at ``times`` (seconds, rising).

    ``demand`` and ``supply`` are environments; ``waiting`` is requests that wait; ``failed`` is
    failures a second. ``verdict`` says what came of it in one line; ``good`` colours it.
    """

    title: str
    verdict: str
    good: bool
    times: Sequence[float]
    demand: Sequence[float]
    supply: Sequence[float]
    waiting: Sequence[float]
    failed: Sequence[float]


def draw(panels: Sequence[Panel], *, title: str, subtitle: str = "") -> str:
    """Return the whole SVG document."""
    columns = min(COLUMNS_MAX, len(panels))
    lines = math.ceil(len(panels) / columns)
    cell_width = MARGIN_LEFT + WIDTH + GAP
    cell_height = TITLE_HEIGHT + SUPPLY_HEIGHT + WAITING_HEIGHT + AXIS_HEIGHT + GAP
    width, height = columns * cell_width + GAP, MARGIN_TOP + lines * cell_height
    most = max((max(*p.demand, *p.supply, 1.0) for p in panels), default=1.0)
    queue = max((max(*p.waiting, *p.failed, 1.0) for p in panels), default=1.0)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(GAP, 28, title, size=18, weight="bold"),
        _text(GAP, 48, subtitle, colour=QUIET),
        _legend(GAP, 62),
    ]
    for index, panel in enumerate(panels):
        x = GAP + (index % columns) * cell_width + MARGIN_LEFT
        y = MARGIN_TOP + (index // columns) * cell_height + TITLE_HEIGHT
        parts.append(_panel(panel, x, y, most=most, queue=queue))
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, x: float, y: float, *, most: float, queue: float) -> str:
    kept = _thinned(len(panel.times))
    begin, end = panel.times[0], max(panel.times[-1], panel.times[0] + 1e-9)
    across: Across = lambda at: x + (at - begin) / (end - begin) * WIDTH  # noqa: E731
    top: Across = lambda value: y + SUPPLY_HEIGHT * (1 - value / most)  # noqa: E731
    floor = y + SUPPLY_HEIGHT + WAITING_HEIGHT
    low: Across = lambda value: floor - (WAITING_HEIGHT - 8) * value / queue  # noqa: E731
    times = [across(panel.times[index]) for index in kept]
    demand = [top(panel.demand[index]) for index in kept]
    supply = [top(panel.supply[index]) for index in kept]
    met = [max(one, other) for one, other in zip(demand, supply, strict=True)]
    waiting = [low(panel.waiting[index]) for index in kept]
    failed = [low(panel.failed[index]) for index in kept]
    bottom = y + SUPPLY_HEIGHT
    verdict = SUPPLY if panel.good else MISSING
    return "\n".join(
        [
            _text(x, y - 26, panel.title, size=14, weight="bold"),
            _text(x, y - 9, panel.verdict, colour=verdict),
            _area(times, demand, [bottom] * len(times), MISSING),
            _area(times, met, [bottom] * len(times), DEMAND),
            _line(times, supply, SUPPLY),
            _area(times, waiting, [floor] * len(times), WAITING),
            *([_line(times, failed, MISSING)] if any(panel.failed) else []),
            _rule(x, bottom),
            _rule(x, floor),
            _tick(x, y, bottom, most),
            _tick(x, y + SUPPLY_HEIGHT + 8, floor, queue),
            *(_moment(across(at), floor, at) for at in _moments(begin, end)),
        ]
    )


def _thinned(count: int) -> list[int]:
    """So many indices at most, the last one too."""
    step = max(1, math.ceil(count / POINTS_MAX))
    kept = list(range(0, count, step))
    return kept if kept[-1] == count - 1 else [*kept, count - 1]


def _moments(begin: float, end: float) -> list[float]:
    """Four or five round moments."""
    rough = (end - begin) / 4
    sizes = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600)
    size = next((each for each in sizes if each >= rough), rough)
    first = math.ceil(begin / size)
    return [index * size for index in range(first, int(end / size) + 1)]


def _when(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 300 else f"{seconds:g} s"


def shown(value: float) -> str:
    """A count as people write it: 29, 1,340, 2.4 M."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def _legend(x: float, y: float) -> str:
    marks = (
        (DEMAND, "environments that demand needs"),
        (SUPPLY, "environments there are"),
        (MISSING, "missing; below: failures a second"),
        (WAITING, "requests waiting"),
    )
    parts = []
    for colour, words in marks:
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 17, y + 10, words, colour=QUIET))
        x += 34 + 6.9 * len(words)
    return "\n".join(parts)


def _text(
    x: float, y: float, words: str, *, size: int = 12, colour: str = INK, weight: str = "normal",
    anchor: str = "start",
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" font-weight="{weight}"'
        f' text-anchor="{anchor}">{escape(words)}</text>'
    )


def _points(times: Sequence[float], heights: Sequence[float]) -> str:
    """A path of steps: each height holds until the next time."""
    path = [f"{times[0]:.1f},{heights[0]:.1f}"]
    for index in range(1, len(times)):
        if heights[index] != heights[index - 1] or index == len(times) - 1:
            path.append(f"{times[index]:.1f},{heights[index - 1]:.1f}")
            path.append(f"{times[index]:.1f},{heights[index]:.1f}")
    return " ".join(path)


def _area(
    times: Sequence[float], heights: Sequence[float], floor: Sequence[float], colour: str
) -> str:
    ends = f"{times[-1]:.1f},{floor[-1]:.1f} {times[0]:.1f},{floor[0]:.1f}"
    return f'<polygon points="{_points(times, heights)} {ends}" fill="{colour}"/>'


def _line(times: Sequence[float], heights: Sequence[float], colour: str) -> str:
    points = _points(times, heights)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _rule(x: float, y: float) -> str:
    return f'<line x1="{x}" y1="{y}" x2="{x + WIDTH}" y2="{y}" stroke="{QUIET}"/>'


def _tick(x: float, top: float, bottom: float, most: float) -> str:
    return "\n".join(
        [
            _text(x - 6, top + 8, shown(most), colour=QUIET, anchor="end"),
            _text(x - 6, bottom, "0", colour=QUIET, anchor="end"),
        ]
    )


def _moment(x: float, y: float, at: float) -> str:
    return _text(x, y + 16, _when(at), colour=QUIET, anchor="middle")
