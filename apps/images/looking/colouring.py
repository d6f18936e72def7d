"""Which colours a picture is made of, by median cut. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PALETTE_MAX = 6
CLEAR_BELOW = 32
"""Samples with less alpha (of 255) are not seen."""

Samples = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Colour:
    """``rgb`` is lower-case hexadecimal; ``share`` of the pixels seen, 0 to 1."""

    rgb: str
    share: float


def palette(rgba: Samples, count: int = PALETTE_MAX) -> tuple[Colour, ...]:
    """Give the colours of samples (rows, columns, 4), most frequent first; none if all is clear."""
    flat = rgba.reshape(-1, 4)
    seen = flat[flat[:, 3] >= CLEAR_BELOW, :3].astype(np.float64)
    if not len(seen):
        return ()
    boxes = [seen]
    while len(boxes) < count:
        spread = [float(np.ptp(box, axis=0).max()) * len(box) ** 0.5 for box in boxes]
        at = max(range(len(boxes)), key=spread.__getitem__)
        halves = _halves(boxes[at])
        if halves is None:
            break
        boxes[at : at + 1] = halves
    boxes.sort(key=len, reverse=True)
    return tuple(
        Colour(bytes(np.floor(box.mean(axis=0) + 0.5).astype(np.uint8)).hex(), len(box) / len(seen))
        for box in boxes
    )


def _halves(box: Samples) -> tuple[Samples, Samples] | None:
    """Cut a box of colours in two at the mean of its widest channel; None if it is one colour."""
    channel = int(np.ptp(box, axis=0).argmax())
    middle = box[:, channel].mean()
    low, high = box[box[:, channel] <= middle], box[box[:, channel] > middle]
    return (low, high) if len(low) and len(high) else None
