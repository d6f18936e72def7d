"""BMP, ICO, JPEG XL, HEIC and frames of AVIF, through Pillow and its plugins, which are extras."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyvips

import extras
import limits as limit_names
import refusals
from decoding import bounded, jxl_header
from decoding.opened import Opened, check_memory, check_size

NAMES = {"bmp": "BMP", "ico": "ICO", "jxl": "JPEG XL", "heic": "HEIC"}
"""What is opened here; ``avis`` and ``jp2`` have files of their own."""
_NAMES = {**NAMES, "avis": "AVIF animation", "jp2": "JPEG 2000"}
_FORMATS = {
    "bmp": "BMP",
    "ico": "ICO",
    "jxl": "JXL",
    "heic": "HEIF",
    "avis": "AVIF",
    "jp2": "JPEG2000",
}
BYTES_PER_PIXEL = {"bmp": 8, "ico": 8, "jxl": 24, "heic": 12}
"""What decoding holds at once, by measure."""
DELAY_MS_MAX = 655_350
"""How long a frame stays at most, as in GIF: a file can say millions of years."""
_FAULTS = (OSError, ValueError, SyntaxError, struct.error, RuntimeError, EOFError, MemoryError,
           ArithmeticError, AssertionError, TypeError, KeyError, IndexError)  # fmt: skip
"""What Pillow and its plugins raise of files that they cannot read."""


def open_picture(data: bytes, kind: str, limits: limit_names.Limits) -> Opened:
    """Open one of ``NAMES``, upright.

    Raises:
        Refusal: 422; a package is missing, the file is damaged, or it is over a limit.
    """
    if kind == "heic":
        extras.load("pillow_heif", NAMES[kind]).register_heif_opener(thumbnails=False)
    if kind == "jxl":
        extras.load("pillow_jxl", NAMES[kind])
        width, height = jxl_header.size(data)  # the plugin decodes all of it to tell the size
        _check(kind, width, height, limits)
    image = opened(data, kind)
    width, height = image.size
    _check(kind, width, height, limits)
    icc = image.info.get("icc_profile") or b""
    alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info

    def draw(w: int, h: int) -> pyvips.Image:
        del w, h
        return pixels(image, kind, icc, clear=alpha)

    return Opened(width=width, height=height, has_alpha=alpha, draw=draw, icc=icc)


def opened(data: bytes, kind: str) -> Any:
    """Let Pillow read a file's header.

    Raises:
        Refusal: 422; Pillow is missing or cannot read this kind, or the file is damaged.
    """
    pillow = extras.load("PIL.Image", _NAMES[kind])
    if kind == "avis":
        extras.load("PIL._avif", _NAMES[kind])
        plugin = extras.load("PIL.AvifImagePlugin", _NAMES[kind])
        plugin.DEFAULT_MAX_THREADS = 1  # the platform starts as many environments as pay
    try:
        with _quiet():
            return pillow.open(io.BytesIO(data), formats=(_FORMATS[kind],))
    except (*_FAULTS, pillow.DecompressionBombError) as error:
        raise _damaged(kind) from error


def frame(image: Any, kind: str, number: int, *, clear: bool) -> tuple[pyvips.Image, int]:
    """Decode one frame; give it and the milliseconds that it stays.

    Raises:
        Refusal: 422; the file is damaged.
    """
    try:
        image.seek(number)
        with bounded.memory():
            image.load()
    except _FAULTS as error:
        raise _damaged(kind) from error
    icc = image.info.get("icc_profile") or b""
    delay = min(DELAY_MS_MAX, max(0, int(image.info.get("duration", 0))))
    return pixels(image, kind, icc, clear=clear), delay


def _check(kind: str, width: int, height: int, limits: limit_names.Limits) -> None:
    check_size(width, height, limits)
    check_memory(BYTES_PER_PIXEL[kind] * width * height, limits)


def pixels(image: Any, kind: str, icc: bytes, *, clear: bool) -> pyvips.Image:
    """Decode to 8 bits a sample, with the profile beside them.

    Raises:
        Refusal: 422; the file is damaged.
    """
    try:
        with _quiet():
            with bounded.memory():
                image.load()
            if image.mode.startswith("I;16"):  # converting would cut off, not scale
                image = image.point(lambda value: value / 256).convert("L")
            rows = image.convert("RGBA" if clear else "RGB")
        width, height = rows.size
        found = pyvips.Image.new_from_memory(
            rows.tobytes(), width, height, 4 if clear else 3, "uchar"
        ).copy(interpretation="srgb")
    except _FAULTS as error:
        raise _damaged(kind) from error
    if icc:
        found.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of oddities that are read over: whether a file is refused is decided here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _damaged(kind: str) -> refusals.Refusal:
    return refusals.unusable("damaged", f"the {_NAMES[kind]} source is damaged: it cannot be read")
