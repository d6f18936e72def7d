"""How near an answer is to the best small picture one could make, against a slow reference.

The reference decodes every pixel, converts to sRGB and shrinks with Lanczos. It shows whether
speed was bought with quality: contenders decode at different scales. PSNR counts samples,
SSIMULACRA2 what eyes see (the images app's own code, which its tests hold to another
implementation). Runs in processes of its own.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import math
import multiprocessing
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.setting import ROOT

_IMAGES_APP = ROOT / "apps" / "images"


class Nearness(NamedTuple):
    """``decibels`` of PSNR, and ``likeness`` by SSIMULACRA2 (100 is the same, 90 hardly seen)."""

    decibels: float
    likeness: float


def judge(pictures: Mapping[str, Path], bodies: Mapping[str, bytes]) -> dict[str, Nearness]:
    """Judge each answer in ``bodies``, by the names of ``pictures``."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        jobs = {
            name: executor.submit(_one, str(pictures[name]), body) for name, body in bodies.items()
        }
        return {name: job.result() for name, job in jobs.items()}


def _one(picture: str, body: bytes) -> Nearness:
    pyvips: Any = importlib.import_module("pyvips")
    numpy: Any = importlib.import_module("numpy")
    made = _plain(pyvips.Image.new_from_buffer(body, ""))
    source = _plain(pyvips.Image.new_from_file(picture))
    horizontal, vertical = made.width / source.width, made.height / source.height
    wanted = source.resize(horizontal, vscale=vertical, kernel="lanczos3").numpy()
    answer = made.numpy()
    error = float(((wanted.astype(numpy.float64) - answer) ** 2).mean())
    if str(_IMAGES_APP) not in sys.path:
        sys.path.insert(0, str(_IMAGES_APP))
    likeness: Any = importlib.import_module("encoding.likeness")
    return Nearness(
        decibels=10 * math.log10(255**2 / error) if error else math.inf,
        likeness=float(likeness.Original(wanted).likeness(answer)),
    )


def _plain(image: Any) -> Any:
    """Return sRGB samples of three bands, whatever profile came along."""
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True)
    return image.colourspace("srgb").extract_band(0, n=3).cast("uchar").copy_memory()
