"""What a picture is cut around: aligns, smart, and the focal boxes and points of filters. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from dialects.thumbor.arguments import Skip
from dialects.thumbor.path import Corners, Path
from ops import values
from ops.values import CENTRE, Gravity

FOCUSES_MAX = 32
_VERTICAL = {"top": "no", "middle": "", "bottom": "so"}
_HORIZONTAL = {"left": "we", "center": "", "right": "ea"}
_NUMBER = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"
_BOX = re.compile(f"{_NUMBER}x{_NUMBER}:{_NUMBER}x{_NUMBER}")
_POINT = re.compile(f"{_NUMBER}[,x]{_NUMBER}")


@dataclass(frozen=True, slots=True)
class Focus:
    """The centre of what matters, in pixels of the source or in shares of its sides."""

    x: Decimal
    y: Decimal
    weight: Decimal
    relative: bool


def read(text: str) -> Focus:
    """Read ``LxT:RxB`` or ``X,Y``.

    Raises:
        Skip: it is neither.
    """
    box, point = _BOX.fullmatch(text), _POINT.fullmatch(text)
    found = box or point
    if found is None:
        raise Skip
    numbers = [Decimal(part) for part in found.groups()]
    relative = "." in text and max(numbers) <= 1
    if point:
        return Focus(numbers[0], numbers[1], Decimal(1), relative)
    left, top, right, bottom = numbers
    if left >= right or top >= bottom:
        raise Skip
    weight = (right - left) * (bottom - top)
    return Focus((left + right) / 2, (top + bottom) / 2, weight, relative)


def of_crop(crop: Corners) -> Focus:
    """Give the focus of another path's crop."""
    weight = (crop.right - crop.left) * (crop.bottom - crop.top)
    x, y = (crop.left + crop.right) / 2, (crop.top + crop.bottom) / 2
    return Focus(x, y, weight, crop.relative)


def gravity(path: Path, focuses: list[Focus], smart: str) -> Gravity:
    """Give what to cut around; ``smart`` names the gravity that the word stands for."""
    kept = [moved for focus in focuses if (moved := _within(focus, path.crop)) is not None]
    if kept:
        return _middle([focus for focus in kept if focus.relative == kept[0].relative])
    if path.smart:
        return Gravity(smart)
    name = _VERTICAL[path.valign] + _HORIZONTAL[path.halign]
    return Gravity(name) if name else CENTRE


def _within(focus: Focus, crop: Corners | None) -> Focus | None:
    """Count from the crop's corner; None for what lies outside, or cannot be compared."""
    if crop is None:
        return focus
    if crop.relative != focus.relative:
        return None
    if not (crop.left <= focus.x <= crop.right and crop.top <= focus.y <= crop.bottom):
        return None
    x, y = focus.x - crop.left, focus.y - crop.top
    if crop.relative:
        x, y = x / (crop.right - crop.left), y / (crop.bottom - crop.top)
    return Focus(x, y, focus.weight, focus.relative)


def _middle(focuses: list[Focus]) -> Gravity:
    """Give the centre of mass."""
    total = sum((focus.weight for focus in focuses), Decimal(0))
    x = sum((focus.x * focus.weight for focus in focuses), Decimal(0)) / total
    y = sum((focus.y * focus.weight for focus in focuses), Decimal(0)) / total
    if focuses[0].relative:
        return values.focal(min(x, Decimal(1)), min(y, Decimal(1)))
    return Gravity("fp", values.pixels(values.rounded(x)), values.pixels(values.rounded(y)))
