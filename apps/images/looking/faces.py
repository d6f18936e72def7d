"""Where faces (and whole people, and cats) are, found by cascades that come with OpenCV.

The package is optional (`extras`). Viola and Jones, "Rapid Object Detection using a Boosted Cascade
of Simple Features" (2001): quick, deterministic, good at faces that look ahead and stand upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import extras

LOOKED_SIDE_MAX = 640
"""Pixels of the longer side of what is looked at."""
FOUND_MAX = 64
SMALLEST_SHARE = 0.04
"""Faces smaller than this part of the longer side are not looked for."""
FACES = ("haarcascade_frontalface_alt2", "haarcascade_profileface")
OTHERS = ("haarcascade_frontalcatface_extended", "haarcascade_upperbody", "haarcascade_fullbody")
_NEIGHBOURS = {"haarcascade_frontalface_alt2": 4}
_NEIGHBOURS_OTHERWISE = 6
SAME_SHARE = 0.3
"""Two finds that overlap by this part of the smaller one are one."""

Samples = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Find:
    """Something that was found, in shares of the picture's sides."""

    x: float
    y: float
    w: float
    h: float

    @property
    def area(self) -> float:
        """Its part of the picture."""
        return self.w * self.h


def find(grey: Samples, cascades: tuple[str, ...] = FACES) -> tuple[Find, ...]:
    """Find what the cascades know in 8-bit lightness (rows, columns), largest first.

    Raises:
        Refusal: 422; the package that brings the cascades is not installed.
    """
    cv2 = extras.load("cv2", "finding faces")
    cv2.setNumThreads(1)  # one environment is one core, and threads do not survive a fork
    height, width = grey.shape
    least = max(16, round(max(width, height) * SMALLEST_SHARE))
    evened = cv2.equalizeHist(np.ascontiguousarray(grey))
    found: list[Find] = []
    for name in cascades:
        boxes = _cascade(name).detectMultiScale(
            evened,
            scaleFactor=1.1,
            minNeighbors=_NEIGHBOURS.get(name, _NEIGHBOURS_OTHERWISE),
            minSize=(least, least),
        )
        for x, y, w, h in boxes:
            one = Find(x / width, y / height, w / width, h / height)
            if not any(_is_same(one, other) for other in found):
                found.append(one)
    return tuple(sorted(found, key=lambda one: (-one.area, one.x, one.y)))[:FOUND_MAX]


@cache
def _cascade(name: str) -> Any:
    cv2 = extras.load("cv2", "finding faces")
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / f"{name}.xml"))


def _is_same(one: Find, other: Find) -> bool:
    across = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    down = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    if across <= 0 or down <= 0:
        return False
    return across * down >= SAME_SHARE * min(one.area, other.area)
