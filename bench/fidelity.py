"""How near an answer is to the best small picture one could make: PSNR against a slow reference.

The reference decodes every pixel, converts to sRGB and shrinks with Lanczos. It shows whether speed
was bought with quality: contenders decode at different scales. Runs in a process of its own.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import math
import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def decibels(pictures: Mapping[str, Path], bodies: Mapping[str, bytes]) -> dict[str, float]:
    """Return the PSNR in dB of each answer in ``bodies``, by the names of ``pictures``."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        jobs = {
            name: executor.submit(_one, str(pictures[name]), body) for name, body in bodies.items()
        }
        return {name: job.result() for name, job in jobs.items()}


def _one(picture: str, body: bytes) -> float:
    pyvips: Any = importlib.import_module("pyvips")
    numpy: Any = importlib.import_module("numpy")
    made = _plain(pyvips.Image.new_from_buffer(body, ""))
    source = _plain(pyvips.Image.new_from_file(picture))
    horizontal, vertical = made.width / source.width, made.height / source.height
    wanted = source.resize(horizontal, vscale=vertical, kernel="lanczos3")
    difference = wanted.numpy().astype(numpy.float64) - made.numpy()
    error = float((difference**2).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def _plain(image: Any) -> Any:
    """Return sRGB samples of three bands, whatever profile came along."""
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True)
    return image.colourspace("srgb").extract_band(0, n=3).cast("uchar").copy_memory()
