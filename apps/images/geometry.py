"""How big, what part, on what canvas: arithmetic on sides, before any pixel exists. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import limits as limit_names
import recipe as recipes
import refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Scale the upright source to ``scaled``, cut or pad it centrally to ``size``; (w, h) pixels.

    Where a side of ``size`` is smaller than ``scaled`` the picture is cut, where larger padded.
    """

    scaled: tuple[int, int]
    size: tuple[int, int]

    @property
    def offset(self) -> tuple[int, int]:
        """Where the scaled picture's corner lies on the canvas; negative when it is cut."""
        return (
            _half(self.size[0] - self.scaled[0]),
            _half(self.size[1] - self.scaled[1]),
        )

    @property
    def pads(self) -> bool:
        """Tell whether some of the canvas is not covered."""
        return self.size[0] > self.scaled[0] or self.size[1] > self.scaled[1]

    @property
    def cuts(self) -> bool:
        """Tell whether some of the scaled picture is left out."""
        return self.size[0] < self.scaled[0] or self.size[1] < self.scaled[1]


def plan(width: int, height: int, recipe: recipes.Recipe, limits: limit_names.Limits) -> Plan:
    """Plan for a source that is ``width`` x ``height`` when upright.

    Raises:
        Refusal: 422; the picture, or a step on the way to it, would be too big.
    """
    scaled = _scaled(width, height, recipe)
    exact = recipe.w and recipe.h and recipe.fit in ("cover", "contain")
    size = (recipe.w, recipe.h) if recipe.w and recipe.h and exact else scaled
    if max(size) > limits.output_side:
        raise refusals.unusable(
            "output_too_large",
            f"the picture would be larger than {limits.output_side} pixels wide"
            " or high (limit output_side)",
        )
    if size[0] * size[1] > limits.output_pixels:
        raise refusals.unusable(
            "output_too_large",
            f"the picture would have more than {limits.output_pixels} pixels (limit output_pixels)",
        )
    if scaled[0] * scaled[1] > 4 * limits.output_pixels or max(scaled) > limits.source_side:
        raise refusals.unusable(
            "too_elongated", "the source is too elongated to cover that size (limit output_pixels)"
        )
    return Plan(scaled=scaled, size=size)


def _scaled(width: int, height: int, recipe: recipes.Recipe) -> tuple[int, int]:
    w, h = recipe.w, recipe.h
    if w and h:
        if recipe.fit == "fill":
            return w, h
        # Compare w/width with h/height without leaving the integers: the same on every machine.
        by_width = (w * height < h * width) != (recipe.fit == "cover")
        if recipe.fit == "inside" and w >= width and h >= height:
            return width, height
        return (w, _side(height, w, width)) if by_width else (_side(width, h, height), h)
    if w and w < width:
        return w, _side(height, w, width)
    if h and h < height:
        return _side(width, h, height), h
    return width, height


def _side(side: int, numerator: int, denominator: int) -> int:
    """Give ``side`` x ``numerator`` / ``denominator``, half rounded up, never below 1."""
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))


def _half(difference: int) -> int:
    return difference // 2 if difference >= 0 else -(-difference // 2)
