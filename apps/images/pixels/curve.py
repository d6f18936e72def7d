"""A curve through points as a table of 256 samples. Pure.

The natural cubic spline: twice continuously differentiable, no curvature at its ends. Outside its
first and last point it goes on level.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import refusals
from ops import values

ALLOWED = "points 'x y x y …' with numbers from 0 to 255, each x once"
Points = Sequence[tuple[float, float]]


def table(text: str) -> bytes:
    """Read the points and give the table of the curve through them; without any, all stays.

    Raises:
        Refusal: 400; the text says no such points.
    """
    points = read(text)
    return through(points) if points else bytes(range(256))


def read(text: str) -> Points:
    """Read ``x y x y …``, sorted by x.

    Raises:
        Refusal: 400; they are not such numbers.
    """
    found = [values.number(word) for word in text.split(" ")] if text else []
    numbers = [float(one) for one in found if one is not None and 0 <= one <= 255]
    points = sorted(zip(numbers[::2], numbers[1::2], strict=False))
    alone = len({x for x, _ in points}) == len(points)
    if len(numbers) != len(found) or len(numbers) % 2 or not alone:
        raise refusals.parameter("curve", text, ALLOWED)
    return points


def through(points: Points) -> bytes:
    """Give the table of the spline through points with rising x; through one, it is level."""
    bends = _bends(points)
    return bytes(min(255, max(0, math.floor(_at(x, points, bends) + 0.5))) for x in range(256))


def _bends(points: Points) -> list[float]:
    """Give the second derivative at each point: a tridiagonal system, solved by elimination."""
    count = len(points)
    above, right = [0.0] * count, [0.0] * count
    for at in range(1, count - 1):
        (x0, y0), (x1, y1), (x2, y2) = points[at - 1 : at + 2]
        below = (x1 - x0) / (x2 - x0)
        pivot = 2 + below * above[at - 1]
        above[at] = (below - 1) / pivot
        turn = (y2 - y1) / (x2 - x1) - (y1 - y0) / (x1 - x0)
        right[at] = (6 * turn / (x2 - x0) - below * right[at - 1]) / pivot
    bends = [0.0] * count
    for at in range(count - 2, 0, -1):
        bends[at] = above[at] * bends[at + 1] + right[at]
    return bends


def _at(x: float, points: Points, bends: Sequence[float]) -> float:
    """Give the curve's height."""
    if x <= points[0][0]:
        return points[0][1]
    if x >= points[-1][0]:
        return points[-1][1]
    after = bisect.bisect_right(points, (x, math.inf))
    (x0, y0), (x1, y1) = points[after - 1 : after + 1]
    width = x1 - x0
    a, b = (x1 - x) / width, (x - x0) / width
    bend = (a**3 - a) * bends[after - 1] + (b**3 - b) * bends[after]
    return a * y0 + b * y1 + bend * width * width / 6
