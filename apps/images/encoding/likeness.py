"""How like its original a picture looks: SSIMULACRA2, 100 for the same, 90 for nobody can tell.

A metric of the JPEG XL project (Sneyers, Cloudinary): structural similarity, and edges that came or
went, in a colour space of the eye, over six scales. The constants are the published ones, those
of libjxl's tools (BSD-3-Clause); the arithmetic is numpy's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = Any
SCALES = 6
SIDE_LEAST = 8
"""Pixels of a side, below which no further scale is looked at."""
SIGMA, RADIUS = 1.5, 5
C2 = 0.0009
BIAS = 0.0037930732552754493
ABSORBANCE = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
)
# fmt: off
WEIGHTS = (  # by channel and scale: likeness, edges that came, edges that went; mean and 4-norm
    0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
    0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
    0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
    0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967,
    0.00031949755934435053,
    0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
    0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
    0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.0008680556573291698, 0, 0, 0, 0,
    0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
    0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
    0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493,
    171.2667255897307, 0.9807858872435379,
    0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
)
# fmt: on


class Original:
    """A picture to compare others with; what only depends on it is computed once."""

    def __init__(self, samples: Array) -> None:
        """Take rows of 8-bit sRGB (height, width, 3)."""
        self._levels = [(seen, _blurred(seen), _blurred(seen * seen)) for seen in _levels(samples)]

    def likeness(self, samples: Array) -> float:
        """Give the score of a picture of the same size, at most 100."""
        told = np.zeros((3, SCALES, 6))
        for scale, (first, other) in enumerate(zip(self._levels, _levels(samples), strict=True)):
            told[:, scale] = _compared(first, other)
        return _score(float(np.abs(told.reshape(-1)) @ np.asarray(WEIGHTS)))


def _score(weighed: float) -> float:
    total = weighed * 0.9562382616834844
    total = 2.326765642916932 * total - 0.020884521182843837 * total**2
    total += 6.248496625763138e-05 * (weighed * 0.9562382616834844) ** 3
    return 100.0 - 10.0 * total**0.6276336467831387 if total > 0 else 100.0


def _levels(samples: Array) -> Iterator[Array]:
    """Give the picture at each scale, as (3, height, width) in the eye's colours."""
    linear = _LINEAR[np.asarray(samples)].transpose(2, 0, 1)
    for scale in range(SCALES):
        if scale:
            if min(linear.shape[1:]) < SIDE_LEAST:
                return
            linear = _halved(linear)
        yield _seen(linear)


def _halved(planes: Array) -> Array:
    height, width = planes.shape[1] + planes.shape[1] % 2, planes.shape[2] + planes.shape[2] % 2
    more = ((0, 0), (0, height - planes.shape[1]), (0, width - planes.shape[2]))
    even = np.pad(planes, more, mode="edge")
    halves: Array = even.reshape(3, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return halves


def _seen(linear: Array) -> Array:
    """Bring linear light into XYB, shifted so that all of it is above zero."""
    mixed = np.tensordot(np.asarray(ABSORBANCE, dtype=np.float32), linear, axes=1)
    roots = np.cbrt(np.maximum(mixed + np.float32(BIAS), 0)) - np.float32(np.cbrt(BIAS))
    x, y, b = (roots[0] - roots[1]) / 2, (roots[0] + roots[1]) / 2, roots[2]
    return np.stack([x * 14 + np.float32(0.42), y + np.float32(0.01), b - y + np.float32(0.55)])


def _blurred(planes: Array) -> Array:
    padded = np.pad(planes, ((0, 0), (RADIUS, RADIUS), (0, 0)), mode="edge")
    rows = sum(weight * padded[:, at : at + planes.shape[1]] for at, weight in enumerate(_KERNEL))
    padded = np.pad(rows, ((0, 0), (0, 0), (RADIUS, RADIUS)), mode="edge")
    return sum(
        weight * padded[:, :, at : at + planes.shape[2]] for at, weight in enumerate(_KERNEL)
    )


def _compared(first: tuple[Array, Array, Array], other: Array) -> Array:
    """Give six numbers for each of the three planes."""
    seen, mean, square = first
    mean2 = _blurred(other)
    variance = square - mean * mean + _blurred(other * other) - mean2 * mean2 + C2
    covariance = 2 * (_blurred(seen * other) - mean * mean2) + C2
    unlike = np.maximum(1 - (1 - (mean - mean2) ** 2) * covariance / variance, 0)
    edges = (1 + np.abs(other - mean2)) / (1 + np.abs(seen - mean)) - 1
    maps = (unlike, np.maximum(edges, 0), np.maximum(-edges, 0))
    plain = [each.mean(axis=(1, 2)) for each in maps]
    fourth = [(each**4).mean(axis=(1, 2)) ** 0.25 for each in maps]
    return np.stack(plain + fourth, axis=1)


def _kernel() -> list[Array]:
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return [np.float32(tap) for tap in taps / taps.sum()]


def _linear() -> Array:
    light = np.arange(256) / 255
    curve = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)


_KERNEL, _LINEAR = _kernel(), _linear()
