"""AVIF of several frames, through Pillow, which is an extra: libvips writes stills only."""

from __future__ import annotations

import importlib.util
import io

import pyvips

import extras
import refusals
from ops.output import Output

SPEED = 8
"""Of 10: some 50 ns a pixel, less than WebP takes; slower ones take eight times as long."""
_NAME = "AVIF animation"
_MODES = {3: "RGB", 4: "RGBA"}


def is_there() -> bool:
    """Tell whether the package is installed, and can write it."""
    return bool(importlib.util.find_spec("PIL") and importlib.util.find_spec("PIL._avif"))


def save(image: pyvips.Image, out: Output, quality: int, *, full_chroma: bool) -> bytes:
    """Encode frames that lie below each other. It is repeated for ever, as the encoder has it.

    Raises:
        Refusal: 422; the package is missing, or the encoder fails.
    """
    if out.lossless:
        raise refusals.unusable(
            "cannot_encode", "an AVIF animation is never lossless: ask for WebP (fm=webp)"
        )
    pillow = extras.load("PIL.Image", _NAME)
    extras.load("PIL._avif", _NAME)
    delays = list(image.get("delay"))
    size = (image.width, image.height // len(delays))
    rows = memoryview(image.write_to_memory())
    length = size[0] * size[1] * image.bands
    frames = [
        pillow.frombytes(_MODES[image.bands], size, rows[at : at + length])
        for at in range(0, len(rows), length)
    ]
    buffer = io.BytesIO()
    try:
        frames[0].save(
            buffer, "AVIF", save_all=True, append_images=frames[1:], duration=delays,
            quality=quality, speed=SPEED, subsampling="4:4:4" if full_chroma else "4:2:0",
            max_threads=1,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise refusals.unusable("cannot_encode", "cannot write this animation as AVIF") from error
    return buffer.getvalue()
