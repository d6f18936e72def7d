"""A part of a picture has the whole's colours, whichever way it was decoded."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import kept
import limits
import recipe
import render
from ops import geometry, values
from ops.base import Op
from ops.output import Output

BOX = (30, 10, 90, 70)
SIZE = (200, 120)


@functools.cache
def colours() -> Image.Image:
    w, h = SIZE
    y, x = np.mgrid[0:h, 0:w]
    return Image.fromarray(np.stack([x, y * 2, 255 - x], axis=-1).astype("uint8"))


def profile() -> bytes:
    """Give an RGB profile far from sRGB: its red and green primaries are swapped."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    return icc.replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))


def saved(kind: str, mode: str, **options: Any) -> bytes:
    image = colours()
    if mode == "I;16":
        grey = np.asarray(image.convert("L"), dtype="uint16") * 257
        image = Image.fromarray(grey)
    elif mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.linear_gradient("L").resize(SIZE))
    elif mode != "RGB":
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


SOURCES = {
    "png": lambda: saved("PNG", "RGB"),
    "with a profile": lambda: saved("PNG", "RGB", icc_profile=profile()),
    "with garbage for a profile": lambda: saved("TIFF", "RGB", icc_profile=b"garbage" * 40),
    "16 bits": lambda: saved("PNG", "I;16"),
    "a palette": lambda: saved("PNG", "P"),
    "grey": lambda: saved("TIFF", "L"),
    "grey with alpha": lambda: saved("PNG", "LA"),
    "alpha": lambda: saved("PNG", "RGBA"),
    "for print": lambda: saved("TIFF", "CMYK"),
    "turned": lambda: saved("PNG", "RGB", exif=turned()),
    "gif": lambda: saved("GIF", "P"),
}


def drawn(data: bytes, *ops: Op, shared: kept.Picture | None = None) -> np.ndarray:
    made = recipe.canonical(source="s", path="p", engine="1", ops=ops, out=Output(fm="png"))
    pixels = render.render(data, made, limits.Limits(), shared=shared).pixels
    samples = np.frombuffer(pixels.data, dtype="uint8")
    return samples.reshape(pixels.height, pixels.width, -1).astype(int)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_a_part_is_a_part_of_the_whole(name: str, *, shared: bool) -> None:
    """To one step of 255, while lines come, in memory, and from what is kept for others."""
    data = SOURCES[name]()
    x, y, w, h = BOX
    place = kept.Picture(kept.Pictures(), name, "1", expected=True) if shared else None
    crop = geometry.Crop(*map(values.pixels, BOX))
    part = drawn(data, crop, shared=place)
    whole = drawn(data)[y : y + h, x : x + w]
    assert part.shape[:2] == whole.shape[:2]
    assert np.abs(part - whole).max() <= 1  # grey may be one band or three alike


@pytest.mark.parametrize("name", SOURCES)
def test_a_part_that_is_scaled_is_alike(name: str) -> None:
    """Converting after scaling makes no difference that is seen, and no shift."""
    data = SOURCES[name]()
    half = geometry.Resize("fill", values.pixels(45), values.pixels(35))
    crop = geometry.Crop(*map(values.pixels, BOX))
    part = drawn(data, crop, half)
    whole = drawn(data)
    x, y, w, h = BOX
    ideal = whole[y : y + h, x : x + w].reshape(35, 2, 45, 2, -1).mean(axis=(1, 3))
    assert np.abs(part - ideal).mean() < 4
