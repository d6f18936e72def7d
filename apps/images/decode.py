"""What a source's header says, checked against the limits before any pixel is decoded.

`open_header` gives a `Header` or refuses. Decoding itself is in `turbo` (plain JPEGs) and `vips`
(everything else).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pyvips

import jpeg
import limits as limit_names
import refusals
import sniff

BYTES_PER_PIXEL = {"png": 0, "tiff": 0, "webp": 4, "gif": 6, "avif": 16}
"""What decoders that need the whole picture hold at once; 0 for those that go line by line."""
INTERLACED_PNG_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """``width`` and ``height`` are upright. ``plain_jpeg`` is set where the fast path applies.

    ``icc`` is the embedded colour profile; empty where there is none, or none that is usable.
    """

    kind: str
    width: int
    height: int
    has_alpha: bool
    plain_jpeg: jpeg.Header | None = None
    icc: bytes = b""


def open_header(data: bytes, limits: limit_names.Limits, *, upright: bool = True) -> Header:
    """Read and judge the header; without ``upright`` the size is as stored.

    Raises:
        Refusal: 422; not a picture, damaged, or over a limit (which the reason names).
    """
    kind = sniff.kind(data)
    if kind == "jpg":
        return _jpeg(data, limits, upright=upright)
    _check_declared(kind, data, limits)
    return _through_vips(kind, data, limits, upright=upright)


def _jpeg(data: bytes, limits: limit_names.Limits, *, upright: bool) -> Header:
    found = jpeg.read(data)
    _check_size(found.width, found.height, limits)
    if found.scans > limits.jpeg_scans:
        raise refusals.unusable(
            "too_many_scans",
            f"the progressive JPEG has {found.scans} scans, more than {limits.jpeg_scans}"
            " (limit jpeg_scans)",
        )
    if found.several_passes:
        # Coefficients are 2 bytes each, one per sample; 4:4:4 is the worst case.
        _check_memory(2 * found.components * found.width * found.height, limits)
    turned = upright and found.orientation >= 5
    return Header(
        kind="jpg",
        width=found.height if turned else found.width,
        height=found.width if turned else found.height,
        has_alpha=False,
        plain_jpeg=found if found.is_plain else None,
        icc=found.icc,
    )


def _check_declared(kind: str, data: bytes, limits: limit_names.Limits) -> None:
    """Check sizes that can be read from fixed places, before a library sees the file."""
    if kind == "png" and len(data) >= 33:
        width, height = struct.unpack_from(">II", data, 16)
        _check_size(width, height, limits)
        if data[28]:
            _check_memory(INTERLACED_PNG_BYTES * width * height, limits)
    elif kind == "gif" and len(data) >= 13:
        width, height = struct.unpack_from("<HH", data, 6)
        _check_size(width, height, limits)


def _through_vips(kind: str, data: bytes, limits: limit_names.Limits, *, upright: bool) -> Header:
    try:
        image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on=fail_on(kind))
        fields = set(image.get_fields())
        orientation = image.get("orientation") if "orientation" in fields else 1
        pages = image.get("n-pages") if "n-pages" in fields else 1
        icc = image.get("icc-profile-data") if "icc-profile-data" in fields else b""
    except pyvips.Error as error:
        raise refused(error) from error
    turned = upright and orientation >= 5
    _check_size(image.width, image.height, limits)
    _check_memory(BYTES_PER_PIXEL[kind] * image.width * image.height, limits)
    if pages > limits.frames:
        raise refusals.unusable(
            "too_many_frames",
            f"the source has {pages} frames, more than {limits.frames} (limit frames)",
        )
    return Header(
        kind=kind,
        width=image.height if turned else image.width,
        height=image.width if turned else image.height,
        has_alpha=image.hasalpha(),
        icc=icc if len(icc) <= jpeg.ICC_BYTES_MAX else b"",
    )


def fail_on(kind: str) -> str:
    """Name the least fault that makes libvips give up.

    JPEG decoders only warn when they fill the rest of a picture with grey.
    """
    return "warning" if kind == "jpg" else "error"


def refused(error: pyvips.Error) -> refusals.Refusal:
    """Translate what libvips says of a file it cannot read."""
    text = f"{error.message} {error.detail}".lower()
    if any(word in text for word in ("truncat", "premature", "end of", "read error", "eof")):
        return refusals.unusable("truncated", "the source ends before the picture does")
    if "blocked" in text or "not in a known format" in text:
        return refusals.unusable(
            "unsupported_kind", "this kind of picture is not supported, or its header is damaged"
        )
    return refusals.unusable("damaged", "the source is damaged: it cannot be decoded")


def _check_size(width: int, height: int, limits: limit_names.Limits) -> None:
    if width < 1 or height < 1:
        raise refusals.unusable("damaged", "the source declares no size")
    if max(width, height) > limits.source_side:
        raise refusals.unusable(
            "too_many_pixels",
            f"the source is {width} x {height}; a side may have {limits.source_side}"
            " pixels (limit source_side)",
        )
    if width * height > limits.source_pixels:
        raise refusals.unusable(
            "too_many_pixels",
            f"the source is {width} x {height}, more than {limits.source_pixels} pixels"
            " (limit source_pixels)",
        )


def _check_memory(needed: int, limits: limit_names.Limits) -> None:
    if needed > limits.decode_bytes:
        raise refusals.unusable(
            "too_much_memory",
            f"decoding the source would take about {needed >> 20} MiB, more than"
            f" {limits.decode_bytes >> 20} (limit decode_bytes)",
        )
