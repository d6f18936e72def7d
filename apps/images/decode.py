"""What a source's header says, checked against the limits before any pixel is decoded.

`open_header` gives a `Header` or refuses. Decoding itself is in `turbo` (plain JPEGs) and `vips`
(everything else).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import pyvips

import jpeg
import limits as limit_names
import profiles
import refusals
import sniff
from decoding import foreign, raw, words
from decoding.opened import Draw, check_memory, check_size
from ops.output import Output

words.read_all()
BYTES_PER_PIXEL = {"png": 0, "tiff": 0, "webp": 4, "gif": 6, "avif": 16}
"""What decoders that need the whole picture hold at once; 0 for those that go line by line."""
INTERLACED_PNG_BYTES = 8
INSIDE_PIXELS = 4_000_000
"""Of a picture that lies in a drawing."""
_INSIDE = ("jpg", "png", "gif", "webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """``width`` and ``height`` are upright. ``plain_jpeg`` is set where the fast path applies.

    ``icc`` is the embedded colour profile; empty where there is none, or none that is usable.
    ``inner`` is what is decoded instead of the source itself; ``draw`` gives the pixels where
    libvips has no loader; ``vector``: of a drawing, which has pixels of any size. ``pages`` is
    how many pages or frames there are. ``in_srgb``: libvips gives 8-bit sRGB as it is.
    """

    kind: str
    width: int
    height: int
    has_alpha: bool
    plain_jpeg: jpeg.Header | None = None
    icc: bytes = b""
    inner: bytes = b""
    draw: Draw | None = None
    vector: bool = False
    pages: int = 1
    in_srgb: bool = False

    @property
    def format(self) -> str:
        """What people call the kind: an AVIF of several frames is an AVIF."""
        return "avif" if self.kind == "avis" else self.kind


USUAL = Output(fm="source")
"""How a source is read where nobody says otherwise."""


def open_header(data: bytes, limits: limit_names.Limits, out: Output = USUAL) -> Header:
    """Read and judge the header; ``out`` says which page, and whether the size is upright.

    Raises:
        Refusal: 422; not a picture, damaged, or over a limit (which the reason names).
    """
    kind = sniff.kind(data)
    if kind == "raw":
        inner = raw.preview(data)
        return replace(_jpeg(inner, limits, upright=out.upright), inner=inner)
    if kind == "jpg":
        return _jpeg(data, limits, upright=out.upright)
    if kind in foreign.KINDS:
        return _foreign(kind, data, limits, out)
    _check_declared(kind, data, limits)
    return _through_vips(kind, data, limits, out)


def _foreign(kind: str, data: bytes, limits: limit_names.Limits, out: Output) -> Header:
    try:
        found = foreign.open_source(
            data, kind, limits, out, lambda inside: _judge_inside(inside, limits)
        )
    except pyvips.Error as error:
        raise refused(error) from error
    if found.pages:
        _check_pages(found.pages, limits, out)
    return Header(
        kind=kind, width=found.width, height=found.height, has_alpha=found.has_alpha,
        draw=found.draw, vector=found.vector, pages=found.pages or 1,
        icc=found.icc if len(found.icc) <= jpeg.ICC_BYTES_MAX else b"",
    )  # fmt: skip


def _judge_inside(data: bytes, limits: limit_names.Limits) -> None:
    """Refuse what may not lie in a drawing: anything but a picture, or one that is too large."""
    if sniff.kind(data) not in _INSIDE:
        raise refusals.unusable("unsafe_drawing", "there is something in the drawing")
    open_header(data, replace(limits, source_pixels=min(limits.source_pixels, INSIDE_PIXELS)))


def _jpeg(data: bytes, limits: limit_names.Limits, *, upright: bool) -> Header:
    found = jpeg.read(data)
    check_size(found.width, found.height, limits)
    if found.scans > limits.jpeg_scans:
        raise refusals.unusable(
            "too_many_scans",
            f"the progressive JPEG has {found.scans} scans, more than {limits.jpeg_scans}"
            " (limit jpeg_scans)",
        )
    if found.several_passes:
        # Coefficients are 2 bytes each, one per sample; 4:4:4 is the worst case.
        check_memory(2 * found.components * found.width * found.height, limits)
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
        check_size(width, height, limits)
        if data[28]:
            check_memory(INTERLACED_PNG_BYTES * width * height, limits)
    elif kind == "gif" and len(data) >= 13:
        width, height = struct.unpack_from("<HH", data, 6)
        check_size(width, height, limits)


def _through_vips(kind: str, data: bytes, limits: limit_names.Limits, out: Output) -> Header:
    try:
        image = _peek(kind, data)
        pages = image.get("n-pages") if "n-pages" in image.get_fields() else 1
        if 0 < out.page < pages:
            image = _peek(kind, data, out.page)
        fields = set(image.get_fields())
        orientation = image.get("orientation") if "orientation" in fields else 1
        icc = image.get("icc-profile-data") if "icc-profile-data" in fields else b""
    except pyvips.Error as error:
        raise refused(error) from error
    turned = out.upright and orientation >= 5
    check_size(image.width, image.height, limits)
    check_memory(BYTES_PER_PIXEL[kind] * image.width * image.height, limits)
    _check_pages(pages, limits, out)
    return Header(
        kind=kind,
        width=image.height if turned else image.width,
        height=image.width if turned else image.height,
        has_alpha=image.hasalpha(),
        icc=icc if len(icc) <= jpeg.ICC_BYTES_MAX else b"",
        pages=pages,
        in_srgb=(image.interpretation, image.format) == ("srgb", "uchar")
        and (not icc or profiles.is_srgb(icc)),
    )


def _check_pages(pages: int, limits: limit_names.Limits, out: Output) -> None:
    if pages > limits.frames:
        raise refusals.unusable(
            "too_many_frames",
            f"the source has {pages} frames, more than {limits.frames} (limit frames)",
        )
    if out.page >= pages:
        raise refusals.unusable(
            "no_such_page", f"the source has {pages} pages, no page {out.page + 1}"
        )


def _peek(kind: str, data: bytes, page: int = 0) -> pyvips.Image:
    said = {"page": page} if page else {}
    return pyvips.Image.new_from_buffer(
        data, "", access="sequential", fail_on=fail_on(kind), **said
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
