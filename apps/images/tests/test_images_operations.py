"""The reference of operations says what their declarations say; run this file to write it anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import colours
from ops import base, effects, geometry, values
from ops.base import Op, Text

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "images-operations.md"
GROUPS: Mapping[str, Sequence[type[Op]]] = {
    "geometry": (
        geometry.Trim, geometry.Crop, geometry.Cut, geometry.Shape, geometry.Resize,
        geometry.Rotate, geometry.Flip, geometry.Extend, geometry.Pad, geometry.Background,
    ),
    "tone": (
        effects.Brightness, effects.Contrast, effects.Saturation, effects.Hue, effects.Gamma,
        effects.Levels, effects.Curve, effects.Grey, effects.Bitonal, effects.Invert,
        effects.Equalise, effects.Monochrome, effects.Duotone, effects.Colourise, effects.Tint,
    ),
    "detail": (
        effects.Blur, effects.Sharpen, effects.Unsharp, effects.Pixelate, effects.Noise,
        effects.Convolve, effects.ProgressiveBlur,
    ),
    "parts": (effects.Gradient, effects.Vignette, effects.Region, effects.Detections),
    "outline": (effects.Round, effects.Mask, effects.Border, effects.Shadow),
}  # fmt: skip
_NAMES: Mapping[Any, str] = {
    Decimal: "number", int: "whole number", bool: "true or false", Text: "text",
    values.Length: "length", values.Gravity: "gravity", colours.Colour: "colour",
}  # fmt: skip


def _kind(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        bare, limit = get_args(hint)
        return f"{_NAMES[bare]} {limit.least} to {limit.most}"
    if get_origin(hint) is Literal:
        return " ".join(f"`{word}`" for word in get_args(hint))
    return _NAMES.get(hint, "word")


def _default(value: Any) -> str:
    if value is MISSING:
        return ""
    if isinstance(value, bool):
        return "; true" if value else ""
    if isinstance(value, tuple):
        return f"; `{colours.spell(value)}`"
    shown = values.spell_number(value) if isinstance(value, (Decimal, int)) else str(value)
    return f"; {shown}" if shown else ""


def _row(kind: type[Op]) -> str:
    hints = get_type_hints(kind, include_extras=True)
    arguments = [
        f"`{field.name}`: {_kind(hints[field.name])}{_default(field.default)}"
        for field in fields(kind)  # type: ignore[arg-type]
    ]
    means = re.sub(r"\s+", " ", (kind.__doc__ or "").replace("``", "`")).strip()
    return f"| `{kind.op_name}` | {'<br>'.join(arguments)} | {means} |"


def render(page: str) -> str:
    """Put the tables into the page."""
    for name, kinds in GROUPS.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, _, rest = page.partition(start)
        lines = ["| operation | arguments; default | what |", "|---|---|---|", *map(_row, kinds)]
        page = before + start + "\n".join(lines) + "\n" + end + rest.partition(end)[2]
    return page


def test_the_reference_is_the_declarations() -> None:
    """Every argument, its range and its default; `python` this file after a change."""
    page = PAGE.read_text("utf-8")
    assert page == render(page)


def test_every_operation_is_in_the_reference() -> None:
    """In a table of arguments, and in that of the URL languages."""
    kinds = {
        kind for kind in base.KINDS.values() if kind.__module__ in ("ops.geometry", "ops.effects")
    }
    assert {kind for group in GROUPS.values() for kind in group} == kinds
    named = PAGE.read_text("utf-8").partition("## How each")[2]
    assert set(re.findall(r"^\| `([a-z]+)` \|", named, re.M)) == {one.op_name for one in kinds}


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
