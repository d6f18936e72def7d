"""The region: ``full``, ``square``, ``x,y,w,h`` or ``pct:x,y,w,h``. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

import refusals
from dialects.iiif.numbers import NUMBER, WHOLE
from ops import geometry, values
from ops.base import Op

ALLOWED = "full, square, x,y,w,h in whole pixels, or pct:x,y,w,h; w and h above 0"
_PIXELS = re.compile(",".join([WHOLE] * 4))
_SHARES = re.compile("pct:" + ",".join([NUMBER] * 4))
_WHOLE_SIDE = 100


def parse(text: str) -> tuple[Op, ...]:
    """Give the operation that takes the region; what sticks out of the picture is left out.

    Raises:
        Refusal: 400; it is no region, is empty, or lies outside whatever the picture is.
    """
    if text == "full":
        return ()
    if text == "square":
        return (geometry.Shape(Decimal(1)),)
    if matched := _PIXELS.fullmatch(text):
        x, y, w, h = (Decimal(each) for each in matched.groups())
        if w and h and max(x, y) < geometry.SIDE_MAX:
            # No picture is wider, so what is cut off here is not there.
            across, down = (min(side, Decimal(geometry.SIDE_MAX)) for side in (w, h))
            return (geometry.Crop(*map(values.pixels, (x, y, across, down))),)
    elif matched := _SHARES.fullmatch(text):
        x, y, w, h = (Decimal(each) / _WHOLE_SIDE for each in matched.groups())
        if w and h and max(x, y) < 1:
            across, down = (min(side, Decimal(1)) for side in (w, h))
            return (geometry.Crop(*map(values.share, (x, y, across, down))),)
    raise refusals.parameter("region", text, ALLOWED)
