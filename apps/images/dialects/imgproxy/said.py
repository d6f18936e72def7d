"""What a URL has said so far: options write here, later ones over earlier ones.

Values only, before any dpr; what they come to together is compiled in `shaping`, `colouring`,
`marking` and `finishing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import colours
from ops import values
from ops.base import Op

ONE = Decimal(1)
NONE = Decimal(0)


@dataclass(slots=True)
class Mark:
    """A watermark: its own picture (``file``) or ``text``, or the deployment's."""

    opacity: Decimal = NONE
    place: str = "ce"
    x: values.Length = values.ZERO
    y: values.Length = values.ZERO
    scale: Decimal = NONE
    file: str = ""
    text: str = ""
    w: int = 0
    h: int = 0
    degrees: Decimal = NONE


@dataclass(slots=True)
class Finish:
    """What holds for the whole URL, however many pipelines it chains.

    ``out`` are arguments of `ops.output.Output` as they are.
    """

    fm: str = ""
    quality: int = 0
    qualities: dict[str, int] = field(default_factory=dict)
    strip: bool = True
    copyright: bool = False
    still: bool = False
    raw: bool = False
    skip: set[str] = field(default_factory=set)
    expires: int = 0
    out: dict[str, object] = field(default_factory=dict)
    fallback: str = ""
    applied: int = 0


@dataclass(slots=True)
class Said:
    """One pipeline. Lengths in pixels, gravities without dpr; ``effects`` by the option's name."""

    finish: Finish = field(default_factory=Finish)
    mode: str = "fit"
    w: int = 0
    h: int = 0
    least_w: int = 0
    least_h: int = 0
    zoom_x: Decimal = ONE
    zoom_y: Decimal = ONE
    dpr: Decimal = ONE
    enlarge: bool = False
    extend: bool = False
    extend_gravity: values.Gravity = values.CENTRE
    extend_shape: bool = False
    extend_shape_gravity: values.Gravity = values.CENTRE
    gravity: values.Gravity = values.CENTRE
    crop_w: Decimal = NONE
    crop_h: Decimal = NONE
    crop_gravity: values.Gravity | None = None
    crop_ratio: Decimal = NONE
    crop_grows: bool = False
    trim: Decimal | None = None
    trim_colour: colours.Colour | None = None
    trim_x: bool = False
    trim_y: bool = False
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    rotate: int = 0
    flip_x: bool = False
    flip_y: bool = False
    bg: colours.Colour | None = None
    bg_alpha: Decimal = ONE
    effects: dict[str, tuple[Op, ...]] = field(default_factory=dict)
    mark: Mark = field(default_factory=Mark)
