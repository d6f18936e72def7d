"""thumbor's ``meta/``: which operations lead from the source to the picture, in its own words.

Sizes are settled on paper, so nothing is decoded. A crop that only pixels place (smart, trim) is
said as if it were in the middle, or not at all: this is the one difference.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import paths
import recipe as recipes
import shapes
import urls
from encode import CONTENT_TYPES
from ops import geometry, values
from ops.base import Op
from reports.report import Seen, Told

_NAMES = {"jpg": "jpeg", "heic": "heif"}


def tell(seen: Seen) -> Told:
    """Tell source, operations and target; and beside them what imagor tells, in its words.

    Raises:
        Refusal: 400; nothing of the picture would be left.
    """
    size = seen.header.width, seen.header.height
    source = {"url": _url(seen.recipe), **_sides(size), "frameCount": seen.header.pages}
    done: list[dict[str, Any]] = []
    left = list(seen.recipe.ops)
    while left:
        ops = [left.pop(0)]
        if left and _covers(ops[0], left[0]):
            ops = _as_thumbor(size, ops[0], left.pop(0))
        for op in ops:
            done += _said(size, op)
            size = shapes.after(size, op)
            shapes.check_step(size, seen.limits)
    value = {"thumbor": {"source": source, "operations": done, "target": _sides(size)}}
    kind = seen.header.format
    named = {"format": _NAMES.get(kind, kind), "content_type": CONTENT_TYPES.get(kind, "")}
    return Told(value={**value, **named, **_sides(size)})


def _covers(op: Op, following: Op) -> bool:
    resized = isinstance(op, geometry.Resize) and op.mode == "outside"
    return resized and isinstance(following, geometry.Cut)


def _as_thumbor(size: shapes.Size, resize: Op, cut: Op) -> list[Op]:
    """Give the cut before the resize, in pixels of the source: thumbor's clients count in these."""
    assert isinstance(cut, geometry.Cut)
    w, h = shapes.after(shapes.after(size, resize), cut)
    shape = geometry.Shape(Decimal(w) / Decimal(h), cut.gravity)
    return [shape, geometry.Resize("fill", values.pixels(w), values.pixels(h), enlarge=True)]


def _url(recipe: recipes.Recipe) -> str:
    if recipe.source in paths.ADDRESSES:
        return urls.address(recipe.source, recipe.path)
    return f"{recipe.source}/{recipe.path}"


def _sides(size: shapes.Size) -> dict[str, int]:
    return {"width": size[0], "height": size[1]}


def _said(size: shapes.Size, op: Op) -> list[dict[str, Any]]:
    """Say one operation in thumbor's words; those that it has none for are left out."""
    after = shapes.after(size, op)
    match op:
        case geometry.Crop():
            return _crop(size, shapes.cropped(size, op))
        case geometry.Cut() | geometry.Shape():
            smart = op.gravity.place in values.SMART
            at = shapes.window(size, after, values.CENTRE if smart else op.gravity)
            return _crop(size, (*at, *after))
        case geometry.Resize() if after != size:
            return [{"type": "resize", **_sides(after)}]
        case geometry.Flip():
            ways = (("flip_horizontally", op.x), ("flip_vertically", op.y))
            return [{"type": name} for name, done in ways if done]
    return []


def _crop(size: shapes.Size, box: shapes.Box) -> list[dict[str, Any]]:
    x, y, w, h = box
    if box == (0, 0, *size):
        return []
    return [{"type": "crop", "left": x, "top": y, "right": x + w, "bottom": y + h}]
