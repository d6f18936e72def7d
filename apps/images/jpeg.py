"""The header of a JPEG, read without decoding: size, components, orientation, colour profile.

Pure. Reads marker segments up to the first scan (ITU-T T.81, annex B) and the few EXIF bytes that
hold the orientation (CIPA DC-008, 4.6.4). Decoding is `decode`'s.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import refusals

SEGMENTS_MAX = 2_000
"""Marker segments before the first scan."""
ICC_BYTES_MAX = 4 << 20
_ICC = b"ICC_PROFILE\0"
_EXIF = b"Exif\0\0"
_SOS, _EOI = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Width and height are as stored, before ``orientation`` (EXIF, 1 to 8) is applied.

    ``scans`` is the number of start-of-scan markers when the picture is decoded in several
    passes, else 1. ``icc`` is the embedded colour profile, empty when there is none.
    """

    width: int
    height: int
    components: int
    precision: int
    frame: int
    scans: int
    orientation: int
    icc: bytes

    @property
    def is_plain(self) -> bool:
        """Tell whether libjpeg-turbo's 8-bit Huffman decoder takes it as grey or colour."""
        return (
            self.frame in (0xC0, 0xC1, 0xC2) and self.precision == 8 and self.components in (1, 3)
        )

    @property
    def is_progressive(self) -> bool:
        """Tell whether scans refine each other (Huffman-coded)."""
        return self.frame == 0xC2

    @property
    def several_passes(self) -> bool:
        """Tell whether the decoder must hold all coefficients of the picture at once."""
        return self.scans > 1 or self.is_progressive


def read(data: bytes) -> Header:
    """Read the header.

    Raises:
        Refusal: 422; it ends too early or is no JPEG.
    """
    frame: tuple[int, int, int, int, int] | None = None
    orientation = 1
    profile: dict[int, bytes] = {}
    position = 2
    for _ in range(SEGMENTS_MAX):
        marker, position = _marker(data, position)
        if marker in _STANDALONE:
            continue
        if marker == _EOI:
            break
        length = int.from_bytes(data[position : position + 2], "big")
        end = position + length
        if length < 2 or end > len(data):
            raise _truncated()
        if marker == _SOS:
            if frame is None:
                break
            if length < 3:
                raise _truncated()
            return _header(data, position, frame, orientation, profile)
        if marker in _FRAMES:
            frame = _frame(marker, data[position + 2 : end])
        elif marker == 0xE1 and data.startswith(_EXIF, position + 2):
            orientation = _orientation(data[position + 8 : end]) or orientation
        elif marker == 0xE2 and data.startswith(_ICC, position + 2) and length >= 16:
            profile[data[position + 14]] = data[position + 16 : end]
        position = end
    raise refusals.unusable("not_an_image", "the JPEG has no picture in it")


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """Give the next marker and the position behind it, skipping fill bytes and stray bytes."""
    position = data.find(b"\xff", position)
    while 0 <= position < len(data) - 1:
        if data[position + 1] not in (0x00, 0xFF):
            return data[position + 1], position + 2
        position = data.find(b"\xff", position + 1)
    raise _truncated()


def _frame(marker: int, segment: bytes) -> tuple[int, int, int, int, int]:
    if len(segment) < 6:
        raise _truncated()
    precision, height, width, components = struct.unpack_from(">BHHB", segment)
    if not width or not height:
        raise refusals.unusable("not_an_image", "the JPEG declares no size")
    return marker, precision, height, width, components


def _header(
    data: bytes,
    position: int,
    frame: tuple[int, int, int, int, int],
    orientation: int,
    profile: dict[int, bytes],
) -> Header:
    marker, precision, height, width, components = frame
    whole_in_first = marker != 0xC2 and data[position + 2] == components
    # Inside a scan 0xFF is always followed by 0 or a restart marker, so this counts real scans.
    scans = 1 if whole_in_first else data.count(b"\xff\xda", position - 2)
    icc = b"".join(profile[number] for number in sorted(profile))
    return Header(
        width=width,
        height=height,
        components=components,
        precision=precision,
        frame=marker,
        scans=scans,
        orientation=orientation,
        icc=icc if len(icc) <= ICC_BYTES_MAX else b"",
    )


def _orientation(tiff: bytes) -> int:
    """Find the orientation in an EXIF block's first directory; 0 when it is not there."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 0
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    if at + 2 > len(tiff):
        return 0
    (entries,) = struct.unpack_from(order + "H", tiff, at)
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, entry)
        if tag == _ORIENTATION_TAG and kind == 3 and count == 1:
            (value,) = struct.unpack_from(order + "H", tiff, entry + 8)
            return value if 1 <= value <= 8 else 0
    return 0


def _truncated() -> refusals.Refusal:
    return refusals.unusable("truncated", "the source ends before the picture does")
