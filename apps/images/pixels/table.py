"""Which function does which operation, and doing them one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import refusals
import shapes
from ops import geometry
from ops.base import Op
from pixels import shaping
from pixels.canvas import Canvas, Scene

Work: TypeAlias = Callable[[Canvas, Any, Scene], Canvas]

WORK: Mapping[type[Op], Work] = {
    geometry.Resize: shaping.resize,
    geometry.Crop: shaping.crop,
    geometry.Cut: shaping.cut,
    geometry.Shape: shaping.shape,
    geometry.Trim: shaping.trim,
    geometry.Rotate: shaping.rotate,
    geometry.Flip: shaping.flip,
    geometry.Extend: shaping.extend,
    geometry.Pad: shaping.pad,
    geometry.Background: shaping.background,
}


def apply(canvas: Canvas, ops: Iterable[Op], scene: Scene) -> Canvas:
    """Do the operations in their order; the result has the size that it stands for.

    Raises:
        Refusal: one of them cannot be done, or the picture would be too big.
    """
    for op in ops:
        work = WORK.get(type(op))
        if work is None:
            raise refusals.unusable(
                "unsupported_operation", f"the operation {op.op_name} is not there"
            )
        canvas = work(canvas, op, scene)
        shapes.check_step(canvas.size, scene.limits)
    shapes.check(canvas.size, scene.limits)
    return canvas.settled()
