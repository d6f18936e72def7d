"""Blurring by a Gaussian, in whole numbers: white stays white, and time hardly grows with sigma.

libvips' own integer blur is as fast, but its weights are rounded so that flat colours change by up
to 3 %: white became 247. Weights whose sum is a power of two, each at most 64, are exact in it.
"""

from __future__ import annotations

import math

import pyvips

from pixels import canvas as canvases

SIGMA_FULL = 16.0
"""Up to here a blur is done on all pixels; beyond, on squares of them."""
SIGMA_SQUARES = 8.0
"""At most so many squares is sigma then."""
REACH = 3
"""Weights further than so many sigmas away are left out."""
WEIGHT_MAX = 64
"""Larger weights lose their last bit in the vector code of libvips 8.18."""
WEIGHTS_SUM_MAX = 2048


def blurred(image: pyvips.Image, sigma: float) -> pyvips.Image:
    """Blur; colours of clear pixels do not bleed."""
    if not sigma:
        return image
    image = image.copy_memory()
    if not image.hasalpha():
        return _spread(image, sigma)
    weighed = image.premultiply().rint().cast("uchar").copy_memory()
    made = _spread(weighed, sigma).unpremultiply()
    return made.rint().cast("uchar").copy(interpretation=image.interpretation)


def _spread(image: pyvips.Image, sigma: float) -> pyvips.Image:
    if sigma <= SIGMA_FULL:
        return _convolved(image, sigma)
    side = math.ceil(sigma / SIGMA_SQUARES)
    margin = side * math.ceil(REACH * sigma / side)
    across = side * -(-(image.width + 2 * margin) // side)
    down = side * -(-(image.height + 2 * margin) // side)
    padded = image.embed(margin, margin, across, down, extend="copy")
    # Averaging squares is a blur, too: what is left to do is the difference of variances.
    rest = math.sqrt((sigma / side) ** 2 - (1 - 1 / side**2) / 12)
    small = _convolved(padded.shrink(side, side).copy_memory(), rest).copy_memory()
    grown = canvases.enlarged(small, (across, down))
    return grown.crop(margin, margin, image.width, image.height)


def _convolved(image: pyvips.Image, sigma: float) -> pyvips.Image:
    right = weights(sigma)
    row = [*right[:0:-1], *right]
    return image.convsep(pyvips.Image.new_from_array([row], scale=sum(row)), precision="integer")


def weights(sigma: float) -> list[int]:
    """Give the middle weight and those to the right of it, until they are 0."""
    shares = [math.exp(-(at**2) / (2 * sigma**2)) for at in range(math.ceil(REACH * sigma) + 1)]
    whole, total = shares[0] + 2 * sum(shares[1:]), WEIGHTS_SUM_MAX
    while True:
        right = [found for share in shares[1:] if (found := round(share / whole * total))]
        middle = total - 2 * sum(right)
        if middle <= WEIGHT_MAX and max(right, default=0) <= WEIGHT_MAX:
            return [middle, *right]
        total //= 2
