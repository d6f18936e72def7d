"""Where an effect holds: one band of numbers from 0 (not there) to 1, and laying colours by it.

Everything is computed as it is needed, line by line; edges of shapes are smooth over one pixel.
What shape an operation has and what it does there is said elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyvips

import colours
from pixels import canvas as canvases
from shapes import Size

NOTHING = 1e-6
"""What stands for zero where one divides."""
FAR = 1e6
Point = tuple[float, float]


def ramp(size: Size, degrees: float, start: float, stop: float) -> pyvips.Image:
    """Grow from 0 at ``start`` to 1 at ``stop``, shares of the way across.

    ``degrees``: 0 goes down, 90 to the left, and so on clockwise. Without a way from start to
    stop, it is a step at ``start``.
    """
    angle = math.radians(degrees)
    across, down = -math.sin(angle), math.cos(angle)
    way = size[0] * abs(across) + size[1] * abs(down)
    begin = min(0.0, size[0] * across) + min(0.0, size[1] * down)
    along = _places(size).recomb([[across / way, down / way]])
    span = max(stop - start, NOTHING)
    return along.linear(1 / span, (-begin / way - start) / span).clamp()


def corners(size: Size) -> pyvips.Image:
    """Grow from 0 in the middle to 1 in the corners, slowly first; a quarter at the edges."""
    places = _places(size)
    parts = places.linear([2 / size[0], 2 / size[1]], [-1, -1])
    distance = (parts * parts).recomb([[0.5, 0.5]])
    return distance * distance


def ellipse(size: Size, centre: Point, radii: Point) -> pyvips.Image:
    """Cover an ellipse."""
    return _covered(_to_ellipse(_places(size) - list(centre), radii))


def rounded(size: Size, radii: Point) -> pyvips.Image:
    """Cover everything but what lies outside of the quarters of an ellipse in the corners."""
    middle = [size[0] / 2, size[1] / 2]
    inner = [middle[0] - radii[0], middle[1] - radii[1]]
    away = ((_places(size) - middle).abs() - inner).clamp(min=0, max=FAR)
    return _covered(_to_ellipse(away, radii))


def polygon(size: Size, corners_: Sequence[Point], *, crossing: bool = False) -> pyvips.Image:
    """Cover the largest polygon of that form in the middle of ``size``.

    ``corners_`` go around clockwise, convex. ``crossing``: each is joined with the next but one,
    which makes a star.
    """
    points = _fitted(size, corners_)
    step = 2 if crossing else 1
    ends = [points[(at + step) % len(points)] for at in range(len(points))]
    sides = [_to_line(size, *line) for line in zip(points, ends, strict=True)]
    # Inside of a convex form is inside of every side; a star's points are outside of one.
    return _covered(sides[0].bandrank(sides[1:], index=len(sides) - step))


def heart(size: Size) -> pyvips.Image:
    """Cover the largest heart in the middle: a square on its corner, and two half discs."""
    lobe = math.sqrt(0.5)
    ends = [(-0.5 - lobe, 0.0), (0.5 + lobe, 0.0), (0.0, -0.5 - lobe), (0.0, 1.0)]
    square = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]
    *points, left, right = _fitted(size, [*square, (-0.5, -0.5), (0.5, -0.5)], ends)
    radius = lobe * (points[1][0] - points[3][0]) / 2
    turned = [points[1], points[2], points[3], points[0]]
    sides = [_to_line(size, *line) for line in zip(points, turned, strict=True)]
    body = sides[0].bandrank(sides[1:], index=3)
    places = _places(size)
    lobes = [_to_ellipse(places - list(one), (radius, radius)) for one in (left, right)]
    return _covered(body.bandrank(lobes, index=0))


def frame(size: Size, width: int) -> pyvips.Image:
    """Cover the outermost ``width`` pixels."""
    inner = size[0] - 2 * width, size[1] - 2 * width
    if min(inner) < 1:
        return pyvips.Image.black(*size).linear(0, 1)
    hole = pyvips.Image.black(*inner)
    return hole.embed(width, width, *size, extend="white").linear(1 / 255, 0)


def painted(
    image: pyvips.Image, colour: colours.Colour, cover: pyvips.Image, *, keep_alpha: bool
) -> pyvips.Image:
    """Lay a colour over it where ``cover`` says; ``keep_alpha``: what is clear stays clear."""
    if image.bands == 1 and len(set(colour[:3])) > 1:
        image = canvases.coloured(image)
    samples, alpha = list(colour[:3]), colour[3] / 255
    if image.hasalpha() and not keep_alpha:
        spread = cover.recomb([[0], [0], [0], [255 * alpha]])
        sheet = spread.linear([1, 1, 1, 1], [*samples, 0.5]).cast("uchar")
        sheet = sheet.copy(interpretation="srgb")
        return image.composite2(sheet, "over").rint().cast("uchar")
    # What the cover weighs for each band: alpha is left as it is.
    bands = image.bands - image.hasalpha()
    weights = [[-alpha]] * bands + [[0.0]] * image.hasalpha()
    colour_parts = [[alpha * one] for one in samples[:bands]] + [[0.0]] * image.hasalpha()
    kept = image * cover.recomb(weights).linear([1] * image.bands, [1] * image.bands)
    laid = kept + cover.recomb(colour_parts).linear([1] * image.bands, [0.5] * image.bands)
    return laid.cast("uchar").copy(interpretation=image.interpretation)


def masked(image: pyvips.Image, cover: pyvips.Image) -> pyvips.Image:
    """Make it clear where ``cover`` is not."""
    image = canvases.with_alpha(image)
    weights = cover.recomb([[0], [0], [0], [1]]).linear([1, 1, 1, 1], [1, 1, 1, 0])
    return (image * weights).linear([1] * 4, [0.5] * 4).cast("uchar").copy(interpretation="srgb")


def mixed(one: pyvips.Image, other: pyvips.Image, cover: pyvips.Image) -> pyvips.Image:
    """Give ``one`` where cover is 0 and ``other`` where it is 1; both have the same bands."""
    cover = cover.recomb([[1.0]] * one.bands)
    opposite = cover.linear([-1] * one.bands, [1] * one.bands)
    both = one * opposite + other * cover
    made = both.linear([1] * one.bands, [0.5] * one.bands).cast("uchar")
    return made.copy(interpretation=one.interpretation)


def _places(size: Size) -> pyvips.Image:
    """Give where the middle of each pixel is, in two bands."""
    return pyvips.Image.xyz(*size).linear([1, 1], [0.5, 0.5])


def _covered(distance: pyvips.Image) -> pyvips.Image:
    """Cover what has a negative distance from an edge; half a pixel on both sides is between."""
    return distance.linear(-1, 0.5).clamp()


def _to_line(size: Size, start: Point, end: Point) -> pyvips.Image:
    """Give the distance to the left of a line, seen along it, in pixels."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = max(math.hypot(across, down), NOTHING)
    normal = [down / length, -across / length]
    offset = normal[0] * start[0] + normal[1] * start[1]
    return _places(size).recomb([normal]).linear(1, -offset)


def _to_ellipse(away: pyvips.Image, radii: Point) -> pyvips.Image:
    """Give about the distance out of an ellipse, near its edge; ``away`` is from its centre."""
    parts = away.linear([1 / radii[0], 1 / radii[1]], [0, 0])
    height = (parts * parts).recomb([[1, 1]]).linear(1, -1)
    slopes = parts.linear([1 / radii[0], 1 / radii[1]], [0, 0])
    slope = (slopes * slopes).recomb([[1, 1]]) ** 0.5
    return height / slope.linear(2, NOTHING)


def _fitted(
    size: Size, points: Sequence[Point], ends: Sequence[Point] | None = None
) -> list[Point]:
    """Scale and move points so that their ends are as large as fits, in the middle."""
    ends = points if ends is None else ends
    left, right = min(x for x, _ in ends), max(x for x, _ in ends)
    top, bottom = min(y for _, y in ends), max(y for _, y in ends)
    scale = min(size[0] / (right - left), size[1] / (bottom - top))
    x, y = (size[0] - scale * (left + right)) / 2, (size[1] - scale * (top + bottom)) / 2
    return [(x + scale * one, y + scale * other) for one, other in points]
