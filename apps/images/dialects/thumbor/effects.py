"""Filters that change pixels, as operations. Where thumbor and imagor differ, thumbor's meaning.

By the number of arguments or their range one can often tell who is meant; docs/reference says how.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise

import colours
from dialects import bell
from dialects.thumbor import arguments
from dialects.thumbor.arguments import Skip, decimal, flag, whole
from dialects.thumbor.job import FilterWork, Job
from ops import effects, geometry, values
from ops.base import Op, Text

RADIUS_MAX = 150
SHARPEN_RADIUS_MAX = 2
_SHARPEN_SIGMA, _SHARPEN_GROWTH, _SHARPEN_GAIN = 1.4, 2.5, Decimal("0.9")
"""Of the unsharp mask that is nearest to thumbor's wavelets, by measuring both."""
SAMPLE_MAX = 255
_CURVE = re.compile(r"\[(?:\([0-9]{1,3},[0-9]{1,3}\),?)*\]")
_MATRIX_MAX = 225


def blur(job: Job, given: list[str]) -> None:
    """``blur(radius[,sigma])``: thumbor cuts its bell curve off at the radius, so it blurs less."""
    radius = whole(given[0]) if given[0].isdigit() else None
    if len(given) == 1 and radius is None:
        # imagor takes fractions, and halves them for that reason
        sigma = bell.of_libvips(decimal(given[0]) / 2)
    elif radius is None or not 0 <= radius <= RADIUS_MAX:
        raise Skip
    else:
        asked = decimal(given[1]) if len(given) > 1 else Decimal(0)
        sigma = bell.cut_off(radius, asked or Decimal(radius))
    job.add(effects.Blur(values.rounded(sigma)))


def sharpen(job: Job, given: list[str]) -> None:
    """``sharpen(amount,radius,luminance_only)``, or imagor's ``sharpen(sigma)``."""
    if len(given) == 1:
        sigma = values.rounded(min(Decimal(10), 1 + 2 * decimal(given[0])))
        job.add(effects.Sharpen(sigma, Decimal(2)))
        return
    amount, radius = max(Decimal(0), decimal(given[0])), decimal(given[1])
    if not 0 <= radius <= SHARPEN_RADIUS_MAX:
        raise Skip
    lightness = len(given) > 2 and flag(given[2])
    sigma = Decimal(round(_SHARPEN_SIGMA * _SHARPEN_GROWTH ** float(radius), 2))
    strength = values.rounded(amount * (_SHARPEN_GAIN - radius / 5))
    job.add(effects.Unsharp(values.rounded(sigma), strength, lightness=lightness))


def _percent(text: str) -> Decimal:
    """Read -100 to 100; beyond, thumbor's filters do no more."""
    return max(Decimal(-100), min(Decimal(100), decimal(text)))


def contrast(job: Job, given: list[str]) -> None:
    """``contrast(-100 to 100)``: thumbor squares the factor, so that 100 is four times."""
    change = _percent(given[0])
    job.add(effects.Contrast(values.rounded(((1 + change / 100) ** 2 - 1) * 100)))


def saturation(job: Job, given: list[str]) -> None:
    """Thumbor gives a factor, imagor percent: below 0 or above 10 it can only be percent."""
    change = decimal(given[0])
    job.add(effects.Saturation(change if 0 <= change <= 10 else _factor(change)))


def _factor(percent: Decimal) -> Decimal:
    return values.rounded(max(Decimal(0), 1 + percent / 100))


def modulate(job: Job, given: list[str]) -> None:
    """Imagor's ``modulate(brightness,saturation,hue)``, the first two in percent."""
    brightness, saturated, degrees = (decimal(given[index]) for index in range(3))
    job.add(effects.Brightness(brightness), effects.Saturation(_factor(saturated)), _hue(degrees))


def _hue(degrees: Decimal) -> Op:
    return effects.Hue(values.rounded(degrees % 360))


def colorize(job: Job, given: list[str]) -> None:
    """``colorize(red%,green%,blue%,colour)``: each channel is mixed with the colour's."""
    shares = [decimal(given[index]) for index in range(3)]
    colour = arguments.colour(given[3])
    if not all(0 <= each <= 100 for each in shares):
        raise Skip
    if len(set(shares)) == 1:
        job.add(effects.Colourise(values.rounded(shares[0] / 100), colour))
        return
    lines = (_mixed(part, of) for part, of in zip(shares, colour, strict=False))
    job.add(effects.Curve(*(Text(line) for line in lines)))


def _mixed(percent: Decimal, sample: int) -> str:
    low = round(sample * percent / 100)
    high = round(SAMPLE_MAX * (1 - percent / 100) + sample * percent / 100)
    return f"0 {low} {SAMPLE_MAX} {high}"


def curve(job: Job, given: list[str]) -> None:
    """``curve(all,red,green,blue)``, each a list of points."""
    if len(given) != 4:
        raise Skip
    everything, red, green, blue = (Text(_points(each)) for each in given)
    job.add(effects.Curve(red, green, blue, everything))


def _points(text: str) -> str:
    if not _CURVE.fullmatch(text.replace(" ", "")):
        raise Skip
    numbers = [int(digits) for digits in re.findall(r"[0-9]+", text)]
    along = numbers[::2]
    if max(numbers, default=0) > SAMPLE_MAX or any(a >= b for a, b in pairwise(along)):
        raise Skip
    if numbers in ([], [0, 0, SAMPLE_MAX, SAMPLE_MAX]):
        return ""
    return " ".join(map(str, numbers))


def convolution(job: Job, given: list[str]) -> None:
    """``convolution(1;2;1,columns,normalise)``."""
    numbers = [values.spell_number(decimal(each)) for each in given[0].split(";")[:_MATRIX_MAX]]
    columns = whole(given[1])
    if columns < 1 or len(numbers) % columns or not (columns % 2 and len(numbers) // columns % 2):
        raise Skip
    normalise = flag(given[2]) if len(given) > 2 else True
    job.add(effects.Convolve(Text(" ".join(numbers)), columns, normalise))


def noise(job: Job, given: list[str]) -> None:
    """``noise(percent[,seed])``."""
    seed = whole(given[1]) if len(given) > 1 else 0
    job.add(effects.Noise(decimal(given[0]), abs(seed)))


def rotate(job: Job, given: list[str]) -> None:
    """Turn counter-clockwise, by right angles only; thumbor leaves others out."""
    job.add(geometry.Rotate(Decimal(_clockwise(given[0]))))


def _clockwise(text: str) -> int:
    angle = whole(text)
    if angle % 90:
        raise Skip
    return -angle % 360


def orient(job: Job, given: list[str]) -> None:
    """imagor: turn before anything else, counter-clockwise too."""
    job.turned = _clockwise(given[0])


def round_corner(job: Job, given: list[str]) -> None:
    """``round_corner(a|b,r,g,b[,transparent])``, or imagor's ``round_corner(rx[,ry[,colour]])``."""
    radius, _, other = given[0].partition("|")
    if len(given) >= 4:
        red, green, blue = (whole(each) for each in given[1:4])
        bg: colours.Colour = (red, green, blue, SAMPLE_MAX)
        if not all(0 <= sample <= SAMPLE_MAX for sample in bg):
            raise Skip
        if len(given) > 4 and flag(given[4]):
            bg = geometry.CLEAR
    else:
        other = given[1] if len(given) > 1 else other
        bg = arguments.colour(given[2]) if len(given) > 2 else geometry.CLEAR
    rx, ry = whole(radius), whole(other or "0")
    job.add(effects.Round(values.pixels(rx), values.pixels(0 if ry == rx else ry), bg))


def redact(job: Job, given: list[str]) -> None:
    """``redact([blur|pixelate|colour][,strength])`` of every face that is found."""
    how = given[0] if given and given[0] else "blur"
    if how in ("blur", "pixelate"):
        strength = decimal(given[1]) if len(given) > 1 else Decimal(15 if how == "blur" else 10)
        job.add(effects.Detections(how, strength))  # type: ignore[arg-type]
    else:
        job.add(effects.Detections("colour", colour=arguments.colour(how)))


def proportion(job: Job, given: list[str]) -> None:
    """``proportion(0.5)``; over 1 it is percent, up to 100."""
    part = decimal(given[0])
    if part <= 0:
        raise Skip
    part = min(part, Decimal(100)) / 100 if part > 1 else part
    both = values.share(part)
    job.add(geometry.Resize("fill", both, both, enlarge=True))


def crop(job: Job, given: list[str]) -> None:
    """Imagor's ``crop(left,top,width,height)``, after sizing."""
    job.add(geometry.Crop(*(arguments.length(given[index]) for index in range(4))))


def trim(job: Job, given: list[str]) -> None:
    """Imagor's ``trim([tolerance[,corner]])``, after sizing."""
    corner = given[1] if len(given) > 1 else "top-left"
    threshold = decimal(given[0]) if given and given[0] else Decimal(1)
    job.add(geometry.Trim(threshold, corner=corner))  # type: ignore[arg-type]


def padding(job: Job, given: list[str]) -> None:
    """Imagor's ``padding(colour,left[,top[,right,bottom]])``."""
    colour, left = arguments.colour(given[0]), whole(given[1])
    top = whole(given[2]) if len(given) > 2 else left
    right, bottom = (whole(given[3]), whole(given[4])) if len(given) > 4 else (left, top)
    pixels = values.pixels
    job.add(geometry.Pad(pixels(top), pixels(right), pixels(bottom), pixels(left), colour))


def fill(job: Job, given: list[str]) -> None:
    """``fill(colour|auto|blur|transparent[,fill_transparent])``: what is missing of the box."""
    name = given[0].lower()
    how = name if name in ("auto", "blur") else "colour"
    bg = arguments.colour(name) if how == "colour" else geometry.CLEAR
    if len(given) > 1 and flag(given[1]) and bg[3]:
        job.add(geometry.Background(bg))
    w, h = _box(job)
    if w.value or h.value:
        swap = job.path.adaptive and w.value != h.value and bool(w.value and h.value)
        job.add(geometry.Extend(w, h, bg=bg, fill=how, swap=swap))  # type: ignore[arg-type]
    pad(job, bg)


def _box(job: Job) -> tuple[values.Length, values.Length]:
    return tuple(
        values.pixels(int(text)) if text.isdigit() else values.ZERO
        for text in (job.path.w, job.path.h)
    )  # type: ignore[return-value]


def pad(job: Job, bg: colours.Colour) -> None:
    """Put imagor's padding around, once."""
    if job.path.padding is not None:
        left, top, right, bottom = (values.pixels(side) for side in job.path.padding)
        job.path.padding = None
        job.add(geometry.Pad(top, right, bottom, left, bg=bg))


def levels(job: Job, given: list[str]) -> None:
    """``rgb(red,green,blue)`` in percent."""
    job.add(effects.Levels(*(_percent(given[index]) for index in range(3))))


WORK: Mapping[str, FilterWork] = {
    "background_color": lambda job, given: job.add(geometry.Background(arguments.colour(given[0]))),
    "blur": blur,
    "brightness": lambda job, given: job.add(effects.Brightness(_percent(given[0]))),
    "colorize": colorize,
    "contrast": contrast,
    "convolution": convolution,
    "crop": crop,
    "curve": curve,
    "draw_detections": lambda job, _: job.add(effects.Detections("frame")),
    "equalize": lambda job, _: job.add(effects.Equalise()),
    "fill": fill,
    "grayscale": lambda job, _: job.add(effects.Grey()),
    "hue": lambda job, given: job.add(_hue(decimal(given[0]))),
    "invert": lambda job, _: job.add(effects.Invert()),
    "modulate": modulate,
    "noise": noise,
    "orient": orient,
    "padding": padding,
    "pixelate": lambda job, given: job.add(
        effects.Pixelate(whole(given[0]) if given and given[0] else 10)
    ),
    "proportion": proportion,
    "redact": redact,
    "redact_oval": redact,
    "rgb": levels,
    "rotate": rotate,
    "round_corner": round_corner,
    "saturation": saturation,
    "sharpen": sharpen,
    "trim": trim,
}
