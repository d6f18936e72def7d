"""What lies around letters: an outline of even width, and a soft shadow. Masks of 8 bits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyvips

Mask = npt.NDArray[np.uint8]
FINE_RADIUS_MAX = 16
"""A wider outline is made at a smaller scale: its edge is long, and its cost is the radius."""


def outline(mask: pyvips.Image, radius: float) -> pyvips.Image:
    """Grow what is lit by ``radius`` pixels in all directions; the mask must have that margin."""
    part = min(1.0, FINE_RADIUS_MAX / radius)
    small = mask if part == 1 else mask.resize(part)
    lit = np.ndarray(
        buffer=small.write_to_memory(), dtype=np.uint8, shape=(small.height, small.width)
    )
    whole = math.floor(radius * part)
    grown, rest = _grown(lit, whole), radius * part - whole
    if rest > 0:
        grown = np.rint(grown * (1 - rest) + _grown(lit, whole + 1) * rest).astype(np.uint8)
    made = pyvips.Image.new_from_memory(grown.data, small.width, small.height, 1, "uchar")
    if part == 1:
        return made
    return made.resize(mask.width / small.width, vscale=mask.height / small.height)


def _grown(lit: Mask, radius: int) -> Mask:
    """Take the brightest of a disc around each pixel, row of the disc by row."""
    out = lit.copy()
    row, reach = lit.copy(), 0
    for away in range(radius, -1, -1):
        half = math.isqrt(radius * (radius + 1) - away * away)
        while reach < half:
            row = _wider(row)
            reach += 1
        if away:
            np.maximum(out[away:], row[:-away], out=out[away:])
            np.maximum(out[:-away], row[away:], out=out[:-away])
        else:
            np.maximum(out, row, out=out)
    return out


def _wider(row: Mask) -> Mask:
    wider = row.copy()
    np.maximum(wider[:, 1:], row[:, :-1], out=wider[:, 1:])
    np.maximum(wider[:, :-1], row[:, 1:], out=wider[:, :-1])
    return wider


def shadow(mask: pyvips.Image, sigma: float) -> pyvips.Image:
    """Blur it, half as many pixels lower; the mask must have the margin."""
    drop = round(sigma / 2)
    lower = mask.embed(0, drop, mask.width, mask.height)
    return lower.gaussblur(sigma, precision="integer")
