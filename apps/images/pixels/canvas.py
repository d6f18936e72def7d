"""The picture while operations work on it: its pixels, and the size that it stands for.

Until it is resized, a picture may have been decoded smaller than it is: operations count in pixels
of ``size``, and `scaled` says where that is in ``image``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyvips

import limits as limit_names
import refusals
from ops.base import Op
from shapes import Box, Size


def undrawn(data: bytes, ops: Sequence[Op], scene: Scene) -> Canvas:
    """Draw nothing: for pictures without layers."""
    del data, ops, scene
    raise refusals.unusable("unsupported_operation", "there are no layers here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What operations may need beside the picture.

    ``fetch`` gives the bytes of another source file, by ``NAME/path``; it raises Refusal.
    ``draw`` makes a picture of bytes by operations. ``drawn`` is what has been made so, by file
    and operations; ``said`` is words that have been set, for the next frame. ``depth`` is how deep
    this picture lies in layers of others.
    """

    limits: limit_names.Limits
    fetch: Callable[[str], bytes]
    draw: Callable[[bytes, Sequence[Op], Scene], Canvas] = undrawn
    drawn: dict[tuple[str, tuple[Op, ...]], pyvips.Image] = field(default_factory=dict)
    said: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    depth: int = 0


REACH = 3
"""Pixels of the smaller picture from which one pixel of it is made, to each side (Lanczos)."""
MARGIN_FACTOR = 8
"""How many times wider than it need be a margin may become before there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """``image`` is upright 8-bit sRGB or grey, with or without alpha; it stands for ``size``.

    ``eighths``: it was decoded at exactly that many eighths (as JPEG is), so that its last column
    and row stand for less than the others; 0 where its sides say it all. ``ground`` is the picture
    of which this is a part, and ``at`` where: what lies beside it counts when it is scaled.
    """

    image: pyvips.Image
    size: Size
    eighths: int = 0
    ground: pyvips.Image | None = None
    at: tuple[int, int] = (0, 0)

    @property
    def exact(self) -> bool:
        """Tell whether ``image`` has the size that it stands for."""
        return (self.image.width, self.image.height) == self.size

    def scaled(self, box: Box) -> Box:
        """Give the box, said in pixels of ``size``, in pixels of ``image``; never empty."""
        if self.exact:
            return box
        x, y, w, h = box
        left, right = self._along(x, x + w, self.size[0], self.image.width)
        top, bottom = self._along(y, y + h, self.size[1], self.image.height)
        return left, top, right - left, bottom - top

    def _along(self, start: int, end: int, size: int, pixels: int) -> tuple[int, int]:
        scale = self.eighths / 8 if self.eighths else pixels / size
        first = min(round(start * scale), pixels - 1)
        last = pixels if end == size else min(pixels, round(end * scale))
        return first, max(first + 1, last)

    def taking(self, box: Box) -> Canvas:
        """Give only what is in the box."""
        if box == (0, 0, *self.size):
            return self
        part = self.scaled(box)
        return Canvas(
            image=self.image.crop(*part), size=box[2:], eighths=self.eighths,
            ground=self.image, at=part[:2],
        )  # fmt: skip

    def resized(self, size: Size) -> Canvas:
        """Give exactly ``size``."""
        if self.ground is None:
            return Canvas(image=resize(self.image, size), size=size)
        return Canvas(image=_resize_part(self.image, size, self.ground, self.at), size=size)

    def settled(self) -> Canvas:
        """Give it in the size that it stands for."""
        return self if self.exact else self.resized(self.size)

    def over(self, image: pyvips.Image) -> Canvas:
        """Give a canvas that stands for exactly ``image``."""
        return Canvas(image=image, size=(image.width, image.height))


Work: TypeAlias = Callable[[Canvas, Any, Scene], Canvas]
"""What does one kind of operation. Each file of this folder says in ``WORK`` which it does."""


def _resize_part(
    part: pyvips.Image, size: Size, ground: pyvips.Image, at: tuple[int, int]
) -> pyvips.Image:
    """Scale a part as if the whole had been scaled: parts beside each other join without a seam."""
    if (part.width, part.height) == size:
        return part
    across = _margins(at[0], part.width, size[0], ground.width)
    down = _margins(at[1], part.height, size[1], ground.height)
    wide = ground.crop(
        at[0] - across.before, at[1] - down.before,
        part.width + across.before + across.after, part.height + down.before + down.after,
    )  # fmt: skip
    scaled = resize(wide, (size[0] + across.more, size[1] + down.more))
    return scaled.crop(across.skipped, down.skipped, *size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Margins:
    """Pixels beside a part: of the ground, and what they become (``skipped`` before it)."""

    before: int
    after: int
    skipped: int
    more: int


def _margins(start: int, length: int, target: int, whole: int) -> _Margins:
    """Say how much beside the part is scaled with it, in steps that stay whole pixels."""
    common = math.gcd(length, target)
    step, scaled_step = length // common, target // common
    wanted = REACH * max(1.0, length / target)
    count = math.ceil(wanted / step)
    if step * count > MARGIN_FACTOR * wanted:
        count = 0
    before, after = min(count, start // step), min(count, (whole - start - length) // step)
    return _Margins(
        before=before * step,
        after=after * step,
        skipped=before * scaled_step,
        more=(before + after) * scaled_step,
    )


def resize(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Scale to exactly ``size``; colours of clear pixels do not bleed."""
    if (image.width, image.height) == size:
        return image
    if not image.hasalpha():
        return _scaled(image, size)
    return _scaled(image.premultiply(), size).unpremultiply().rint().cast(image.format)


def _scaled(image: pyvips.Image, size: Size) -> pyvips.Image:
    across, down = min(1.0, size[0] / image.width), min(1.0, size[1] / image.height)
    if across < 1 or down < 1:
        image = image.resize(across, vscale=down)
    return image if (image.width, image.height) == size else enlarged(image, size)


def enlarged(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Scale up by bicubic interpolation, middle upon middle.

    (`resize` of libvips 8.18 shifts what it enlarges by half a pixel.)
    """
    across, down = size[0] / image.width, size[1] / image.height
    return image.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, *size],
        idx=0.5,
        idy=0.5,
        odx=-0.5,
        ody=-0.5,
        extend="copy",
    )


def coloured(image: pyvips.Image) -> pyvips.Image:
    """Give three bands of colour (and alpha), where grey is not enough."""
    return image if image.bands >= 3 else image.colourspace("srgb")


def with_alpha(image: pyvips.Image) -> pyvips.Image:
    """Give it an alpha channel, if it has none."""
    image = coloured(image)
    return image if image.hasalpha() else image.addalpha()


def on_colours(image: pyvips.Image, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Change the colours and keep alpha; the result is 8 bits again."""
    if not image.hasalpha():
        return change(image).cast("uchar")
    image = image.copy_memory()  # it is looked at twice
    colours = image.extract_band(0, n=image.bands - 1)
    changed = change(colours).cast("uchar")
    return changed.bandjoin(image.extract_band(image.bands - 1))
