"""One function a format: a picture and an `Output` become bytes, with settings worth their time.

What is written beside the pixels are the fields that the picture carries; nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyvips

from encoding import by_pillow, moving, mp4
from ops.output import Output

QUALITY: Mapping[str, int] = {"jpg": 80, "webp": 78, "avif": 55, "jxl": 77, "heic": 60}
"""Where the recipe says none; they look about the same."""
FULL_CHROMA_QUALITY = 90
"""From this quality on, colour keeps its full resolution (4:4:4 instead of 4:2:0)."""
WEBP_EFFORT = 2
"""3 % more bytes than effort 4 in less than half the time."""
WEBP_LOSSLESS_EFFORT = 0
"""6 % more bytes than effort 2 in a sixth of the time."""
PNG_COMPRESSION = 6
PALETTE_EFFORT = 4
"""2 % more bytes than libvips' own 7 in a sixth of the time."""
PALETTE_EFFORT_MAX = 7
PNG_DEPTHS = (1, 2, 4, 8)
"""Bits of a palette's places."""
GIF_EFFORT = 3
ANIMATED_EFFORT = 1
AVIF_CAREFUL_PIXELS = 250_000
"""Up to here AVIF gets effort 1 (9 % fewer bytes than 0); above, 0: time grows with area."""
TRELLIS_EFFORT, SCANS_EFFORT = 5, 8
"""From these efforts on a JPEG costs 3 and 5 times as much, and has 9 and 12 % fewer bytes."""
MM_PER_INCH = 25.4
EXIF, XMP, IPTC, ICC, OTHER, GAIN = 1, 2, 4, 8, 16, 32
_KEEP = {
    "exif-data": EXIF, "xmp-data": XMP, "iptc-data": IPTC, "icc-profile-data": ICC, "delay": OTHER,
    "loop": OTHER,
}  # fmt: skip
"""Field → libvips' flag of those that are to be written."""


def save(image: pyvips.Image, out: Output) -> bytes:
    """Encode in ``out.fm``.

    Raises:
        pyvips.Error: the encoder cannot.
        Refusal: 422; it needs a package that is not there.
    """
    if image.bands in (1, 2) and out.fm not in ("jpg", "png", "tiff"):
        image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    if out.dpi:
        image = image.copy(xres=out.dpi / MM_PER_INCH, yres=out.dpi / MM_PER_INCH)
    saver = _SAVERS.get(out.fm)
    return saver(image, out) if saver else by_pillow.save(image, out, quality(out))


def quality(out: Output) -> int:
    """Give the quality that the format gets."""
    return out.quality or QUALITY.get(out.fm, 0)


def field_type(value: object) -> Any:
    """Give libvips' type of a field's value."""
    kinds = pyvips.GValue
    if isinstance(value, bytes):
        return kinds.blob_type
    if isinstance(value, (list, tuple)):
        broken = any(isinstance(each, float) for each in value)
        return kinds.array_double_type if broken else kinds.array_int_type
    return kinds.gdouble_type if isinstance(value, float) else kinds.gint_type


def _keep(image: pyvips.Image) -> int:
    fields = set(image.get_fields())
    return sum({flag for name, flag in _KEEP.items() if name in fields})


def _subsampled(out: Output, q: int) -> str:
    return {"on": "on", "off": "off"}.get(out.chroma, "off" if q >= FULL_CHROMA_QUALITY else "on")


def _jpg(image: pyvips.Image, out: Output) -> bytes:
    q = quality(out)
    if "gainmap-data" in image.get_fields():
        both: bytes = image.uhdrsave_buffer(Q=q, keep=_keep(image) | GAIN)
        return both
    made: bytes = image.jpegsave_buffer(
        Q=q,
        # The best Huffman tables: 3 % fewer bytes for less than a millisecond at 512 px.
        optimize_coding=True,
        interlace=out.progressive or out.effort >= SCANS_EFFORT,
        subsample_mode=_subsampled(out, q),
        trellis_quant=out.effort >= TRELLIS_EFFORT,
        overshoot_deringing=out.effort >= TRELLIS_EFFORT,
        optimize_scans=out.effort >= SCANS_EFFORT,
        keep=_keep(image),
    )
    return _with_density(made, out.dpi) if out.dpi else made


def _with_density(jpeg: bytes, dpi: int) -> bytes:
    """Put a JFIF header in front, which libvips leaves out (ITU-T T.871, 10.1)."""
    density = dpi.to_bytes(2, "big") * 2
    header = b"\xff\xe0\x00\x10JFIF\0\x01\x02\x01" + density + b"\0\0"
    return jpeg[:2] + header + jpeg[2:]


def _webp(image: pyvips.Image, out: Output) -> bytes:
    default = WEBP_LOSSLESS_EFFORT if out.lossless else WEBP_EFFORT
    made: bytes = image.webpsave_buffer(
        Q=quality(out),
        lossless=out.lossless,
        effort=_part(out.effort, 0, 6) if out.effort else default,
        smart_subsample=out.chroma == "off",
        keep=_keep(image),
    )
    return made


def _avif(image: pyvips.Image, out: Output) -> bytes:
    q = quality(out)
    if "delay" in image.get_fields():
        return moving.save(image, out, q, full_chroma=_subsampled(out, q) == "off")
    small = image.width * image.height <= AVIF_CAREFUL_PIXELS
    made: bytes = image.heifsave_buffer(
        Q=q,
        compression="av1",
        lossless=out.lossless,
        # More takes seconds: nobody waits for that.
        effort=0 if not small else _part(out.effort, 0, 2) if out.effort else 1,
        subsample_mode=_subsampled(out, q),
        bitdepth=out.depth if image.format == "ushort" else 8,
        keep=_keep(image),
    )
    return made


def _png(image: pyvips.Image, out: Output) -> bytes:
    more: dict[str, Any] = {}
    colours = _palette(out)
    if colours and image.format == "uchar":
        if image.bands in (1, 2):
            image = image.colourspace("srgb")
        image = _fewer(image, colours)
        bits = max(1, colours.bit_length() - 1)
        if image.hasalpha():
            bits = max(depth for depth in PNG_DEPTHS if depth <= bits)
        else:
            bits = min(depth for depth in PNG_DEPTHS if depth >= bits)
        effort = min(out.effort, PALETTE_EFFORT_MAX) or PALETTE_EFFORT
        more = {"palette": True, "bitdepth": bits, "effort": effort}
    made: bytes = image.pngsave_buffer(
        compression=_part(out.effort, 1, 9) if out.effort else PNG_COMPRESSION,
        interlace=out.progressive,
        keep=_keep(image),
        **more,
    )
    return made


def _palette(out: Output) -> int:
    """Give how many colours a palette may have: as said, or as the depth allows; 0 is none."""
    return out.colours or (1 << out.depth if 0 < out.depth < 8 else 0)


def _fewer(image: pyvips.Image, count: int) -> pyvips.Image:
    """Bring an opaque picture to as many colours as a power of two allows, where PNG has no depth.

    Through GIF, which has them all; clear pictures would lose what is half clear.
    """
    bits = count.bit_length() - 1
    if image.hasalpha() or bits in (0, *PNG_DEPTHS):
        return image
    fewer = pyvips.Image.new_from_buffer(
        image.gifsave_buffer(bitdepth=bits, effort=GIF_EFFORT, keep="none"), ""
    ).extract_band(0, n=3)
    fewer = fewer.copy(xres=image.xres, yres=image.yres)
    for name in set(image.get_fields()) & set(_KEEP):
        fewer.set_type(field_type(image.get(name)), name, image.get(name))
    return fewer


def _gif(image: pyvips.Image, out: Output) -> bytes:
    moving = "delay" in image.get_fields()
    made: bytes = image.gifsave_buffer(
        bitdepth=max(1, (_palette(out) or 256).bit_length() - 1),
        effort=min(out.effort, PALETTE_EFFORT_MAX) or (ANIMATED_EFFORT if moving else GIF_EFFORT),
        interlace=out.progressive,
        keep=_keep(image),
    )
    return made


def _tiff(image: pyvips.Image, out: Output) -> bytes:
    lossy = out.quality and not out.lossless and image.bands in (1, 3) and image.format == "uchar"
    packed: dict[str, Any] = (
        {"compression": "jpeg", "Q": out.quality}
        if lossy
        else {"compression": "deflate", "predictor": "horizontal"}
    )
    made: bytes = image.tiffsave_buffer(keep=_keep(image), **packed)
    return made


def _part(effort: int, least: int, most: int) -> int:
    """Bring an effort of 1 to 10 into an encoder's own range."""
    return least + (effort - 1) * (most - least) // 9


_SAVERS: Mapping[str, Callable[[pyvips.Image, Output], bytes]] = {
    "jpg": _jpg,
    "webp": _webp,
    "avif": _avif,
    "png": _png,
    "gif": _gif,
    "tiff": _tiff,
    "mp4": mp4.save,
}
