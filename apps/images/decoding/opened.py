"""What every module here gives back, and the bounds that each of them keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyvips

import limits as limit_names
import refusals

Draw = Callable[[int, int], pyvips.Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source that was judged by its header; ``width`` and ``height`` are upright.

    ``draw`` gives its pixels for a width and a height: what is ``vector`` in about that size, all
    else in its own. They are 8 bits a sample, in memory, and may carry a colour profile.
    ``icc`` is that profile; ``pages`` is how many frames there are, 0 where that was judged.
    """

    width: int
    height: int
    has_alpha: bool
    draw: Draw
    vector: bool = False
    icc: bytes = b""
    pages: int = 0


def check_size(width: int, height: int, limits: limit_names.Limits) -> None:
    """Judge a source's size.

    Raises:
        Refusal: 422; it has none, or is over a limit.
    """
    if width < 1 or height < 1:
        raise refusals.unusable("damaged", "the source declares no size")
    if max(width, height) > limits.source_side:
        raise refusals.unusable(
            "too_many_pixels",
            f"the source is {width} x {height}; a side may have {limits.source_side}"
            " pixels (limit source_side)",
        )
    if width * height > limits.source_pixels:
        raise refusals.unusable(
            "too_many_pixels",
            f"the source is {width} x {height}, more than {limits.source_pixels} pixels"
            " (limit source_pixels)",
        )


def check_memory(needed: int, limits: limit_names.Limits) -> None:
    """Judge the bytes that decoding needs at once.

    Raises:
        Refusal: 422; they are too many.
    """
    if needed > limits.decode_bytes:
        raise refusals.unusable(
            "too_much_memory",
            f"decoding the source would take about {needed >> 20} MiB, more than"
            f" {limits.decode_bytes >> 20} (limit decode_bytes)",
        )
