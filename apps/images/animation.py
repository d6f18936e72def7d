"""A source of several frames: every operation is done on every frame, which stay one picture.

Frames lie below each other in memory, as libvips has them. What a budget of pixels does not cover
is refused, because an animation costs what its frames cost together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace

import pyvips

import colours
import decode
import encode
import limits as limit_names
import profiles
import recipe as recipes
import refusals
from decoding import avif_sequence
from encoding import moving
from ops import values
from ops.base import Op
from pixels import table
from pixels.canvas import Canvas, Scene, coloured

KINDS = ("gif", "webp", "avis")
"""Sources whose frames are read."""
FORMATS = ("gif", "webp", "avif", "mp4")
"""What can hold frames; AVIF where its package is there."""
GIF_PIXELS_MAX = 16_000_000
"""Of all frames of a GIF that is made: each takes 0.6 microseconds, ten times those of WebP."""
DELAY_MS = 100
"""How long a frame stays that does not say, or says less than browsers heed."""
DELAY_LEAST_MS = 11


def is_meant(header: decode.Header, recipe: recipes.Recipe) -> bool:
    """Tell whether a recipe wants several frames, and the source and the format have them."""
    if recipe.out.fm == "mp4":
        return header.kind in KINDS
    several = recipe.out.frames != 1 and header.pages - recipe.out.page > 1
    return several and header.kind in KINDS and recipe.out.fm not in ("jpg", "png", "tiff")


def format_for(header: decode.Header, fm: str) -> str:
    """Settle the format: the source's own where the one wanted has no frames."""
    if fm not in FORMATS or (fm == "avif" and not moving.is_there()):
        return header.format
    return fm


def render(
    data: bytes, header: decode.Header, recipe: recipes.Recipe, scene: Scene
) -> encode.Pixels:
    """Make all frames.

    Raises:
        Refusal: 422; they are too many for the budget, or differ in size.
        pyvips.Error: the source is damaged.
    """
    first, wanted = recipe.out.page, recipe.out.frames
    count = header.pages - first if wanted == 0 else min(wanted, header.pages - first)
    _check(count * header.width * header.height, "source", scene.limits)
    if header.kind == avif_sequence.KIND:
        image = avif_sequence.joined(data, first, count)
        delays = _delays(image, count)
    else:
        image = pyvips.Image.new_from_buffer(
            data, "", page=first, n=count, access="sequential", fail_on=decode.fail_on(header.kind)
        )
        delays = _delays(image, header.pages)[first : first + count]
    image = _in_srgb(image, header.icc).copy_memory()
    ops = _steady(recipe.ops)
    rows: list[bytes] = []
    sizes: set[tuple[int, int, int]] = set()
    for number in range(count):
        frame = _frame(image, number, header, ops, recipe, scene)
        sizes.add((frame.width, frame.height, frame.bands))
        if len(sizes) > 1:
            raise refusals.unusable("cannot_encode", "the frames come out in different sizes")
        _check_result(count * frame.width * frame.height, header, recipe, scene.limits)
        rows.append(frame.write_to_memory())
    width, height, bands = sizes.pop()
    loop = image.get("loop") if "loop" in image.get_fields() else 0
    return encode.Pixels(
        data=b"".join(rows), width=width, height=height * count, bands=bands,
        page_height=height, fields={"delay": delays, "loop": loop},
    )  # fmt: skip


def _check(pixels: int, whose: str, limits: limit_names.Limits) -> None:
    if pixels > limits.animation_pixels:
        raise refusals.unusable(
            "too_many_pixels",
            f"the frames of the {whose} have {pixels} pixels together, more than"
            f" {limits.animation_pixels} (limit animation_pixels): ask for fewer frames",
        )


def _check_result(
    pixels: int, header: decode.Header, recipe: recipes.Recipe, limits: limit_names.Limits
) -> None:
    _check(pixels, "result", limits)
    if pixels > GIF_PIXELS_MAX and format_for(header, recipe.out.fm) == "gif":
        raise refusals.unusable(
            "too_many_pixels",
            f"the frames have {pixels} pixels together, and a GIF is made of {GIF_PIXELS_MAX} at"
            " most: ask for WebP or MP4, or for fewer frames",
        )


def _in_srgb(image: pyvips.Image, icc: bytes) -> pyvips.Image:
    if icc and not profiles.is_srgb(icc):
        with contextlib.suppress(pyvips.Error):  # a profile nobody can use: most likely it is sRGB
            image = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    return image if image.interpretation == "srgb" else image.colourspace("srgb")


def _frame(
    image: pyvips.Image,
    number: int,
    header: decode.Header,
    ops: Sequence[Op],
    recipe: recipes.Recipe,
    scene: Scene,
) -> pyvips.Image:
    found = image.crop(0, number * header.height, header.width, header.height)
    made = table.apply(Canvas(image=found, size=(header.width, header.height)), ops, scene).image
    if made.hasalpha() and (recipe.out.flat or recipe.out.fm == "mp4"):
        made = made.flatten(background=list(colours.on_white(recipe.out.bg)[:3]))
    return coloured(made)


def _delays(image: pyvips.Image, pages: int) -> list[int]:
    said = list(image.get("delay")) if "delay" in image.get_fields() else []
    said += [DELAY_MS] * (pages - len(said))
    return [delay if delay >= DELAY_LEAST_MS else DELAY_MS for delay in said]


def _steady(ops: Sequence[Op]) -> list[Op]:
    """Look at the middle where a single picture would be looked at: frames must not jump."""
    steady: list[Op] = []
    for op in ops:
        smart = {
            field.name: values.CENTRE
            for field in fields(op)  # type: ignore[arg-type]
            if isinstance(found := getattr(op, field.name), values.Gravity)
            and found.place in values.SMART
        }
        steady.append(replace(op, **smart) if smart else op)  # type: ignore[type-var]
    return steady
