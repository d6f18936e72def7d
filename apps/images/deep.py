"""What eight bits of sRGB cannot hold: more bits a sample, and the gain map of an HDR photograph.

Both pass through operations on the shape alone; all others are made for 8 bits, and say so.
UltraHDR 1.1 (Android): a JPEG with a second picture in it, which says how much brighter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyvips

import colours
import decode
import encode
import recipe as recipes
import refusals
from decoding.opened import check_memory, check_size
from ops import geometry, values
from ops.base import Op
from pixels import table
from pixels.canvas import Canvas, Scene

DEPTHS = {"png": (16,), "tiff": (16,), "avif": (10, 12)}
"""What can have more bits than eight, and how many."""
BITS = 16
"""In memory, whatever is written."""
BYTES_PER_PIXEL = 16
"""What 16-bit work holds at once."""
GAIN_QUALITY = 85
_GAIN, _GAIN_DATA = "gainmap-", "gainmap-data"
_SHAPES = (
    geometry.Resize, geometry.Crop, geometry.Cut, geometry.Shape, geometry.Flip, geometry.Rotate,
)  # fmt: skip


def is_meant(recipe: recipes.Recipe) -> bool:
    """Tell whether a recipe wants more bits in a format that has them."""
    return recipe.out.depth in DEPTHS.get(recipe.out.fm, ())


def check_shapes(ops: Sequence[Op], what: str) -> None:
    """Refuse operations that are done in 8 bits only.

    Raises:
        Refusal: 422; naming the operation.
    """
    for op in ops:
        turned = isinstance(op, geometry.Rotate) and op.degrees % 90
        gravity = getattr(op, "gravity", values.CENTRE)
        if turned or not isinstance(op, _SHAPES) or gravity.place in values.SMART:
            raise refusals.unusable(
                "unsupported_operation",
                f"{what} cannot go through the operation {op.op_name}, only through sizes, cuts,"
                " flips and quarter turns",
            )


def render(
    data: bytes, header: decode.Header, recipe: recipes.Recipe, scene: Scene
) -> encode.Pixels:
    """Make a picture of 16 bits a sample; one of 8 bits is widened.

    Raises:
        Refusal: 422; an operation has no 16 bits, or it is too large.
        pyvips.Error: the source is damaged.
    """
    check_shapes(recipe.ops, f"{recipe.out.depth} bits")
    check_memory(BYTES_PER_PIXEL * header.width * header.height, scene.limits)
    out = recipe.out
    if header.draw is not None:
        image = header.draw(header.width, header.height)
    else:
        page = {"page": out.page} if out.page else {}
        image = pyvips.Image.new_from_buffer(
            data, "", access="sequential", fail_on=decode.fail_on(header.kind), **page
        )
    image = _wide(image, keep=out.icc == "keep", icc=header.icc).copy_memory()
    image = image.autorot() if out.upright else image
    canvas = Canvas(image=image, size=(image.width, image.height))
    made = table.apply(canvas, recipe.ops, scene).image
    if out.fm == "avif" and made.width * made.height > scene.limits.avif_pixels:
        raise refusals.unusable(
            "too_many_pixels",
            f"an AVIF of {out.depth} bits has at most {scene.limits.avif_pixels} pixels"
            " (limit avif_pixels): ask for a smaller one, or for depth=16 in PNG",
        )
    if made.hasalpha() and out.flat:
        made = made.flatten(background=[part * 257 for part in colours.on_white(out.bg)[:3]])
    fields = {"icc-profile-data": header.icc} if out.icc == "keep" and header.icc else {}
    return encode.Pixels(
        data=made.write_to_memory(), width=made.width, height=made.height, bands=made.bands,
        depth=BITS, fields=fields,
    )  # fmt: skip


def _wide(image: pyvips.Image, *, keep: bool, icc: bytes) -> pyvips.Image:
    """Bring samples to 16 bits, in sRGB unless they keep their space."""
    if icc and not keep:
        with contextlib.suppress(pyvips.Error):  # a profile nobody can use: most likely it is sRGB
            image = image.icc_transform("srgb", embedded=True, intent="relative", depth=BITS)
    if image.format == "uchar" and image.interpretation in ("srgb", "b-w"):
        grey = image.interpretation == "b-w"
        image = image.cast("ushort", shift=True).copy(interpretation="grey16" if grey else "rgb16")
    if image.interpretation not in ("rgb16", "grey16"):
        image = image.colourspace("rgb16")
    if image.interpretation == "grey16" and image.bands == 2:
        image = image.colourspace("rgb16")
    return image.cast("ushort")


def gain_fields(
    data: bytes, header: decode.Header, recipe: recipes.Recipe, scene: Scene
) -> Mapping[str, Any]:
    """Give the gain map of an UltraHDR photograph, brought into the result's shape; else nothing.

    Raises:
        Refusal: 422; an operation cannot be done on it.
        pyvips.Error: it is damaged.
    """
    if not recipe.out.hdr or header.kind != "jpg":
        return {}
    image = pyvips.Image.new_from_buffer(data, "")
    found = {name: image.get(name) for name in image.get_fields() if name.startswith(_GAIN)}
    if _GAIN_DATA not in found:
        return {}
    check_shapes(recipe.ops, "a gain map")
    gain = pyvips.Image.new_from_buffer(found[_GAIN_DATA], "")
    check_size(gain.width, gain.height, scene.limits)
    gain = gain.copy_memory()
    if recipe.out.upright and "orientation" in image.get_fields():
        gain.set_type(pyvips.GValue.gint_type, "orientation", image.get("orientation"))
        gain = gain.autorot()
    canvas = Canvas(image=gain, size=(header.width, header.height))
    made = table.apply(canvas, recipe.ops, scene).image
    return {**found, _GAIN_DATA: made.jpegsave_buffer(Q=GAIN_QUALITY, keep="none")}
