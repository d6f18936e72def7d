"""A picture in a few bytes, to be shown until the real one is there: BlurHash and ThumbHash.

Sources: BlurHash algorithm description (woltapp/blurhash, Algorithm.md); ThumbHash's reference
encoder (evanw/thumbhash). Both keep the lowest frequencies of a cosine transform.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BLUR_ACROSS, BLUR_DOWN = 4, 3
"""Components of a BlurHash."""
THUMB_SIDE_MAX = 100
"""ThumbHash is defined up to here."""
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

Samples = np.ndarray[Any, np.dtype[Any]]


def blurhash(rgb: Samples, across: int = BLUR_ACROSS, down: int = BLUR_DOWN) -> str:
    """Encode samples (rows, columns, 3; 0 to 255 in sRGB)."""
    linear = _linear(rgb.astype(np.float64) / 255)
    factors = [_factor(linear, i, j) for j in range(down) for i in range(across)]
    average, *others = factors
    most = max((float(np.abs(one).max()) for one in others), default=0.0)
    level = max(0, min(82, math.floor(most * 166 - 0.5))) if others else 0
    scale = (level + 1) / 166
    text = _base83(across - 1 + (down - 1) * 9, 1) + _base83(level, 1)
    red, green, blue = (_encoded(float(one)) for one in average)
    text += _base83((red << 16) + (green << 8) + blue, 4)
    for one in others:
        steps = [max(0, min(18, math.floor(_root(float(v) / scale) * 9 + 9.5))) for v in one]
        text += _base83(steps[0] * 361 + steps[1] * 19 + steps[2], 2)
    return text


def _factor(linear: Samples, i: int, j: int) -> Samples:
    height, width, _ = linear.shape
    across = np.cos(math.pi * i * np.arange(width) / width)
    down = np.cos(math.pi * j * np.arange(height) / height)
    total: Samples = np.einsum("yxc,x,y->c", linear, across, down)
    factor: Samples = total / (width * height) * (1 if i == j == 0 else 2)
    return factor


def _linear(samples: Samples) -> Samples:
    curved: Samples = np.where(
        samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4
    )
    return curved


def _encoded(linear: float) -> int:
    value = max(0.0, min(1.0, linear))
    curved = value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return int(curved * 255 + 0.5)


def _root(value: float) -> float:
    return math.copysign(math.sqrt(abs(value)), value)


def _base83(value: int, digits: int) -> str:
    return "".join(_DIGITS[value // 83 ** (digits - 1 - at) % 83] for at in range(digits))


def thumbhash(rgba: Samples) -> bytes:
    """Encode samples (rows, columns, 4; 0 to 255); at most ``THUMB_SIDE_MAX`` a side."""
    height, width, _ = rgba.shape
    assert max(width, height) <= THUMB_SIDE_MAX
    samples = rgba.astype(np.float64) / 255
    alpha = samples[..., 3]
    opaque = float(alpha.sum())
    average = (samples[..., :3] * alpha[..., None]).sum(axis=(0, 1)) / (opaque or 1)
    has_alpha = opaque < width * height
    red, green, blue = np.moveaxis(
        average * (1 - alpha[..., None]) + samples[..., :3] * alpha[..., None], 2, 0
    )
    most = 5 if has_alpha else 7
    across = max(1, _rounded(most * width / max(width, height)))
    down = max(1, _rounded(most * height / max(width, height)))
    light = _channel((red + green + blue) / 3, max(3, across), max(3, down))
    yellow = _channel((red + green) / 2 - blue, 3, 3)
    reddish = _channel(red - green, 3, 3)
    channels = [light, yellow, reddish]
    wide = width > height
    head = (
        _rounded(63 * light[0])
        | _rounded(31.5 + 31.5 * yellow[0]) << 6
        | _rounded(31.5 + 31.5 * reddish[0]) << 12
        | _rounded(31 * light[2]) << 18
        | has_alpha << 23
    )
    tail = (
        (down if wide else across)
        | _rounded(63 * yellow[2]) << 3
        | _rounded(63 * reddish[2]) << 9
        | wide << 15
    )
    made = bytearray(head.to_bytes(3, "little") + tail.to_bytes(2, "little"))
    if has_alpha:
        clear = _channel(alpha, 5, 5)
        made.append(_rounded(15 * clear[0]) | _rounded(15 * clear[2]) << 4)
        channels.append(clear)
    nibbles = [_rounded(15 * one) for channel in channels for one in channel[1]]
    nibbles += [0] * (len(nibbles) % 2)
    made += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes(made)


def _channel(samples: Samples, across: int, down: int) -> tuple[float, list[float], float]:
    """Give a channel's mean, its further factors (0 to 1 around a half), and their scale."""
    height, width = samples.shape
    factors = []
    for j in range(down):
        i = 0
        while i * down < across * (down - j):
            wave_x = np.cos(math.pi / width * i * (np.arange(width) + 0.5))
            wave_y = np.cos(math.pi / height * j * (np.arange(height) + 0.5))
            factors.append(float(wave_y @ samples @ wave_x) / (width * height))
            i += 1
    mean, *others = factors
    scale = max(abs(one) for one in others)
    if scale:
        others = [0.5 + 0.5 / scale * one for one in others]
    return mean, others, scale


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)
