"""The reference of the native URL says what its table says; run this file to write it anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import limits
from parameters import access, audience, effects, output, sizing, table
from parameters.row import Row

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "images-native.md"
LIMITS = limits.Limits()


def _of(prefix: str) -> Iterable[Row]:
    return [row for row in table.rows(LIMITS).values() if re.match(prefix + r"(-|$)", row.name)]


GROUPS: Mapping[str, Iterable[Row]] = {
    "shape": sizing.rows(LIMITS),
    "tone": effects.TONE,
    "detail": effects.DETAIL,
    "edges": effects.EDGES,
    "mark": _of("mark"),
    "txt": _of("txt"),
    "output": output.ROWS,
    "audience": audience.ROWS,
    "rights": access.ROWS,
}


def _lines(rows: Iterable[Row]) -> str:
    made = ["| name | value | what |", "|---|---|---|"]
    for row in rows:
        needs = f" Needs `{row.needs}`." if row.needs else ""
        made.append(f"| `{row.name}` | {row.reader.allowed} | {row.means}{needs} |")
    return "\n".join(made) + "\n"


def render(page: str) -> str:
    """Put the tables into the page."""
    for name, rows in GROUPS.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, _, rest = page.partition(start)
        after = rest.partition(end)[2]
        page = before + start + _lines(rows) + end + after
    return page


def test_the_reference_is_the_table() -> None:
    """Every parameter, what it takes and what it means; `python` this file after a change."""
    page = PAGE.read_text("utf-8")
    assert page == render(page)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
