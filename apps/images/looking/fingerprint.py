"""A hash that similar pictures share: 64 bits of the lowest frequencies of lightness. Pure.

The common "pHash": a cosine transform of 32 x 32 samples, its lowest 8 x 8 against their median.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SIDE = 32
LOW = 8

Samples = np.ndarray[Any, np.dtype[Any]]


def perceptual(grey: Samples) -> str:
    """Hash ``SIDE`` x ``SIDE`` samples of lightness; 16 hexadecimal digits."""
    assert grey.shape == (SIDE, SIDE)
    at = np.arange(SIDE)
    waves = np.cos(math.pi / SIDE * np.outer(at[:LOW], at + 0.5))
    low = (waves @ grey.astype(np.float64) @ waves.T).reshape(-1)
    bits = low > np.median(low[1:])  # the mean lightness says nothing of the shapes
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def distance(one: str, other: str) -> int:
    """Count the bits in which two hashes differ: 0 for the same, about 32 for strangers."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
