"""Parameters of the shape: what part, which way up, how big, on what canvas. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import colours
import limits as limit_names
import refusals
from ops import geometry, values
from ops.base import Op
from parameters import readers
from parameters.row import Given, Row, scaled

FITS = ("inside", "cover", "contain", "fill", "outside", "auto")
DPR_MAX = 5
ZOOM_MAX = 100
_TURNS = {
    "trim-color": "colour", "trim-tol": "threshold", "trim-corner": "corner",
}  # fmt: skip


def rows(limits: limit_names.Limits) -> tuple[Row, ...]:
    """Give the rows; the largest side is the deployment's."""
    side = readers.whole(1, limits.output_side)
    return (
        Row("w", side, "Width in pixels. With one of `w` and `h` the other follows the shape."),
        Row("h", side, "Height in pixels."),
        Row("fit", readers.words(*FITS), "How it comes into the box `w` x `h`: see below."),
        Row(
            "dpr",
            readers.number(1, DPR_MAX, decimals=2),
            "Pixels of the screen for one of the page: multiplies every length in pixels of the"
            " result (not `rect`); halves are rounded up.",
        ),
        Row("ar", readers.RATIO, "Shape. With one side it gives the other, and `fit` is `cover`"
            " unless it is said; without, the largest part of that shape. Not used with both."),
        Row("enlarge", readers.FLAG, "Whether a small picture may grow. Without it, `cover`,"
            " `contain` and `fill` do and the others do not."),
        Row("swap", readers.FLAG, "Turn the box where that suits the picture better."),
        Row("min-w", side, "Grow, shape kept, until it is at least as wide."),
        Row("min-h", side, "Grow, shape kept, until it is at least as high."),
        Row("max-w", side, "Shrink, shape kept, until it is at most as wide."),
        Row("max-h", side, "Shrink, shape kept, until it is at most as high."),
        Row("crop", readers.CROP, "What stays where something is cut off; `center` if not said."),
        Row("fp-x", readers.number(0, 1), "The point that matters, from the left; sets"
            " `crop=focalpoint`."),
        Row("fp-y", readers.number(0, 1), "The point that matters, from the top; sets"
            " `crop=focalpoint`."),
        Row("zoom", readers.number(1, ZOOM_MAX), "Take only the part around what `crop` names that"
            " is this many times smaller."),
        Row("trim", readers.words("auto"), "Cut off borders of one colour."),
        Row("trim-color", readers.COLOUR, "That colour; without it, a corner's.", "trim"),
        Row("trim-tol", readers.number(0, 442), "How different from it still is border, as distance"
            " in RGB; 10 if not said.", "trim"),
        Row("trim-corner", readers.words("top-left", "bottom-right"), "The corner whose colour"
            " counts; `top-left` if not said.", "trim"),
        Row("trim-equal", readers.words("x", "y", "xy"), "Cut as much on both sides.", "trim"),
        Row("rect", readers.RECTANGLE, "Take this part of the source, in its own pixels."),
        Row("rot", readers.number(0, 360), "Turn clockwise. At other than right angles the canvas"
            " grows, filled with `bg` or nothing."),
        Row("flip", readers.FLIP, "Mirror left and right, top and bottom, or both."),
        Row("align", readers.PLACE, "Where the picture lies on a larger canvas; `center` if not"
            " said."),
        Row("fill", readers.words("solid", "auto", "blur"), "What fills the rest of a larger"
            " canvas: `bg`, the picture's average colour, or itself, blurred."),
        Row("extend", readers.CANVAS, "Put it on a canvas of at least that size, or of that"
            " shape."),
        Row("pad", readers.lengths(1, 4), "Add a border of `bg`: all sides, or top and bottom, left"
            " and right, or top, right, bottom, left."),
    )  # fmt: skip


def sides(given: Given, limits: limit_names.Limits) -> tuple[int | None, int | None]:
    """Give width and height in pixels of the result, None where they follow the picture.

    Raises:
        Refusal: 400; with ``dpr`` they are over the limits.
    """
    w, h = box(given)
    dpr = given.get("dpr", Decimal(1))
    w, h = _times(w, dpr), _times(h, dpr)
    if max(w or 0, h or 0) > limits.output_side:
        allowed = f"small enough that w and h times dpr stay within {limits.output_side}"
        raise refusals.parameter("dpr", str(dpr), allowed)
    if w and h and w * h > limits.output_pixels:
        allowed = f"such that w x h (with dpr) stays within {limits.output_pixels} pixels"
        raise refusals.parameter("w", str(w), allowed)
    return w, h


def box(given: Given) -> tuple[int | None, int | None]:
    """Give the sides before ``dpr``, one of them by ``ar`` if need be."""
    w, h, ar = given.get("w"), given.get("h"), given.get("ar")
    if ar and w and not h:
        h = max(1, _rounded(w / ar))
    elif ar and h and not w:
        w = max(1, _rounded(h * ar))
    return w, h


def fit_of(given: Given) -> str:
    """Give the word for how it comes into the box."""
    return given.get("fit") or ("cover" if "ar" in given else "inside")


def before(given: Given, bg: colours.Colour) -> tuple[Op, ...]:
    """Give what comes before the picture is sized: trim, rect, rot, flip, zoom."""
    made: list[Op] = []
    if "trim" in given:
        made.append(_trim(given))
    if "rect" in given:
        made.append(geometry.Crop(*given["rect"]))
    if "rot" in given:
        turned_on = bg if "bg" in given else geometry.CLEAR
        degrees = given["rot"]
        made.append(
            geometry.Rotate(degrees) if degrees % 90 == 0 else geometry.Rotate(degrees, turned_on)
        )
    if "flip" in given:
        made.append(geometry.Flip("h" in given["flip"], "v" in given["flip"]))
    if given.get("zoom", 1) > 1:
        part = values.share(1 / given["zoom"])
        made.append(geometry.Cut(part, part, gravity(given)))
    return tuple(made)


def _trim(given: Given) -> geometry.Trim:
    said: dict[str, Any] = {to: given[name] for name, to in _TURNS.items() if name in given}
    equal = given.get("trim-equal", "")
    return geometry.Trim(
        given="trim-color" in given, equal_x="x" in equal, equal_y="y" in equal, **said
    )


def gravity(given: Given, *, zoomed: bool = False) -> values.Gravity:
    """Give what must stay; ``zoomed``: in the part that zoom has left."""
    place = given.get("crop") or ("fp" if "fp-x" in given or "fp-y" in given else "ce")
    if place != "fp":
        return values.Gravity(place)
    zoom = given.get("zoom", Decimal(1)) if zoomed else Decimal(1)
    x, y = (_within(given.get(name, Decimal("0.5")), zoom) for name in ("fp-x", "fp-y"))
    return values.focal(x, y)


def _within(point: Decimal, zoom: Decimal) -> Decimal:
    """Give where a point is in the part of 1 / zoom around it, which stays in the picture."""
    part = 1 / zoom
    start = min(max(point - part / 2, Decimal(0)), 1 - part)
    return values.rounded(min(max((point - start) * zoom, Decimal(0)), Decimal(1)))


def sized(given: Given, w: int | None, h: int | None) -> tuple[Op, ...]:
    """Give what brings it to size; ``w`` and ``h`` are those of `sides`."""
    cut = gravity(given, zoomed=True)
    least = [_times(given.get(name), given.get("dpr", 1)) or 0 for name in ("min-w", "min-h")]
    shape: tuple[Op, ...] = ()
    if "ar" in given and not (w or h):
        shape = (geometry.Shape(given["ar"], cut),)
    made: tuple[Op, ...] = ()
    if w or h or any(least):
        made = shaping(
            w, h, fit_of(given), cut,
            enlarge=given.get("enlarge"), swap=given.get("swap", False), least=(least[0], least[1]),
        )  # fmt: skip
    most = [_times(given.get(name), given.get("dpr", 1)) for name in ("max-w", "max-h")]
    if any(most):
        made = (*made, *shaping(most[0], most[1], "inside"))
    return (*shape, *made)


def shaping(
    w: int | None,
    h: int | None,
    fit: str,
    cut: values.Gravity = values.CENTRE,
    *,
    enlarge: bool | None = None,
    swap: bool = False,
    least: tuple[int, int] = (0, 0),
) -> tuple[Op, ...]:
    """Give the operations that bring a picture into a box: all but the canvas of ``contain``."""
    across, down = values.pixels(w or 0), values.pixels(h or 0)
    mode: Any = {"cover": "outside", "contain": "inside"}.get(fit, fit) if w and h else "inside"
    grows = enlarge
    if grows is None:
        grows = bool(w and h) and fit in ("cover", "contain", "fill")
    resize = geometry.Resize(
        mode, across, down, grows, swap and bool(w and h), least_w=least[0], least_h=least[1]
    )
    if not (w and h) or fit not in ("cover", "auto"):
        return (resize,)
    return resize, geometry.Cut(across, down, cut, ratio=not grows and fit == "cover")


def canvas(given: Given, w: int | None, h: int | None, bg: colours.Colour) -> tuple[Op, ...]:
    """Give the canvases that the finished picture lies on: contain, extend, pad."""
    made: list[Op] = []
    dpr = given.get("dpr", Decimal(1))
    place = values.Gravity(given.get("align", "ce"))
    fill: Any = {"solid": "colour"}.get(given.get("fill", "solid"), given.get("fill"))
    under = bg if fill == "colour" else geometry.CLEAR
    if w and h and fit_of(given) == "contain":
        made.append(geometry.Extend(values.pixels(w), values.pixels(h), place, under, fill=fill))
    if "extend" in given:
        across, down, ratio = given["extend"]
        if not ratio:
            across, down = scaled(across, dpr), scaled(down, dpr)
        made.append(geometry.Extend(across, down, place, under, ratio=ratio, fill=fill))
    if "pad" in given:
        made.append(_padding([scaled(one, dpr) for one in given["pad"]], bg))
    return tuple(made)


def _padding(lengths: list[values.Length], bg: colours.Colour) -> geometry.Pad:
    """Say four sides where fewer were said, as style sheets do."""
    chosen = ((0, 0, 0, 0), (0, 1, 0, 1), (0, 1, 2, 1), (0, 1, 2, 3))[len(lengths) - 1]
    top, right, bottom, left = (lengths[index] for index in chosen)
    return geometry.Pad(top, right, bottom, left, bg)


def _times(side: int | None, dpr: Decimal) -> int | None:
    return side and _rounded(side * dpr)


def _rounded(value: Decimal) -> int:
    return int(Decimal(value).quantize(Decimal(1), rounding=ROUND_HALF_UP))
