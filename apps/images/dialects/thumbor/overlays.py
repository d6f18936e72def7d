"""Filters that lay something over the picture: watermark, image, text, label, frame. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dialects.thumbor import arguments
from dialects.thumbor.arguments import Skip, decimal, flag, whole
from dialects.thumbor.job import FilterWork, Job
from dialects.thumbor.path import Path
from ops import layers, values
from ops.base import EMPTY, Text, spell
from ops.values import CENTRE, ZERO, Length

TEXT_POINTS = 24
LABEL_PIXELS = 20
_POINTS_PER_INCH = 72
_ALL = Length(Decimal(1), share=True)
_BLENDS = {
    "normal": "over", "color-dodge": "colour-dodge", "color-burn": "colour-burn",
    "mask": "dest-in", "mask-out": "dest-out",
}  # fmt: skip
_SAME_BLENDS = (
    "multiply", "screen", "overlay", "darken", "lighten", "hard-light", "soft-light",
    "difference", "exclusion", "add",
)  # fmt: skip
_ALIGNS = {
    "": "start", "low": "start", "left": "start", "centre": "centre", "center": "centre",
    "high": "end", "right": "end",
}  # fmt: skip
_WRAPS = {"": "word", "word": "word", "char": "char", "wordchar": "word", "none": "none"}
_SIZED = re.compile(r"(.*?)[- ]?([0-9]{1,4}(?:\.[0-9]{1,2})?)")


def _at(given: list[str], index: int, default: str = "") -> str:
    return given[index] if len(given) > index else default


def _word(table: Mapping[str, str], text: str) -> Any:
    if text not in table:
        raise Skip
    return table[text]


def _blend(text: str) -> Any:
    name = text or "normal"
    return name if name in _SAME_BLENDS else _word(_BLENDS, name)


def watermark(job: Job, given: list[str]) -> None:
    """``watermark(url,x,y,alpha[,w_ratio[,h_ratio]])``; alpha is transparency, ratios percent."""
    if len(given) < 3:
        raise Skip
    gravity, along = arguments.place(given[1], given[2])
    w, h = (_ratio(_at(given, index)) for index in (4, 5))
    opacity = arguments.opacity(_at(given, 3))
    file = Text(job.refer(given[0]))
    job.layers.add()
    job.add(layers.Layer(file, gravity, w, h, opacity, **_tiled(along)))


def _tiled(along: str) -> dict[str, Any]:
    return {"tile": bool(along), "along": along or "both", "spread": bool(along)}


def _ratio(text: str) -> Length:
    return ZERO if text in ("", "none") else values.share(decimal(text) / 100)


def image(job: Job, given: list[str]) -> None:
    """Imagor's ``image(path,x,y[,alpha[,blend]])``: a path with operations of its own."""
    if not given:
        raise Skip
    gravity, along = arguments.place(_at(given, 1), _at(given, 2))
    opacity, blend = arguments.opacity(_at(given, 3)), _blend(_at(given, 4))
    job.layers.add()
    nested = job.nested(given[0])
    w, h, fit = _boxed(nested.path)
    gravity = CENTRE if fit == "outside" else gravity  # it covers everything
    made = Text(";".join(map(spell, nested.ops))) if nested.ops else EMPTY
    job.add(
        layers.Layer(
            Text(nested.file), gravity, w, h, opacity, blend, fit=fit, made=made, **_tiled(along)
        )
    )  # fmt: skip


def _boxed(path: Path) -> tuple[Length, Length, Any]:
    """Give the box of a layer that has a side of its parent, and how it is brought into it."""
    if not (path.w.startswith("f") or path.h.startswith("f")):
        return ZERO, ZERO, "inside"
    w, h = _inherited(path.w), _inherited(path.h)
    if path.fit_in or path.stretch:
        return w, h, "inside" if path.fit_in else "fill"
    if (w, h) != (_ALL, _ALL):
        raise Skip  # a layer that is cut to a box which only the parent's size tells
    return w, h, "outside"


def _inherited(side: str) -> Length:
    """Give a side of such a box; ``full-20`` cannot be said."""
    if side in ("f", "full"):
        return _ALL
    if side.startswith("f"):
        raise Skip
    return values.pixels(int(side)) if side.isdigit() else ZERO


def text(job: Job, given: list[str]) -> None:
    """Imagor's ``text(text,x,y[,font,color,alpha,blend,width,align,justify,wrap,spacing,dpi])``."""
    words = arguments.encoded(_at(given, 0))
    if not words:
        raise Skip
    gravity, _ = arguments.place(_at(given, 1), _at(given, 2))
    font, points = _font(_at(given, 3))
    dpi = whole(_at(given, 12) or str(_POINTS_PER_INCH))
    align: Any = _word(_ALIGNS, _at(given, 8))
    if _at(given, 9) and flag(given[9]):
        align = "justify"
    job.layers.add()
    job.add(
        layers.Words(
            Text(words),
            gravity,
            font,
            values.pixels(values.rounded(points * dpi / _POINTS_PER_INCH)),
            arguments.colour(_at(given, 4) or "black"),
            _width(_at(given, 7)),
            align=align,
            wrap=_word(_WRAPS, _at(given, 10)),
            opacity=arguments.opacity(_at(given, 5)),
            blend=_blend(_at(given, 6)),
            spacing=whole(_at(given, 11) or "0"),
        )
    )


def _width(given: str) -> Length:
    return _ALL if given.startswith("f") else arguments.length(given or "0")


def _font(given: str) -> tuple[Text, Decimal]:
    """Read ``sans-bold-24``: a family, and points."""
    matched = _SIZED.fullmatch(given)
    name, points = (matched[1], Decimal(matched[2])) if matched else (given, Decimal(TEXT_POINTS))
    return Text(name.replace("-", " ").strip()) if name else layers.FONT, points


def label(job: Job, given: list[str]) -> None:
    """Imagor's ``label(text,x,y,size,color[,alpha[,font]])``: one line, size in pixels."""
    words = arguments.encoded(_at(given, 0))
    if not words:
        raise Skip
    gravity, _ = arguments.place(_at(given, 1), _at(given, 2))
    size = whole(_at(given, 3) or str(LABEL_PIXELS))
    font, _ = _font(_at(given, 6))
    job.layers.add()
    job.add(
        layers.Words(
            Text(words),
            gravity,
            font,
            values.pixels(size),
            arguments.colour(_at(given, 4) or "black"),
            align="start",
            wrap="none",
            opacity=arguments.opacity(_at(given, 5)),
        )
    )


def frame(job: Job, given: list[str]) -> None:
    """``frame(url)``: a nine-patch around the picture."""
    if not given:
        raise Skip
    file = Text(job.refer(given[0]))
    job.layers.add()
    job.add(layers.Layer(file, fit="patch"))


WORK: Mapping[str, FilterWork] = {
    "frame": frame,
    "image": image,
    "label": label,
    "text": text,
    "watermark": watermark,
}
