"""Optional packages: what needs which, imported on first use, and named when one is missing.

Only the Generator comes here, and never while it is imported: the base set-up has none of them.
"""

from __future__ import annotations

import importlib
from typing import Any

import refusals

NEEDS = {
    "cv2": ("opencv-python-headless<5", "finding faces"),
    "PIL.Image": ("pillow", "BMP, ICO and what Pillow's plugins read"),
    "PIL._avif": ("pillow", "AVIF animations"),
    "PIL.AvifImagePlugin": ("pillow", "AVIF animations"),
    "pillow_heif": ("pillow-heif", "HEIC"),
    "pillow_jxl": ("pillow-jxl-plugin", "JPEG XL"),
    "pypdfium2": ("pypdfium2", "PDF"),
    "rawpy": ("rawpy", "camera RAW"),
    "imageio_ffmpeg": ("imageio-ffmpeg", "video"),
}
"""Module → the package that brings it, and what for."""


def load(module: str, what: str = "") -> Any:
    """Import an optional module; ``what`` is the format that needs it.

    Raises:
        Refusal: 422; the package is not installed.
    """
    package, purpose = NEEDS[module]
    try:
        return importlib.import_module(module)
    except ImportError:
        raise refusals.unusable(
            "needs_package",
            f"{what or purpose} needs the package {package}: install it beside Dynimo"
            f" (pip install {package})",
        ) from None
