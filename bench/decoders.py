"""The two bare ways from a file to an encoded picture that benches compare with.

``dynimo`` is the images app's own pipeline, called as a plain function; ``libvips`` is the one-line
``pyvips.Image.thumbnail`` that everybody writes first. Imported in the processes of ``loops`` only,
because libvips must not run in a process that forks.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from bench.peers.contender import AVIF_EFFORT, OPTIMISE_HUFFMAN, WEBP_EFFORT, Recipe
from bench.setting import ROOT

Render: TypeAlias = Callable[[str, Recipe], bytes]
NAMES = ("dynimo", "libvips")
PNG_COMPRESSION = 6
_IMAGES_APP = ROOT / "apps" / "images"


@functools.cache
def load(name: str) -> Render:
    """Import what the named decoder needs and return it."""
    os.environ["VIPS_CONCURRENCY"] = "1"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    return {"dynimo": _dynimo, "libvips": _libvips}[name]()


def _dynimo() -> Render:
    sys.path.insert(0, str(_IMAGES_APP))
    render: Any = importlib.import_module("render")
    encode: Any = importlib.import_module("encode")
    recipes: Any = importlib.import_module("recipe")
    geometry: Any = importlib.import_module("ops.geometry")
    pixels: Any = importlib.import_module("ops.values").pixels
    output: Any = importlib.import_module("ops.output")
    limits: Any = importlib.import_module("limits").Limits()

    def one(path: str, recipe: Recipe) -> bytes:
        wanted = recipes.canonical(
            source="bench",
            path="picture",
            engine="0",
            ops=(geometry.Resize("inside", pixels(recipe.side), pixels(recipe.side)),),
            out=output.Output(
                fm={"jpeg": "jpg"}.get(recipe.format, recipe.format), quality=recipe.quality
            ),
        )
        made = render.render(Path(path).read_bytes(), wanted, limits)
        body: bytes = encode.encode(made.pixels, wanted.out).body
        return body

    return one


def _libvips() -> Render:
    pyvips: Any = importlib.import_module("pyvips")
    pyvips.cache_set_max(0)

    def one(path: str, recipe: Recipe) -> bytes:
        data = Path(path).read_bytes()
        side = recipe.side
        image = pyvips.Image.thumbnail_buffer(
            data, side, height=side, size="down", export_profile="srgb"
        )
        options: dict[str, Any] = {"Q": recipe.quality, "keep": "none"}
        if recipe.format == "jpeg":
            return bytes(image.jpegsave_buffer(optimize_coding=OPTIMISE_HUFFMAN, **options))
        if recipe.format == "png":
            return bytes(image.pngsave_buffer(compression=PNG_COMPRESSION, keep="none"))
        if recipe.format == "webp":
            return bytes(image.webpsave_buffer(effort=WEBP_EFFORT, **options))
        return bytes(
            image.heifsave_buffer(
                compression="av1", effort=AVIF_EFFORT, subsample_mode="on", **options
            )
        )

    return one
