"""Which operations change nothing, whatever the picture: they are no part of a recipe. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ops import effects, geometry
from ops.base import Op


def is_idle(op: Op) -> bool:
    """Tell whether it changes nothing."""
    told = _IDLE.get(type(op))
    return told is not None and told(op)


def _without(*names: str) -> Callable[[Any], bool]:
    """Tell whether all of these arguments are nothing: 0, a length of 0, or empty."""
    first, *others = names

    def told(op: Any) -> bool:
        return _nothing(getattr(op, first)) and all(_nothing(getattr(op, one)) for one in others)

    return told


def _nothing(value: Any) -> bool:
    return not getattr(value, "value", value)


_IDLE: Mapping[type[Op], Callable[[Any], bool]] = {
    geometry.Resize: _without("w", "h", "least_w", "least_h", "area"),
    geometry.Cut: _without("w", "h"),
    geometry.Rotate: lambda op: not op.degrees % 360,
    geometry.Flip: _without("x", "y"),
    geometry.Pad: _without("top", "right", "bottom", "left"),
    effects.Blur: _without("sigma"),
    effects.Sharpen: _without("sigma"),
    effects.Unsharp: lambda op: not op.sigma or not op.amount,
    effects.Pixelate: lambda op: op.size == 1,
    effects.Brightness: _without("percent"),
    effects.Contrast: _without("percent"),
    effects.Saturation: lambda op: op.factor == 1,
    effects.Hue: lambda op: not op.degrees % 360,
    effects.Gamma: lambda op: op.exponent == 1,
    effects.Levels: _without("red", "green", "blue"),
    effects.Curve: _without("red", "green", "blue", "all"),
    effects.Noise: _without("percent"),
    effects.Monochrome: _without("amount"),
    effects.Duotone: _without("amount"),
    effects.Colourise: _without("amount"),
    effects.Tint: _without("amount"),
    effects.Gradient: _without("amount"),
    effects.Vignette: _without("amount"),
    effects.ProgressiveBlur: _without("sigma"),
    effects.Border: _without("width"),
    effects.Round: _without("rx"),
}
