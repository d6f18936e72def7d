"""The size: ``max``, ``w,``, ``,h``, ``pct:n``, ``w,h``, ``!w,h``; 3 has ``^`` to enlarge. Pure.

Version 2 has no ``^`` and enlarges as asked; it says ``full`` where 3 says ``max``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import refusals
from dialects.iiif.numbers import NUMBER
from iiif_terms import Most
from ops import geometry, values
from ops.base import Op

ALLOWED = {
    "3": "max, w, or ,h or w,h or !w,h in whole pixels, or pct:n; with ^ before it to enlarge",
    "2": "full, max, w, or ,h or w,h or !w,h in whole pixels, or pct:n",
}
_BOX = re.compile(r"(!?)([0-9]{0,9}),([0-9]{0,9})")
_SHARE = re.compile("pct:" + NUMBER)
_WHOLE = 100
_SHARE_MAX = Decimal(geometry.SIDE_MAX)


def parse(text: str, version: str, most: Most) -> tuple[Op, ...]:
    """Give the operation that scales; enlarging unasked is refused when the size is known.

    Raises:
        Refusal: 400; it is no size of this version, is nothing, or is over the limits.
    """
    enlarge = version == "2" or text.startswith("^")
    plain = text.removeprefix("^") if version == "3" else text
    op = _whole(plain, version, most, enlarge=enlarge)
    if op is None:
        op = _share(plain, enlarge=enlarge) or _box(plain, most, enlarge=enlarge)
    if op is None:
        raise refusals.parameter("size", text, ALLOWED[version])
    return (op,)


def _whole(text: str, version: str, most: Most, *, enlarge: bool) -> Op | None:
    if text != "max" and not (text == "full" and version == "2"):
        return None
    side = values.pixels(most.side)
    grows = enlarge and version == "3"
    return geometry.Resize("inside", side, side, enlarge=grows, area=most.area)


def _share(text: str, *, enlarge: bool) -> Op | None:
    matched = _SHARE.fullmatch(text)
    part = Decimal(matched[1]) / _WHOLE if matched else Decimal(0)
    if not values.rounded(part) or part > (_SHARE_MAX if enlarge else 1):
        return None
    return geometry.Resize("inside", values.share(part), enlarge=enlarge, strict=True)


def _box(text: str, most: Most, *, enlarge: bool) -> Op | None:
    matched = _BOX.fullmatch(text)
    if matched is None:
        return None
    inside, given = bool(matched[1]), (matched[2], matched[3])
    w, h = (int(side) if side else 0 for side in given)
    if "0" in {str(int(side)) for side in given if side} or not (w or h):
        return None
    if inside:
        if not (w and h):
            return None
        w, h = min(w, most.side), min(h, most.side)
        return _resize("inside", w, h, enlarge=enlarge, area=most.area)
    if max(w, h) > most.side or w * h > most.area:
        return None
    return _resize("fill" if w and h else "inside", w, h, enlarge=enlarge)


def _resize(mode: Literal["inside", "fill"], w: int, h: int, *, enlarge: bool, area: int = 0) -> Op:
    across, down = values.pixels(w), values.pixels(h)
    return geometry.Resize(mode, across, down, enlarge=enlarge, strict=not enlarge, area=area)
