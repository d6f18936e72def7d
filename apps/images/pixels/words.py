"""Text over the picture: set by Pango, with our fonts, in a box or freely; then laid as any layer.

What may be set is `wording`'s to say, the fonts are `fonts`', outlines and shadows `strokes`'.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyvips

import colours
import fonts
import refusals
import shapes
import wording
from ops import layers, values
from ops.base import Op
from pixels import calm, over, strokes
from pixels import canvas as canvases
from pixels.canvas import Canvas, Scene, Work

POINTS = 10
"""Size in which a text is described while libvips looks for the resolution that fits."""
DOTS = 72
"""Dots an inch at which a point is a pixel."""
PAD_SHARE = 0.25
"""What a background shows around the words, and half of what lies between tiles, in sizes."""
BOX_PAD_SHARE = 0.08
"""The same where the size is not known before: of the box's shorter side."""
SHADOW = (0, 0, 0, 160)
BLACK, WHITE = (0, 0, 0, 255), (255, 255, 255, 255)
_ALIGN = {"start": "low", "justify": "low", "centre": "centre", "end": "high"}


class _NoInkError(Exception):
    """Nothing of the text would be seen: it has only spaces, joiners and marks of direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """Words that have been set: a mask of their ink, their ``size``, and what is ``padded``."""

    mask: pyvips.Image
    size: float
    padded: int
    from_right: bool


def words(canvas: Canvas, op: layers.Words, scene: Scene) -> Canvas:
    """Write over the picture.

    Raises:
        Refusal: 400 or 422; the font or a character is not there, or it would be too big.
    """
    text = wording.clean(op.text)
    if not text:
        return canvas
    canvas = canvas.settled()
    if op.contrast or op.gravity.place in values.SMART:  # it is looked at, and then written on
        canvas = canvas.over(canvas.image.copy_memory())
    try:
        done = _once(scene, ("set", op, canvas.size), lambda: _set(text, op, canvas.size, scene))
    except _NoInkError:
        return canvas
    size, grow = _size(done, op, canvas.size), math.ceil(op.stroke)
    box = size[0] + 2 * grow, size[1] + 2 * grow
    op = replace(op, gravity=calm.settled(canvas, op.gravity, box))
    margin = math.ceil(3 * op.shadow) + math.ceil(op.shadow / 2)
    colour = op.colour
    if op.contrast:  # and so it stays, whatever later frames look like
        colour = _once(scene, ("colour", op, box), lambda: _readable(canvas, op, box))
    key = ("painted", op, size, colour)
    image = _once(scene, key, lambda: _painted(_boxed(done, op, size), op, colour, margin))
    if op.tile:
        gap = max(1, round(done.size * PAD_SHARE))
        wide = image.width + 2 * gap, image.height + 2 * gap
        image = image.embed(gap, gap, *wide)
    how = over.Laying(
        gravity=op.gravity, opacity=op.opacity, blend=op.blend, degrees=op.degrees, tile=op.tile,
        margin=0 if op.tile else margin,
    )  # fmt: skip
    return over.lay(canvas, image, how, scene)


def _once(scene: Scene, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """Make it, unless an earlier frame has; there are few words in one picture."""
    if key not in scene.said:
        scene.said[key] = make()
    return scene.said[key]


def _set(text: str, op: layers.Words, below: shapes.Size, scene: Scene) -> _Set:
    """Set the text in the size that is asked for, or the largest that fits its box."""
    language = op.language or wording.language_of(text)
    font = fonts.choose(op.font, language)
    wording.check_glyphs(text, fonts.known().covers.has)
    fonts.ready()
    markup = wording.markup(text, language)
    arguments = {
        "align": _ALIGN[op.align], "justify": op.align == "justify", "wrap": op.wrap,
        "spacing": op.spacing,
    }  # fmt: skip
    size = float(op.size.of(below[1]))
    room, padded = _room(op, below, size)
    from_right = wording.runs_left(text)
    if room[0] and room[1]:
        _check_room(room, scene)
        mask, fitted = _fitted(markup, font, room, arguments)
        if not size or fitted < size:
            return _Set(mask=mask, size=fitted, padded=padded, from_right=from_right)
    lines = text.split("\n")
    _check_room((round(max(map(len, lines)) * size), round(len(lines) * size)), scene)
    if room[0]:
        arguments["width"] = room[0]
    mask = _drawn(markup, font=font.pango(size), dpi=DOTS, **arguments)
    return _Set(mask=mask, size=size, padded=padded, from_right=from_right)


def _room(op: layers.Words, below: shapes.Size, size: float) -> tuple[shapes.Size, int]:
    """Give the room for ink, 0 being without end, and the padding around it.

    Without a size the picture is the box.
    """
    w, h = op.w.of(below[0]), op.h.of(below[1])
    if not size or h:
        w, h = w or below[0], h or below[1]
    padded = 0
    if op.background[3]:
        padded = round(PAD_SHARE * size if size else BOX_PAD_SHARE * min(w, h))
    around = 2 * (padded + math.ceil(op.stroke))
    return (w and max(1, w - around), h and max(1, h - around)), padded


def _check_room(room: shapes.Size, scene: Scene) -> None:
    if room[0] * room[1] > scene.limits.output_pixels:
        raise refusals.unusable(
            "words_too_large",
            f"the words could take more than {scene.limits.output_pixels} pixels"
            " (limit output_pixels); give them a smaller size",
        )


def _drawn(markup: str, **arguments: Any) -> Any:
    """Let Pango draw the ink.

    Raises:
        _NoInkError: there is none.
        Refusal: 422; it would be longer or higher than what can be drawn in one piece.
    """
    try:
        return pyvips.Image.text(markup, **arguments)
    except pyvips.Error as error:
        if "no text" in error.detail:
            raise _NoInkError from error
        raise refusals.unusable(
            "words_too_large",
            "the words are too long to be drawn in one piece; give them a smaller size, or a box",
        ) from error


def _fitted(
    markup: str, font: fonts.Chosen, room: shapes.Size, arguments: Mapping[str, object]
) -> tuple[pyvips.Image, float]:
    mask, found = _drawn(
        markup, font=font.pango(POINTS), width=room[0], height=room[1], autofit_dpi=True,
        **arguments,
    )  # fmt: skip
    part = min(1.0, room[0] / mask.width, room[1] / mask.height)
    if part < 1:  # not even the smallest letters fit
        mask = canvases.resize(
            mask, (max(1, int(mask.width * part)), max(1, int(mask.height * part)))
        )
    return mask, part * POINTS * found["autofit_dpi"] / DOTS


def _size(done: _Set, op: layers.Words, below: shapes.Size) -> shapes.Size:
    """Give the box that the ink lies in; its stroke is around it."""
    around = 2 * math.ceil(op.stroke)
    w, h = op.w.of(below[0]) - around, op.h.of(below[1]) - around
    return max(done.mask.width + 2 * done.padded, w), max(done.mask.height + 2 * done.padded, h)


def _boxed(done: _Set, op: layers.Words, size: shapes.Size) -> pyvips.Image:
    """Put the ink where its box has it: across by ``align``, down by the gravity."""
    pad, place = done.padded, op.gravity.place
    across, down = size[0] - done.mask.width, size[1] - done.mask.height
    left = op.align in ("start", "justify") if not done.from_right else op.align == "end"
    x = across // 2 if op.align == "centre" else pad if left else across - pad
    y = pad if "no" in place else down - pad if "so" in place else down // 2
    return done.mask.embed(x, y, *size)


def _painted(
    label: pyvips.Image, op: layers.Words, colour: colours.Colour, margin: int
) -> pyvips.Image:
    """Colour the words, with what lies around and behind them; ``margin`` is the shadow's."""
    grow = math.ceil(op.stroke)
    all_round = margin + grow
    size = label.width + 2 * all_round, label.height + 2 * all_round
    ink = label.embed(all_round, all_round, *size).copy_memory()
    edge = strokes.outline(ink, float(op.stroke)) if op.stroke else ink
    parts = []
    if op.background[3]:
        box = pyvips.Image.black(label.width + 2 * grow, label.height + 2 * grow).linear(1, 255)
        parts.append((box.cast("uchar").embed(margin, margin, *size), op.background))
    if op.shadow:
        parts.append((strokes.shadow(edge, float(op.shadow)), SHADOW))
    if op.stroke:
        parts.append((edge, op.stroke_colour))
    parts.append((ink, colour))
    # Two at a time: an image whose memory is numpy's stays alive only as an argument of its own.
    images = (_filled(mask, filled) for mask, filled in parts)
    painted = functools.reduce(lambda below, image: below.composite2(image, "over"), images)
    return painted.cast("uchar").copy_memory()


def _filled(mask: pyvips.Image, colour: colours.Colour) -> pyvips.Image:
    alpha = mask if colour[3] == 255 else mask.linear(colour[3] / 255, 0.5).cast("uchar")
    flat = mask.new_from_image(list(colour[:3])).cast("uchar")
    return flat.bandjoin(alpha).copy(interpretation="srgb")


def _readable(canvas: Canvas, op: layers.Words, box: shapes.Size) -> colours.Colour:
    """Give black or white, whichever has the higher contrast (WCAG 2) with what lies below."""
    w, h = canvas.size
    x, y = shapes.place((w, h), box, op.gravity)
    left, top = min(max(0, x), w - 1), min(max(0, y), h - 1)
    right, bottom = max(left + 1, min(w, x + box[0])), max(top + 1, min(h, y + box[1]))
    part = canvases.coloured(canvas.image.crop(left, top, right - left, bottom - top))
    if part.hasalpha():
        part = part.flatten(background=list(WHITE[:3]))
    if op.background[3]:
        cover = op.background[3] / 255
        part = (part * (1 - cover) + [cover * one for one in op.background[:3]]).cast("uchar")
        part = part.copy(interpretation="srgb")
    linear = part.colourspace("scrgb")
    shares = zip((0.2126, 0.7152, 0.0722), range(3), strict=True)
    light = sum(share * linear.extract_band(band).avg() for share, band in shares)
    return BLACK if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else WHITE


WORK: Mapping[type[Op], Work] = {layers.Words: words}
