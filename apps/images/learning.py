"""Quality by target: which quality makes an asset look as like itself as a recipe wants.

Learnt once for an asset's revision, a format and a target, on the whole asset made small, and then
used for all its sizes. The same bytes give the same answer, so forgetting it costs only time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import encode
import limits as limit_names
import recipe as recipes
import render
from encoding import likeness
from ops import geometry, values
from ops.output import Output

SIDE = 320
"""Pixels of the longer side of what is looked at: more cost more and tell little."""
LADDER = tuple(range(24, 97, 3))
"""Qualities that are tried, five of them for each answer."""
FORMATS = ("jpg", "webp", "avif", "jxl", "heic")
REMEMBERED_MAX = 2_000
"""Answers that one environment remembers; about 200 bytes each."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What is learnt about: its bytes, and a ``key`` that changes with them."""

    key: str
    data: bytes
    limits: limit_names.Limits


class Learnt:
    """Answers, the least lately used go first. Memory of this process only."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        """Remember so many."""
        self._most = most
        self._known: OrderedDict[object, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def settle(self, out: Output, asset: Asset) -> Output:
        """Give the output with the quality that its target means; as it is without a target.

        Raises:
            Refusal: 422; the asset cannot be read.
        """
        if not out.target or out.lossless or out.fm not in FORMATS:
            return out
        wanted = replace(_alike(out), ttl_seconds=0)
        key = (asset.key, wanted)
        if key not in self._known:
            self._known[key] = learn(asset, wanted)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return replace(out, quality=self._known[key])


def learn(asset: Asset, out: Output) -> int:
    """Find the least quality of ``LADDER`` that reaches the target, or its last.

    Raises:
        Refusal: 422; the asset cannot be read.
    """
    side = values.pixels(SIDE)
    small = _rendered(asset.data, asset.limits, out, (geometry.Resize("inside", side, side),))
    original = likeness.Original(_samples(small))

    def reaches(quality: int) -> bool:
        body = encode.encode(small, replace(out, quality=quality)).body
        again = _rendered(body, asset.limits, Output(fm="png"), ())
        return original.likeness(_samples(again)) >= float(out.target)

    return least(reaches)


def least(reaches: Callable[[int], bool]) -> int:
    """Search ``LADDER`` by halves; what reaches the target does so with any higher quality."""
    low, high = 0, len(LADDER) - 1
    while low < high:
        middle = (low + high) // 2
        if reaches(LADDER[middle]):
            high = middle
        else:
            low = middle + 1
    return LADDER[low]


def _alike(out: Output) -> Output:
    """Keep what decides how an asset looks in a format; nothing of a certain picture."""
    return Output(
        fm=out.fm, bg=out.bg, target=out.target, page=out.page, chroma=out.chroma,
        effort=out.effort, second=out.second, density=out.density,
    )  # fmt: skip


def _rendered(
    data: bytes, limits: limit_names.Limits, out: Output, ops: tuple[geometry.Resize, ...]
) -> encode.Pixels:
    flat = replace(out, fm="png", flat=True, target=out.target)
    recipe = recipes.Recipe(source="", path="", ops=ops, out=flat, engine="")
    return render.render(data, recipe, limits).pixels


def _samples(pixels: encode.Pixels) -> Any:
    rows = np.frombuffer(pixels.data, np.uint8)
    rows = rows.reshape(pixels.height, pixels.width, pixels.bands)
    return np.repeat(rows, 3, axis=2) if pixels.bands == 1 else rows[:, :, :3]
