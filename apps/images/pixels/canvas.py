"""The picture while operations work on it: its pixels, and the size that it stands for.

Until it is resized, a picture may have been decoded smaller than it is: operations count in pixels
of ``size``, and `scaled` says where that is in ``image``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
    and operations. ``depth`` is how deep this picture lies in layers of others.
    """

    limits: limit_names.Limits
    fetch: Callable[[str], bytes]
    draw: Callable[[bytes, Sequence[Op], Scene], Canvas] = undrawn
    drawn: dict[tuple[str, tuple[Op, ...]], pyvips.Image] = field(default_factory=dict)
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """``image`` is upright 8-bit sRGB or grey, with or without alpha; it stands for ``size``."""

    image: pyvips.Image
    size: Size

    @property
    def exact(self) -> bool:
        """Tell whether ``image`` has the size that it stands for."""
        return (self.image.width, self.image.height) == self.size

    def scaled(self, box: Box) -> Box:
        """Give the box, said in pixels of ``size``, in pixels of ``image``; never empty."""
        if self.exact:
            return box
        x, y, w, h = box
        across, down = self.image.width / self.size[0], self.image.height / self.size[1]
        left, top = round(x * across), round(y * down)
        left, top = min(left, self.image.width - 1), min(top, self.image.height - 1)
        right = min(self.image.width, max(left + 1, round((x + w) * across)))
        bottom = min(self.image.height, max(top + 1, round((y + h) * down)))
        return left, top, right - left, bottom - top

    def taking(self, box: Box) -> Canvas:
        """Give only what is in the box."""
        if box == (0, 0, *self.size):
            return self
        return Canvas(image=self.image.crop(*self.scaled(box)), size=box[2:])

    def resized(self, size: Size) -> Canvas:
        """Give exactly ``size``."""
        return replace(self, image=resize(self.image, size), size=size)

    def settled(self) -> Canvas:
        """Give it in the size that it stands for."""
        return self if self.exact else self.resized(self.size)

    def over(self, image: pyvips.Image) -> Canvas:
        """Give a canvas that stands for exactly ``image``."""
        return Canvas(image=image, size=(image.width, image.height))


Work: TypeAlias = Callable[[Canvas, Any, Scene], Canvas]
"""What does one kind of operation. Each file of this folder says in ``WORK`` which it does."""


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
