"""How wide a blur is that ends its bell curve early, as those of libvips and thumbor do. Pure.

Ours does not end before it is nothing: the same look needs a smaller sigma.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

LEAST_SHARE = 0.2
"""Of the middle's weight: libvips' gaussblur ends below it (`min_ampl`), unless it is told else."""


def of_libvips(sigma: Decimal) -> Decimal:
    """Give the standard deviation of what `vips_gaussblur` makes: about 0.83 of ``sigma``."""
    if sigma <= 0:
        return Decimal(0)
    return cut_off(int(float(sigma) * math.sqrt(-2 * math.log(LEAST_SHARE))), sigma)


@lru_cache(maxsize=256)
def cut_off(radius: int, sigma: Decimal) -> Decimal:
    """Give the standard deviation of a bell curve of ``sigma`` that ends at ``radius``."""
    if radius == 0 or sigma <= 0:
        return Decimal(0)
    weights = [(x * x, math.exp(-x * x / (2 * float(sigma) ** 2))) for x in range(radius + 1)]
    total = 2 * sum(weight for _, weight in weights) - 1
    spread = 2 * sum(square * weight for square, weight in weights) / total
    return Decimal(f"{math.sqrt(spread):.2f}")
