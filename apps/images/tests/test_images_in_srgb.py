"""Sources that are sRGB already are not converted: the same bytes, in a third of the time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

import decode
import limits
import render
import spelled

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
LIMITS = limits.Limits()


def written(kind: str, mode: str, **how: object) -> bytes:
    """Write the sample in a kind and mode, without a profile unless ``how`` gives one."""
    file = io.BytesIO()
    with Image.open(SAMPLE) as image:
        small = image.convert("RGB").resize((320, 200))
    if mode == "RGBA":
        small.putalpha(Image.linear_gradient("L").resize(small.size))
    small.convert(mode).save(file, kind, **{"icc_profile": None, **how})
    return file.getvalue()


@pytest.mark.parametrize("kind", ["png", "webp", "gif", "avif", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_are_those_of_the_conversion(kind: str, mode: str) -> None:
    """To the byte."""
    data = written(kind, mode)
    assert decode.open_header(data, LIMITS).in_srgb
    got = render.render(data, spelled.canonical(fm="png", w=150), LIMITS).pixels
    wanted = pyvips.Image.thumbnail_buffer(
        data, 150, height=got.height, size="force", export_profile="srgb", intent="relative"
    )
    assert np.array_equal(np.frombuffer(got.data, np.uint8), wanted.numpy().ravel())


OTHER_SPACE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OTHER_SPACE = OTHER_SPACE.replace("sRGB".encode("utf-16-be"), "wRGB".encode("utf-16-be"))
OTHERS = {
    "grey": ("png", "L", {}),
    "16 bits": ("png", "I;16", {}),
    "cmyk": ("tiff", "CMYK", {}),
    "another space": ("png", "RGB", {"icc_profile": OTHER_SPACE}),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_srgb_is_converted(name: str) -> None:
    """Grey, more bits, ink, and every profile that is not sRGB's."""
    kind, mode, how = OTHERS[name]
    assert not decode.open_header(written(kind, mode, **how), LIMITS).in_srgb
