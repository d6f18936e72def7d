"""Where something may lie over a picture without hiding what matters, and be read: the calm places.

The opposite of `gravity`, which looks for what matters. One of nine places is chosen, a little
inside the edge, so that a title never jumps to a place that nobody designed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

import shapes
from looking import faces
from ops import values
from ops.values import Gravity
from pixels import gravity as gravities
from pixels.canvas import Canvas

INSET = values.share(Decimal("0.04"))
"""How far from the edges, as a share of each side."""
ORDER = ("sowe", "so", "soea", "nowe", "no", "noea", "we", "ea", "ce")
"""The places; of equally calm ones the first."""
COVERED = 1_000.0
"""What covering all of a find counts, against at most 255 for the wildest place."""


def settled(canvas: Canvas, gravity: Gravity, box: shapes.Size) -> Gravity:
    """Give one of the nine places for ``box``, if the gravity leaves it to the pixels.

    ``attention`` and ``entropy``: where there is least detail. ``face`` and ``object``: the same,
    and where none of them is covered.

    Raises:
        Refusal: 422; the package that finds faces is not installed.
    """
    if gravity.place not in values.SMART:
        return gravity
    grey = gravities.lightness(canvas.image)
    finds: Sequence[faces.Find] = ()
    if gravity.place in gravities.CASCADES:
        finds = faces.find(grey, gravities.CASCADES[gravity.place])
    places = [_inset(place) for place in ORDER]
    return min(places, key=lambda place: _unrest(canvas.size, box, place, grey, finds))


def _inset(place: str) -> Gravity:
    across = INSET if "we" in place or "ea" in place else values.ZERO
    down = INSET if "no" in place or "so" in place else values.ZERO
    return Gravity(place, across, down)


def _unrest(
    size: shapes.Size,
    box: shapes.Size,
    place: Gravity,
    grey: faces.Samples,
    finds: Sequence[faces.Find],
) -> float:
    """Say how much goes on below: edges, changes of light, and what is covered of the finds."""
    x, y = shapes.place(size, box, place)
    left, top = max(0.0, x / size[0]), max(0.0, y / size[1])
    right, bottom = min(1.0, (x + box[0]) / size[0]), min(1.0, (y + box[1]) / size[1])
    height, width = grey.shape
    first, last = min(height - 1, int(top * height)), max(1, round(bottom * height))
    below = grey[first:last, min(width - 1, int(left * width)) : max(1, round(right * width))]
    seen = below.astype(np.float32)
    steps = (np.diff(seen, axis=axis) for axis in (0, 1) if seen.shape[axis] > 1)
    edges = sum(float(np.abs(step).mean()) for step in steps)
    covered = 0.0
    for one in finds:
        across = max(0.0, min(right, one.x + one.w) - max(left, one.x))
        down = max(0.0, min(bottom, one.y + one.h) - max(top, one.y))
        covered += across * down / max(one.area, 1e-9)
    return edges + float(seen.std()) + COVERED * covered
