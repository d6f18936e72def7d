"""What each of our own parsers of bytes promises for any bytes at all, and bytes to begin from.

A target returns when the bytes were refused with the parser's own error, or read within what the
parser promises; anything else is a mistake of ours. `test_images_fuzz` runs them for moments,
`fuzz_pictures` for as long as one likes. What libraries decode is not here, but their gate is
(`header`).
"""

from __future__ import annotations

import io
import re
import struct
from contextlib import suppress
from pathlib import Path

from PIL import Image

import decode
import jpeg
import limits
import metadata
import preview
import profiles
import progressive
import refusals
import sfnt
import sniff
from decoding import cleaning, jp2, jp2_codestream, jxl_header, raw
from dialects.imgproxy import aes
from tests.fuzzing import Table

FONT = Path(__file__).parents[1] / "fonts" / "NotoSansHebrew-Bold.ttf"
SIZE = (32, 24)
_LOADS = re.compile(
    rb"<\s*script|[\s:](?:href|src)\s*=\s*[\"']?\s*(?!#|data:image/)\w+:|\son\w+\s*=", re.I
)


def kind(data: bytes) -> None:
    """The name of a kind that somebody decodes."""
    with suppress(refusals.Refusal):
        assert sniff.kind(data).isalnum()


def jpeg_header(data: bytes) -> None:
    """Sizes above 0, an orientation that there is, a profile that is not too large."""
    with suppress(refusals.Refusal):
        found = jpeg.read(data)
        assert 1 <= found.width <= 0xFFFF
        assert 1 <= found.height <= 0xFFFF
        assert 1 <= found.orientation <= 8
        assert found.scans >= 1
        assert len(found.icc) <= jpeg.ICC_BYTES_MAX


def slim(data: bytes) -> None:
    """Nothing, or a JPEG of the same size as the one that it was."""
    for found in filter(None, (progressive.slim(data), progressive.coarse(data))):
        assert found[:2] == b"\xff\xd8"
        assert found[-2:] == b"\xff\xd9"
        with suppress(refusals.Refusal):
            was = jpeg.read(data)
            now = jpeg.read(found)
            assert (now.width, now.height) == (was.width, was.height)


def exif_preview(data: bytes) -> None:
    """A JPEG that lies in the bytes, or nothing."""
    found = preview.embedded(data)
    assert found in data
    assert not found or found.startswith(b"\xff\xd8")


def raw_preview(data: bytes) -> None:
    """A JPEG that lies in the bytes, or a refusal."""
    with suppress(refusals.Refusal):
        found = raw.preview(data)
        assert found in data
        assert found.startswith(b"\xff\xd8\xff")


def jxl_size(data: bytes) -> None:
    """Sides that the format can say: up to 2 ** 30, times two for a ratio."""
    with suppress(refusals.Refusal):
        width, height = jxl_header.size(data)
        assert 0 <= width <= 1 << 31
        assert 1 <= height <= 1 << 30


def jp2_stream(data: bytes) -> None:
    """Sizes above 0, no more halvings than there can be, or a refusal."""
    with suppress(refusals.Refusal):
        found = jp2.codestream(data)
        assert min(found.size) >= 1
        assert 0 <= found.levels <= jp2_codestream.LEVELS_MAX
        assert found.bytes_held > 0


def profile(data: bytes) -> None:
    """A profile that calls itself sRGB is one of RGB."""
    assert profiles.is_rgb(data) or not profiles.is_srgb(data)


def owners(data: bytes) -> None:
    """A block with only the owners, of which nothing more can be left out."""
    found = metadata.copyright_only(data)
    assert metadata.copyright_only(found) == found
    assert not found or found.startswith(b"Exif\0\0II*\0")


def font(data: bytes) -> None:
    """Faces whose characters are ranges in order, or no font."""
    with suppress(sfnt.NotAFont):
        for face in sfnt.read_from(io.BytesIO(data), "a font"):
            ends = -1
            for start, end in face.covers:
                assert ends < start <= end
                ends = end


def drawing(data: bytes) -> None:
    """A drawing that runs and loads nothing, and is clean."""
    with suppress(refusals.Refusal):
        found = cleaning.clean(data)
        assert not _LOADS.search(re.sub(rb">[^<]*<", b"><", found)), found
        assert cleaning.clean(found) == found


def encrypted(data: bytes) -> None:
    """What can be decrypted has lost its IV and at least one byte of padding."""
    with suppress(aes.Unreadable):
        assert len(aes.decrypt(bytes(range(16)), data)) < len(data) - 16


def header(data: bytes) -> None:
    """A size within the limits, or a refusal: the gate before every decoder."""
    most = limits.Limits()
    with suppress(refusals.Refusal):
        found = decode.open_header(data, most)
        assert 1 <= found.width * found.height <= most.source_pixels


def _picture(fm: str, **how: object) -> bytes:
    image = Image.effect_noise(SIZE, 50).convert("RGB")
    image.paste((200, 30, 30), (0, 0, 8, 8))
    file = io.BytesIO()
    image.save(file, fm, **how)
    return file.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B], exif[0x8298] = 6, "An artist", "(c) somebody"
    return exif.tobytes()


def _directory(*entries: tuple[int, int, int, int], behind: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *each) for each in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", behind)


def _with_preview() -> bytes:
    small, first = _picture("JPEG"), _directory((0x0112, 3, 1, 1), behind=26)
    second = _directory((0x0201, 4, 1, 56), (0x0202, 4, 1, len(small)))
    tiff = b"II*\0\x08\0\0\0" + first + second + small
    body = b"Exif\0\0" + tiff
    whole = _picture("JPEG")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + whole[2:]


def _raws() -> list[bytes]:
    small = _picture("JPEG")
    entries = (0x10F, 2, 4, 0), (0x0201, 4, 1, 64), (0x0202, 4, 1, len(small))
    dng = (b"II*\0\x08\0\0\0" + _directory(*entries)).ljust(64, b"\0") + small
    fuji = b"FUJIFILMCCD-RAW".ljust(84, b"\0") + struct.pack(">II", 92, len(small)) + small
    return [dng, fuji, b"\0\0\0\x18ftypcrx " + bytes(12) + small]


def _jpegs() -> list[bytes]:
    icc = b"ICC_PROFILE\0\x01\x01" + _icc()[:200]
    plain = _picture("JPEG", exif=_exif())
    tagged = plain[:2] + b"\xff\xe2" + struct.pack(">H", len(icc) + 2) + icc + plain[2:]
    return [plain, tagged, _picture("JPEG", progressive=True), _with_preview()]


def _with_wide_steps() -> bytes:
    """A progressive JPEG with a quantisation table of 16 bits a step (T.81, B.2.4.1)."""
    whole = _picture("JPEG", progressive=True, quality=98)
    table = b"\x10" + struct.pack(">64H", *range(1, 65))
    return whole[:2] + b"\xff\xdb" + struct.pack(">H", 2 + len(table)) + table + whole[2:]


def _icc() -> bytes:
    name = b"desc\0\0\0\0\0\0\0\x05sRGB\0"
    body = b"\0\0\0\x01" + struct.pack(">4sII", b"desc", 144, len(name)) + name
    return (bytes(16) + b"RGB XYZ " + bytes(12) + b"acsp").ljust(128, b"\0") + body


def _drawings() -> list[bytes]:
    return [
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>a{fill:red}</style>'
            b'<g id="a"><rect width="5" height="5" style="fill:url(#b)"/></g><use href="#a"/></svg>'
        ),
        (
            b'<svg width="9"><script>x()</script><image href="file:///a"/>'
            b'<a onclick="x" href="//b"/>'
            b"<text>a &lt; b<![CDATA[<script>]]></text></svg>"
        ),
    ]


def _files() -> list[bytes]:
    kinds = ("PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO")
    return [*map(_picture, kinds), *_jpegs()[:1], *_raws()[:1]]


TARGETS: Table = {
    "sniff": (kind, lambda: [*(each[:200] for each in (*_files(), *_raws())), *_drawings()]),
    "jpeg": (jpeg_header, _jpegs),
    "slim": (slim, lambda: [_picture("JPEG", progressive=True), _with_wide_steps()]),
    "preview": (exif_preview, lambda: [_with_preview()]),
    "raw": (raw_preview, _raws),
    "jxl": (jxl_size, lambda: [b"\xff\x0a" + bytes(range(1, 16)), jxl_header.CONTAINER
                              + b"\0\0\0\x14jxlc\xff\x0a" + bytes(range(1, 11))]),
    "jp2": (jp2_stream, lambda: [_picture("JPEG2000"), _picture("JPEG2000", no_jp2=True)]),
    "icc": (profile, lambda: [_icc()]),
    "exif": (owners, lambda: [_exif()]),
    "font": (font, lambda: [FONT.read_bytes()]),
    "svg": (drawing, _drawings),
    "aes": (encrypted, lambda: [bytes(32), bytes(range(64))]),
    "header": (header, _files),
}  # fmt: skip
