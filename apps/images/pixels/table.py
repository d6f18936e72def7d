"""Which function does which operation, and doing them one after another.

A file of this folder says in its ``WORK`` what it does; here they are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import refusals
import shapes
from ops.base import Op
from pixels import areas, detections, edges, layers, shaping, sharpness, tone, words
from pixels.canvas import Canvas, Scene, Work

WORK: Mapping[type[Op], Work] = {
    **shaping.WORK,
    **tone.WORK,
    **sharpness.WORK,
    **areas.WORK,
    **detections.WORK,
    **edges.WORK,
    **layers.WORK,
    **words.WORK,
}

LAZY_MAX = 4
"""Operations that are computed together, piece by piece: each widens the pieces of those before."""


def apply(canvas: Canvas, ops: Iterable[Op], scene: Scene) -> Canvas:
    """Do the operations in their order; the result has the size that it stands for.

    Raises:
        Refusal: one of them cannot be done, or the picture would be too big.
    """
    for at, op in enumerate(ops, 1):
        work = WORK.get(type(op))
        if work is None:
            raise refusals.unusable(
                "unsupported_operation", f"the operation {op.op_name} is not there"
            )
        canvas = work(canvas, op, scene)
        shapes.check_step(canvas.size, scene.limits)
        if at % LAZY_MAX == 0:
            canvas = replace(canvas, image=canvas.image.copy_memory())
    shapes.check(canvas.size, scene.limits)
    return canvas.settled()
