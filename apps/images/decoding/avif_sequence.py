"""AVIF image sequences (their files begin as ``avis``), through Pillow, which is an extra.

libvips reads the stills of AVIF only. Frames are decoded one after the other, so a late one costs
those before it, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyvips

import limits as limit_names
import refusals
from decoding import by_pillow
from decoding.opened import Opened, check_memory, check_size

KIND = "avis"
BYTES_PER_PIXEL = 16
"""What decoding a frame holds at once, as of stills."""


def open_sequence(data: bytes, limits: limit_names.Limits, *, page: int) -> Opened:
    """Open a sequence; its pixels are those of frame ``page``.

    Raises:
        Refusal: 422; a package is missing, the file is damaged, or it is over a limit.
    """
    image = by_pillow.opened(data, KIND)
    width, height = image.size
    check_size(width, height, limits)
    check_memory(BYTES_PER_PIXEL * width * height, limits)
    if page and (page + 1) * width * height > limits.animation_pixels:
        raise refusals.unusable(
            "too_many_pixels",
            f"up to frame {page + 1} there are more than {limits.animation_pixels} pixels"
            " (limit animation_pixels)",
        )

    def draw(w: int, h: int) -> pyvips.Image:
        del w, h
        return next(frames(data, page, 1))[0]

    return Opened(
        width=width, height=height, has_alpha=image.mode == "RGBA", draw=draw,
        icc=image.info.get("icc_profile") or b"", pages=image.n_frames,
    )  # fmt: skip


def frames(data: bytes, first: int, count: int) -> Iterator[tuple[pyvips.Image, int]]:
    """Give so many frames from one on, each with the milliseconds that it stays.

    Raises:
        Refusal: 422; the file is damaged.
    """
    image = by_pillow.opened(data, KIND)
    for number in range(first, first + count):
        yield by_pillow.frame(image, KIND, number, clear=image.mode == "RGBA")


def joined(data: bytes, first: int, count: int) -> pyvips.Image:
    """Give frames that lie below each other, as libvips has them, with their ``delay``.

    Raises:
        Refusal: 422; the file is damaged.
    """
    images: list[pyvips.Image] = []
    delays: list[int] = []
    for image, delay in frames(data, first, count):
        images.append(image)
        delays.append(delay)
    made: Any = pyvips.Image.arrayjoin(images, across=1)
    made.set_type(pyvips.GValue.array_int_type, "delay", delays)
    return made
