"""A path becomes operations: its filters are heard, then everything is put into thumbor's order.

The same for the path itself and for the paths of its layers. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import paths
import recipe as recipes
import refusals
import solid
from dialects.thumbor import (
    arguments,
    effects,
    focus,
    output,
    overlays,
    path,
    shaping,
    signature,
    sources,
)
from dialects.thumbor.arguments import Skip
from dialects.thumbor.job import FilterWork, Job, Layers, Nested
from ops import geometry, layers, values
from ops.base import Op
from ops.output import Output

LEVELS_MAX = 10
"""How deep `extract_focal` looks for the picture behind a URL."""
_HASH = re.compile(r"[A-Za-z0-9_=-]{8,90}")
_PREFIXES_MAX = 4


def extract_focal(job: Job, given: list[str]) -> None:
    """Take the crop of a thumbor URL that is the image as what matters of the picture behind it."""
    del given
    text = paths.decode(job.path.image)
    for _ in range(LEVELS_MAX):
        found = _behind(text)
        if found is None:
            raise Skip
        if found.crop is not None:
            job.focuses.append(focus.of_crop(found.crop))
            job.path.image = paths.encode(found.image)
            return
        text = found.image


def _behind(text: str) -> path.Path | None:
    """Read the URL of a picture, with or without a server's name and a prefix."""
    rest = text.removeprefix("https://").removeprefix("http://")
    for _ in range(_PREFIXES_MAX):
        first, slash, rest = rest.partition("/")
        if not slash:
            return None
        if first == signature.UNSAFE or _HASH.fullmatch(first):
            try:
                found = path.parse(rest)
            except refusals.Refusal:
                return None
            if found.crop is not None or found.image != rest:
                return found
    return None


WORK: Mapping[str, FilterWork] = {
    **effects.WORK, **overlays.WORK, **output.WORK, "extract_focal": extract_focal,
}  # fmt: skip
"""Every filter that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for a path and its layers."""

    sources: sources.Known
    smart: str
    layers: Layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A file and what is done to it. ``shaping`` is the part of ``ops`` before the filters."""

    source: str
    path: str
    shaping: tuple[Op, ...]
    job: Job

    @property
    def ops(self) -> tuple[Op, ...]:
        """Everything in its order."""
        return (*self.shaping, *self.job.made)


def compiled(text: str, setting: Setting, *, depth: int = 0) -> Compiled:
    """Compile a path behind its hash; ``depth`` is how deep it lies in layers.

    Raises:
        Refusal: 400 for what cannot be read, 404 for files of sources that are not there.
    """
    if depth > layers.NESTED_MAX:
        raise refusals.parameter("image()", str(depth), f"nested at most {layers.NESTED_MAX} deep")
    found = path.parse(text, layer=depth > 0)
    job = Job(
        path=found,
        refer=partial(_refer, setting.sources),
        nested=partial(_nested, setting, depth + 1),
        layers=setting.layers,
    )
    for each in found.filters:
        _hear(job, each)
    source, file = sources.resolve(found.image, setting.sources)
    shaped = _drawn(found) if source == solid.NAME else _shaped(job, setting.smart)
    shaped += shaping.mirroring(found)
    filtered, job.made = job.made, []
    effects.pad(job, geometry.CLEAR)  # if no filter did
    job.made += filtered
    return Compiled(source=source, path=file, shaping=tuple(shaped), job=job)


def _hear(job: Job, asked: path.Filter) -> None:
    work = WORK.get(asked.name)
    try:
        given = arguments.split(asked.arguments)
        if work is None or len(given) > path.ARGUMENTS_MAX:
            raise Skip
        work(job, given)
    except (Skip, IndexError):  # unknown, or an argument is bad or missing
        job.skipped.append(asked.name)


def _shaped(job: Job, smart: str) -> list[Op]:
    gravity = focus.gravity(job.path, job.focuses, smart)
    if job.path.w.startswith("f") or job.path.h.startswith("f"):
        return shaping.before(job.path, job.turned)  # the layer has its parent's size
    return shaping.before(job.path, job.turned) + shaping.sizing(job.path, job.flags, gravity)


def _drawn(found: path.Path) -> list[Op]:
    """Give what makes one pixel of colour as large as was asked for: a side follows the other."""
    w, h = (int(side) if side.isdigit() else 0 for side in (found.w, found.h))
    across, down = values.pixels(w or h or 1), values.pixels(h or w or 1)
    return [geometry.Resize("fill", across, down, enlarge=True)]


def _refer(known: sources.Known, text: str) -> str:
    """Give the reference of a layer's file."""
    source, file = sources.place(arguments.encoded(text), known)
    return f"{source}/{file}"


def _nested(setting: Setting, depth: int, text: str) -> Nested:
    made = compiled(paths.encode(arguments.encoded(text)), setting, depth=depth)
    settled = recipes.canonical(
        source=made.source, path=made.path, engine="", ops=made.ops, out=Output(fm="png")
    )
    return Nested(file=f"{made.source}/{made.path}", ops=settled.ops, path=made.job.path)
