"""Parameters of what is laid over the picture: other pictures (`mark`) and words (`txt`). Pure.

Each may come several times: ``mark2``, ``mark2-w`` … are the second one's.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

from ops import layers, values
from ops.base import EMPTY, Op, Text
from parameters import readers
from parameters.row import Given, Row, scaled

EACH_MAX = 4
"""Marks of one picture, and texts of one picture."""
MARK_PAD = values.pixels(10)
TEXT_SIZE = values.pixels(24)
_BLEND = tuple(word.replace("colour", "color") for word in get_args(layers.Blend))
_SIDE = readers.length()
_OFFSET = readers.length(-readers.SIDE_MAX)
_ALONG = {"1": "both", "true": "both", "x": "across", "y": "down", "0": "", "false": ""}
_TILE = readers.Reader(_ALONG.get, f"one of {', '.join(_ALONG)}")
_ONE = Decimal(1)
_JUSTIFY = {"start": "start", "center": "centre", "end": "end", "justify": "justify"}


def _mark_rows(mark: str, edit: readers.Reader) -> tuple[Row, ...]:
    return (
        Row(mark, readers.REFERENCE, "Another picture to lay over it."),
        Row(f"{mark}-edit", edit, "What is done to it before.", mark),
        Row(f"{mark}-align", readers.OVER, "Where; `bottom,right`. `calm` is the place of nine with"
            " the least detail, `beside-faces` such a one that hides no face.", mark),
        Row(f"{mark}-x", _OFFSET, "Away from that edge (from the centre: to the right); 10.", mark),
        Row(f"{mark}-y", _OFFSET, "Away from that edge (from the centre: down); 10.", mark),
        Row(f"{mark}-pad", _SIDE, "Both of these.", mark),
        Row(f"{mark}-w", _SIDE, "Its width; percents are of the picture below.", mark),
        Row(f"{mark}-h", _SIDE, "Its height.", mark),
        Row(f"{mark}-fit", readers.words("inside", "outside", "fill"),
            "How it comes into that box; `inside`.", mark),
        Row(f"{mark}-alpha", readers.part(), "Its opacity in percent; 100.", mark),
        Row(f"{mark}-blend", readers.words(*_BLEND), "How it is blended; `over`.", mark),
        Row(f"{mark}-tile", _TILE, "Repeat it: in both directions, or in one.", mark),
        Row(f"{mark}-rot", readers.number(0, 360), "Turn it clockwise.", mark),
    )  # fmt: skip


def _text_rows(txt: str) -> tuple[Row, ...]:
    return (
        Row(txt, readers.text(), "Words to lay over it."),
        Row(f"{txt}-font", readers.matching(r"[0-9A-Za-z][0-9A-Za-z ,.-]{0,99}",
            "the name of a font and its style, as Noto Sans Bold"), "The font.", txt),
        Row(f"{txt}-size", readers.length(1, 4096), "Its size in pixels. Without it, as large as"
            " fits the box; without a box, 24.", txt),
        Row(f"{txt}-color", readers.COLOUR, "Its colour; black.", txt),
        Row(f"{txt}-align", readers.OVER, "Where; `bottom,left`. `calm` and `beside-faces` as for"
            " marks.", txt),
        Row(f"{txt}-x", _OFFSET, "Away from that edge; 10.", txt),
        Row(f"{txt}-y", _OFFSET, "Away from that edge; 10.", txt),
        Row(f"{txt}-pad", _SIDE, "Both of these.", txt),
        Row(f"{txt}-width", _SIDE, "Width of the box in which lines are broken.", txt),
        Row(f"{txt}-height", _SIDE, "Height of the box.", txt),
        Row(f"{txt}-justify", readers.words(*_JUSTIFY), "How lines lie in the box; `center`.", txt),
        Row(f"{txt}-wrap", readers.words("word", "char", "none"), "Where lines break; `word`.",
            txt),
        Row(f"{txt}-lead", readers.whole(0, 200), "Pixels between lines.", txt),
        Row(f"{txt}-alpha", readers.part(), "Its opacity in percent; 100.", txt),
        Row(f"{txt}-blend", readers.words(*_BLEND), "How it is blended; `over`.", txt),
        Row(f"{txt}-rot", readers.number(0, 360), "Turn it clockwise.", txt),
        Row(f"{txt}-line", readers.number(0, 50), "Pixels of outline.", txt),
        Row(f"{txt}-line-color", readers.COLOUR, "The outline's colour; white.", f"{txt}-line"),
        Row(f"{txt}-shad", readers.number(0, 50), "Pixels of soft shadow.", txt),
        Row(f"{txt}-contrast", readers.FLAG, "Black or white, whichever can be read there.", txt),
        Row(f"{txt}-tile", readers.FLAG, "Repeat it.", txt),
        Row(f"{txt}-lang", readers.matching(r"[A-Za-z]{2,3}(?:-[0-9A-Za-z]{2,8}){0,3}",
            "a language as en or zh-Hant"), "Its language, which chooses forms of letters.", txt),
        Row(f"{txt}-bg", readers.COLOUR, "A colour behind it.", txt),
    )  # fmt: skip


def _names(first: str) -> tuple[str, ...]:
    return (first, *(f"{first}{count}" for count in range(2, EACH_MAX + 1)))


MARKS, TEXTS = _names("mark"), _names("txt")


def rows(edit: readers.Reader) -> tuple[Row, ...]:
    """Give the rows; ``edit`` takes what is done to a mark before it is laid."""
    return (
        *(row for mark in MARKS for row in _mark_rows(mark, edit)),
        *(row for txt in TEXTS for row in _text_rows(txt)),
    )


def laid(given: Given) -> tuple[Op, ...]:
    """Give the layers: marks in their order, then texts."""
    dpr = given.get("dpr", _ONE)
    marks = [_mark(given, mark, dpr) for mark in MARKS if mark in given]
    return (*marks, *(_words(given, txt, dpr) for txt in TEXTS if txt in given))


def _placed(given: Given, name: str, place: str, dpr: Decimal) -> values.Gravity:
    pad = given.get(f"{name}-pad", MARK_PAD)
    place = given.get(f"{name}-align", place)
    if place in values.SMART:
        return values.Gravity(place)
    # Where nothing says so, what lies in the middle is not pushed away from it.
    across = values.ZERO if "we" not in place and "ea" not in place else pad
    down = values.ZERO if "no" not in place and "so" not in place else pad
    x, y = given.get(f"{name}-x", across), given.get(f"{name}-y", down)
    return values.Gravity(place, scaled(x, dpr), scaled(y, dpr))


def _blend(given: Given, name: str) -> Any:
    return given.get(f"{name}-blend", "over").replace("color", "colour")


def _mark(given: Given, mark: str, dpr: Decimal) -> Op:
    w, h = (scaled(given.get(f"{mark}-{side}", values.ZERO), dpr) for side in "wh")
    along: Any = given.get(f"{mark}-tile", "")
    return layers.Layer(
        Text(given[mark]), _placed(given, mark, "soea", dpr), w, h,
        opacity=given.get(f"{mark}-alpha", _ONE), blend=_blend(given, mark),
        tile=bool(along), along=along or "both", degrees=given.get(f"{mark}-rot", Decimal(0)),
        fit=given.get(f"{mark}-fit", "inside"), made=given.get(f"{mark}-edit", EMPTY),
    )  # fmt: skip


def _words(given: Given, txt: str, dpr: Decimal) -> Op:
    def said(name: str, otherwise: Any) -> Any:
        return given.get(f"{txt}-{name}", otherwise)

    w, h = (scaled(said(side, values.ZERO), dpr) for side in ("width", "height"))
    boxed = w.value or h.value
    made = layers.Words(
        Text(given[txt]), _placed(given, txt, "sowe", dpr), Text(said("font", layers.FONT)),
        scaled(said("size", values.ZERO if boxed else TEXT_SIZE), dpr), w=w, h=h,
        align=_JUSTIFY[said("justify", "center")], wrap=said("wrap", "word"),  # type: ignore[arg-type]
        opacity=said("alpha", _ONE), blend=_blend(given, txt),
        spacing=int(said("lead", 0) * dpr), degrees=said("rot", Decimal(0)),
        stroke=values.rounded(said("line", Decimal(0)) * dpr),
        shadow=values.rounded(said("shad", Decimal(0)) * dpr),
        contrast=said("contrast", False), tile=said("tile", False), language=said("lang", ""),
    )  # fmt: skip
    colours_said = {
        name: given[f"{txt}-{short}"]
        for name, short in (
            ("colour", "color"), ("stroke_colour", "line-color"), ("background", "bg"),
        )
        if f"{txt}-{short}" in given
    }  # fmt: skip
    return replace(made, **colours_said) if colours_said else made
