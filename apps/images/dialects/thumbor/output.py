"""Filters about the file and the answer, and those that only say how to size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dialects.thumbor import focus
from dialects.thumbor.arguments import Skip, whole
from dialects.thumbor.job import FilterWork, Job
from ops.base import TEXT_MAX, Text

FORMATS = {
    "jpg": "jpg", "jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif", "jxl": "jxl",
    "gif": "gif", "tif": "tiff", "tiff": "tiff", "heic": "heic", "heif": "heic",
}  # fmt: skip
YEAR_SECONDS = 31_536_000
_MILLISECONDS = Decimal(1000)


def output_format(job: Job, given: list[str]) -> None:
    """``format(webp)``; thumbor skips what it cannot write."""
    found = FORMATS.get(given[0].lower())
    if found is None:
        raise Skip
    job.out["fm"] = found


def _bounded(name: str, *, least: int, most: int, offset: int = 0) -> FilterWork:
    """Make a filter that sets a number of the output."""

    def work(job: Job, given: list[str]) -> None:
        found = whole(given[0])
        if not least <= found <= most:
            raise Skip
        job.out[name] = found + offset

    return work


def _sets(**fixed: object) -> FilterWork:
    """Make a filter that sets arguments of the output to what it always means."""

    def work(job: Job, _: list[str]) -> None:
        job.out.update(fixed)

    return work


def _flag(name: str) -> FilterWork:
    def work(job: Job, _: list[str]) -> None:
        job.flags.add(name)

    return work


def focal(job: Job, given: list[str]) -> None:
    """``focal(LxT:RxB)`` or ``focal(X,Y)``."""
    if len(job.focuses) >= focus.FOCUSES_MAX:
        raise Skip
    job.focuses.append(focus.read(",".join(given)))


def expire(job: Job, given: list[str]) -> None:
    """``expire(milliseconds)`` since the epoch."""
    if not given[0].isdecimal() or len(given[0]) > 15:
        raise Skip
    job.until = float(Decimal(given[0]) / _MILLISECONDS)


def attachment(job: Job, given: list[str]) -> None:
    """``attachment([name])``: browsers save it."""
    name = given[0] if given else ""
    if len(name) > TEXT_MAX:
        raise Skip
    job.out.update(attach=True, name=Text(name))


def page(job: Job, given: list[str]) -> None:
    """``page(n)``, the first is 1."""
    found = whole(given[0])
    if not 1 <= found <= 10_000:
        raise Skip
    job.out.update(page=found - 1, frames=1)


def max_age(job: Job, given: list[str]) -> None:
    """``max_age(seconds)``."""
    found = whole(given[0])
    if found < 0:
        raise Skip
    job.out["ttl_seconds"] = min(found, YEAR_SECONDS)


def to_colorspace(job: Job, given: list[str]) -> None:
    """Only sRGB, in which every picture is already."""
    del job
    if given and given[0].lower() not in ("", "srgb"):
        raise Skip


def gifv(job: Job, given: list[str]) -> None:
    """``gifv([mp4])``: an animation as a film."""
    if given and given[0] not in ("", "mp4"):
        raise Skip
    job.out.update(fm="mp4", frames=0)


def nothing(job: Job, given: list[str]) -> None:
    """Ask for what is so in any case."""
    del job, given


WORK: Mapping[str, FilterWork] = {
    "attachment": attachment,
    "autojpg": _flag("autojpg"),
    "bitdepth": _bounded("depth", least=1, most=16),
    "compression": _bounded("effort", least=0, most=9, offset=1),
    "cover": _sets(frames=1),
    "dpi": _bounded("density", least=1, most=1200),
    "expire": expire,
    "focal": focal,
    "format": output_format,
    "gifv": gifv,
    "lossless": _sets(lossless=True),
    "max_age": max_age,
    "max_bytes": _bounded("bytes_max", least=1, most=1 << 30),
    "max_frames": _bounded("frames", least=0, most=10_000),
    "no_upscale": _flag("no_upscale"),
    "page": page,
    "palette": _sets(colours=256),
    "preview": nothing,
    "quality": _bounded("quality", least=0, most=100),
    "raw": _sets(fm="original"),
    "stretch": _flag("stretch"),
    "strip_exif": nothing,
    "strip_icc": nothing,
    "strip_metadata": nothing,
    "to_colorspace": to_colorspace,
    "upscale": _flag("upscale"),
}
