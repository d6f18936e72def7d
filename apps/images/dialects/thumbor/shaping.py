"""thumbor's order of shaping as operations: turn, crop, trim, size, mirror. Pure.

The same picture in another dialect gives the same operations, so covering is a resize and a cut.
Only where a focal point counts in pixels of the source is it a cut and a resize, as in thumbor.
"""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal

from dialects.thumbor.path import Corners, Path
from ops import geometry, values
from ops.base import Op
from ops.values import ZERO, Gravity, Length

_WHOLE = Length(Decimal(1), share=True)


def before(path: Path, turned: int) -> list[Op]:
    """Give what is done before the picture gets its size; ``turned`` is clockwise.

    Thumbor trims first, but counts the crop from the source's corner; so it is taken first here.
    """
    made: list[Op] = [geometry.Rotate(Decimal(turned))] if turned else []
    if path.crop is not None:
        made.append(_crop(path.crop))
    if path.trim is not None:
        threshold = Decimal(path.trim.tolerance)
        corner = path.trim.corner
        made.append(geometry.Trim(threshold, corner=corner))  # type: ignore[arg-type]
    return made


def _crop(corners: Corners) -> Op:
    of = values.share if corners.relative else values.pixels
    w, h = of(corners.right - corners.left), of(corners.bottom - corners.top)
    return geometry.Crop(of(corners.left), of(corners.top), w, h)


def side(text: str) -> Length:
    """Give the length that a side stands for: 0 follows the other."""
    return _WHOLE if text == "orig" else values.pixels(int(text or 0))


def sizing(path: Path, flags: Container[str], gravity: Gravity) -> list[Op]:
    """Give what brings the picture to its size; ``flags`` are the filters without arguments."""
    w, h = side(path.w), side(path.h)
    if (w, h) in ((ZERO, ZERO), (_WHOLE, _WHOLE), (_WHOLE, ZERO), (ZERO, _WHOLE)):
        return []
    grows = "no_upscale" not in flags
    if path.fit_in:
        mode = "outside" if path.full else "inside"
        enlarge = grows and (path.full or "upscale" in flags)
        return [_resize(mode, w, h, enlarge=enlarge, swap=path.adaptive)]
    if ZERO in (w, h):
        return [_resize("inside", w, h, enlarge=grows)]
    if path.stretch or "stretch" in flags:
        return [_resize("fill", w, h, enlarge=grows)]
    if w.share or h.share:
        return [_resize("outside", w, h), geometry.Cut(w, h, gravity)]
    if gravity.place == "fp" and not gravity.x.share:
        shape = geometry.Shape(values.rounded(w.value / h.value), gravity)
        return [shape, _resize("fill", w, h, enlarge=grows)]
    return [_resize("outside", w, h, enlarge=grows), geometry.Cut(w, h, gravity)]


def _resize(mode: str, w: Length, h: Length, *, enlarge: bool = False, swap: bool = False) -> Op:
    swap = swap and ZERO not in (w, h) and w != h
    return geometry.Resize(mode, w, h, enlarge=enlarge, swap=swap)  # type: ignore[arg-type]


def mirroring(path: Path) -> list[Op]:
    """Give the mirroring that comes after the size."""
    mirrored = path.flip_x or path.flip_y
    return [geometry.Flip(x=path.flip_x, y=path.flip_y)] if mirrored else []
