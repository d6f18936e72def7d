"""Operations that look at a pixel's neighbours: blurs, sharpening, squares, matrices, and noise.

Each begins with the picture in memory, because it reads pixels more than once: otherwise a chain of
them would compute everything before it again and again.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyvips

import refusals
from ops import effects, values
from ops.base import Op
from pixels import canvas as canvases
from pixels import masks
from pixels.canvas import Canvas, Scene, Work
from pixels.gaussian import blurred
from pixels.tone import LUMA

GROWING_STEPS = 4
"""Blurs that a growing blur is mixed of."""
NOISE_SAMPLES = 12**-0.5
"""Standard deviation of noise for each percent, of 255: that of thumbor's, which is even."""
WEIGHTS_MAX = 225
"""Numbers of a matrix: 15 x 15."""
TURNS: Mapping[str, int] = {"down": 0, "left": 90, "up": 180, "right": 270}
"""Directions as degrees clockwise from downwards."""


def blur(canvas: Canvas, op: effects.Blur, scene: Scene) -> Canvas:
    """Blur by a Gaussian."""
    del scene
    return canvas.over(blurred(canvas.settled().image, float(op.sigma)))


def sharpen(canvas: Canvas, op: effects.Sharpen, scene: Scene) -> Canvas:
    """Sharpen lightness."""
    del scene
    image = canvas.settled().image.copy_memory()
    if not op.sigma:
        return canvas.over(image)

    def sharper(colours: pyvips.Image) -> pyvips.Image:
        return colours.sharpen(sigma=float(op.sigma), m2=float(op.amount))

    return canvas.over(canvases.on_colours(image, sharper))


def unsharp(canvas: Canvas, op: effects.Unsharp, scene: Scene) -> Canvas:
    """Add what a blur takes away, where that is enough."""
    del scene
    image = canvas.settled().image.copy_memory()
    amount, threshold = float(op.amount), float(op.threshold)

    def sharper(colours: pyvips.Image) -> pyvips.Image:
        luma = op.lightness and colours.bands == 3
        seen = colours.recomb([list(LUMA)]).cast("uchar").copy_memory() if luma else colours
        lost = seen - blurred(seen, float(op.sigma)).copy_memory()
        strong = colours + lost * amount + 0.5
        return (lost.abs() > threshold).ifthenelse(strong, colours)

    return canvas.over(canvases.on_colours(image, sharper))


def pixelate(canvas: Canvas, op: effects.Pixelate, scene: Scene) -> Canvas:
    """Make squares of one colour."""
    del scene
    return canvas.over(squares(canvas.settled().image, op.size))


def squares(image: pyvips.Image, size: int) -> pyvips.Image:
    """Give squares of one colour each, its average; the last ones may be cut off."""
    across, down = min(size, image.width), min(size, image.height)
    if across == down == 1:
        return image
    alpha = image.hasalpha()
    seen = image.premultiply() if alpha else image
    small = seen.shrink(across, down, ceil=True)
    if alpha:
        small = small.unpremultiply().rint().cast("uchar")
    grown = small.copy_memory().zoom(across, down).crop(0, 0, image.width, image.height)
    return grown.copy(interpretation=image.interpretation)


def convolve(canvas: Canvas, op: effects.Convolve, scene: Scene) -> Canvas:
    """Weigh each pixel's neighbours by a matrix.

    Raises:
        Refusal: 400; the matrix is none.
    """
    del scene
    rows = matrix(op.matrix, op.columns)
    whole = sum(map(sum, rows)) if op.normalise else 1.0
    mask = pyvips.Image.new_from_array(rows, scale=whole or 1.0)
    image = canvas.settled().image.copy_memory()

    def weighed(colours: pyvips.Image) -> pyvips.Image:
        return colours.cast("float").conv(mask, precision="float") + 0.5

    return canvas.over(canvases.on_colours(image, weighed))


def matrix(text: str, columns: int) -> list[list[float]]:
    """Read a matrix, row by row.

    Raises:
        Refusal: 400; it has no number where one should be, or its last row is not full.
    """
    found = [values.number(word) for word in text.split(" ")]
    numbers = [float(one) for one in found if one is not None]
    if len(numbers) != len(found) or len(numbers) % columns or len(numbers) > WEIGHTS_MAX:
        allowed = f"at most {WEIGHTS_MAX} numbers in full rows of {columns}"
        raise refusals.parameter("convolve", text, allowed)
    return [numbers[at : at + columns] for at in range(0, len(numbers), columns)]


def noise(canvas: Canvas, op: effects.Noise, scene: Scene) -> Canvas:
    """Add Gaussian noise, the same to each colour; it depends on the seed and the place only."""
    del scene
    image = canvas.settled().image
    sigma = float(op.percent) * NOISE_SAMPLES
    grain = pyvips.Image.gaussnoise(image.width, image.height, sigma=sigma, mean=0.5, seed=op.seed)
    if image.hasalpha():
        bands = image.bands - 1
        grain = grain.recomb([*[[1.0]] * bands, [0.0]])
    noisy = (image + grain).cast("uchar")
    return canvas.over(noisy.copy(interpretation=image.interpretation))


def growing(canvas: Canvas, op: effects.ProgressiveBlur, scene: Scene) -> Canvas:
    """Blur more and more in one direction: mixes of a few blurs, each with the next."""
    del scene
    image = canvas.settled().image.copy_memory()
    sigma, begin, end = float(op.sigma), float(op.start), float(op.stop)
    made = image
    for step in range(GROWING_STEPS if sigma else 0):
        start = begin + (end - begin) * step / GROWING_STEPS
        stop = begin + (end - begin) * (step + 1) / GROWING_STEPS
        cover = masks.ramp(canvas.size, TURNS[op.direction], start, stop)
        softer = blurred(image, sigma * (step + 1) / GROWING_STEPS)
        made = masks.mixed(made, softer, cover).copy_memory()
    return canvas.over(made)


WORK: Mapping[type[Op], Work] = {
    effects.Blur: blur,
    effects.Sharpen: sharpen,
    effects.Unsharp: unsharp,
    effects.Pixelate: pixelate,
    effects.Convolve: convolve,
    effects.Noise: noise,
    effects.ProgressiveBlur: growing,
}
