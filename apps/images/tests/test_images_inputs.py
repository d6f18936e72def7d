"""What goes in beside the usual kinds: drawings, HEIC, JPEG XL, BMP, ICO, PDF, raw, video."""

from __future__ import annotations

import base64
import importlib
import io
import struct
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pillow_heif
import pillow_jxl  # noqa: F401 - registers the format
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import extras
import limits
import recipe as recipes
import refusals
import render
import sniff
import steps
from decoding import cleaning, jxl_header, raw
from dynimo.sdk import http
from ops import geometry, values
from ops.output import Output
from tests.e2e.serving import Server

Make = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
SVG = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
pillow_heif.register_heif_opener()


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """Give red above blue, 120 x 80, or another picture, in a format."""
    if image is None:
        image = Image.new("RGB", (120, 80), (220, 20, 20))
        image.paste((20, 20, 220), (0, 40, 120, 80))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def drawing(inside: str = "", size: str = "width='120' height='80'") -> bytes:
    halves = (
        "<rect width='120' height='40' fill='#dc1414'/>"
        "<rect y='40' width='120' height='40' fill='#1414dc'/>"
    )
    return f"{SVG}{size} viewBox='0 0 120 80'>{halves}{inside}</svg>".encode()


def page(count: int = 1) -> bytes:
    """A PDF with pages of 120 x 80 points; the first is red above blue, the others green."""
    pages = [Image.open(io.BytesIO(saved("PNG")))]
    pages += [Image.new("RGB", (120, 80), (0, 200, 0)) for _ in range(count - 1)]
    return saved("PDF", pages[0], save_all=True, append_images=pages[1:], resolution=72)


def raw_file() -> bytes:
    """A DNG with a small JPEG in its first directory and a large one in a second, as cameras do."""
    small, large = saved("JPEG", Image.new("RGB", (16, 16))), saved("JPEG", quality=95)
    head = 8 + 2 + 12 * 4 + 4 + 2 + 12 * 2 + 4
    first = struct.pack("<HHHII", 4, 0xFE, 4, 1, 1)
    first += struct.pack("<HHII", 0x201, 4, 1, head) + struct.pack("<HHII", 0x202, 4, 1, len(small))
    first += struct.pack("<HHII", 0xC612, 1, 4, 0x401) + struct.pack("<I", 8 + len(first) + 16)
    second = struct.pack("<HHHII", 2, 0x111, 4, 1, head + len(small))
    second += struct.pack("<HHII", 0x117, 4, 1, len(large)) + struct.pack("<I", 0)
    return b"II*\0\x08\0\0\0" + first + second + small + large


def film(tmp_path: Path, kind: str = "mp4") -> bytes:
    """Two seconds: red above blue, then green."""
    for number in range(20):
        image = Image.open(io.BytesIO(saved("PNG")))
        if number >= 10:
            image = Image.new("RGB", (120, 80), (0, 200, 0))
        image.save(tmp_path / f"{number:02}.png")
    codec = {"mp4": "libx264", "webm": "libvpx"}[kind]
    subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-framerate", "10",
            "-i", tmp_path / "%02d.png", "-c:v", codec, "-pix_fmt", "yuv420p",
            tmp_path / f"film.{kind}",
        ],
        check=True, timeout=60,
    )  # fmt: skip
    return (tmp_path / f"film.{kind}").read_bytes()


KINDS: dict[str, Callable[[], bytes]] = {
    "svg": drawing,
    "heic": lambda: saved("HEIF", quality=95),
    "jxl": lambda: saved("JXL", quality=95),
    "jp2": lambda: saved("JPEG2000"),
    "bmp": lambda: saved("BMP"),
    "ico": lambda: saved("ICO", sizes=[(120, 80)]),
    "pdf": page,
    "raw": raw_file,
}


@pytest.fixture
def give(folder: Path, make: Make) -> Make:
    """Make a picture of bytes, ``w`` pixels wide, as an `Output` says."""

    def call(data: bytes, *, w: int = 0, **wishes: Any) -> http.Reply:
        (folder / "a").write_bytes(data)
        made = recipes.canonical(
            source="pics", path="a", engine="1", out=Output(**{"fm": "png", **wishes}),
            ops=[geometry.Resize("inside", values.pixels(w))],
        )  # fmt: skip
        return make(recipes.spell(made))

    return call


def is_red_above_blue(image: Image.Image) -> bool:
    image = image.convert("RGB")
    red: Any = image.getpixel((image.width // 2, image.height // 4))
    blue: Any = image.getpixel((image.width // 2, 3 * image.height // 4))
    return red[0] > 180 > 60 > red[2] and blue[2] > 180 > 60 > blue[0]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read(give: Make, look: Look, kind: str) -> None:
    """The right pixels in the right place, scaled to the size asked for."""
    data = KINDS[kind]()
    assert sniff.kind(data) == kind
    small = look(give(data, w=60))
    assert small.size == (60, 40)
    assert is_red_above_blue(small)


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_frame_of_a_video_is_read(give: Make, look: Look, tmp_path: Path, kind: str) -> None:
    """The first, or the one at a second; where there is none, 422."""
    data = film(tmp_path, kind)
    assert sniff.kind(data) == kind
    assert is_red_above_blue(look(give(data)))
    green: Any = look(give(data, second=Decimal("1.5"))).getpixel((60, 20))
    assert green[1] > 150 > 60 > green[0]
    assert give(data, second=Decimal(500)).status == 422
    assert give(data[: len(data) // 3]).status in (200, 422)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_drawings_are_sharp_in_any_size(give: Make, look: Look, kind: str) -> None:
    """They grow without being asked to, and are drawn for that size: the edge stays an edge."""
    large = look(give(KINDS[kind](), w=1200))
    assert large.size == (1200, 800)
    above, below = (large.convert("RGB").getpixel((600, y)) for y in (398, 402))
    if kind == "svg":
        assert (above, below) == ((220, 20, 20), (20, 20, 220))


def test_density_says_how_large_a_drawing_is(give: Make, look: Look) -> None:
    """Of a drawing 96 is its own size, of a page 72; a page is read at 144 by itself."""
    assert look(give(drawing())).size == (120, 80)
    assert look(give(drawing(), density=192)).size == (240, 160)
    assert look(give(page(), density=72)).size == (120, 80)
    assert look(give(page())).size == (240, 160)


def test_a_page_is_chosen(give: Make, look: Look) -> None:
    """By number; one that is not there is 422."""
    green: Any = look(give(page(3), page=2)).convert("RGB").getpixel((60, 20))
    assert green[1] > 150
    reply = give(page(3), page=3)
    assert reply.status == 422
    assert b"3 pages" in reply.body


def test_a_profile_in_heic_and_jpeg_xl_is_honoured(give: Make, look: Look) -> None:
    """Pixels come out in sRGB, or keep their profile."""
    with Image.open(SAMPLE) as image:
        small = image.resize((60, 40))
    from PIL import ImageCms  # noqa: PLC0415 - here alone

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("HEIF", "JXL"):
        data = saved(kind, small, icc_profile=profile)
        assert "icc_profile" not in look(give(data)).info
        kept = look(give(data, icc="keep")).info["icc_profile"]
        assert kept == profile or (kind == "JXL" and b"RGB " in kept[:40])  # it writes its own


def test_written_formats_of_extras_are_read_back(give: Make) -> None:
    """JPEG XL, HEIC, BMP and ICO come out as what they are called."""
    for fm, kind in (("jxl", "JXL"), ("heic", "HEIF"), ("bmp", "BMP"), ("ico", "ICO")):
        reply = give(SAMPLE.read_bytes(), w=60, fm=fm)
        assert reply.status == 200, reply.body
        with Image.open(io.BytesIO(reply.body)) as image:
            assert (image.format, image.size) == (kind, (60, 38))


def test_what_stands_in_for_a_page_is_that_page() -> None:
    """And of a video that frame."""
    asked = recipes.canonical(
        source="s", path="p", engine="1", ops=[],
        out=Output(fm="png", page=3, second=Decimal(7), density=50, upright=False),
    )  # fmt: skip
    instead = steps.cheaper(asked).out
    assert (instead.page, instead.second, instead.density, instead.upright) == (3, 7, 50, False)


def test_an_icon_has_a_largest_size(give: Make) -> None:
    """256 pixels: 422 above."""
    assert give(SAMPLE.read_bytes(), w=300, fm="ico").status == 422


@pytest.mark.parametrize("kind", ["heic", "jxl", "jp2", "bmp", "ico", "pdf"])
def test_a_missing_package_is_named(give: Make, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """422, with the name that pip knows."""
    data = KINDS[kind]()

    def missing(name: str) -> Any:
        if name in extras.NEEDS:
            raise ImportError(name)
        return importlib.__import__(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    reply = give(data)
    assert reply.status == 422
    assert b"needs_package" in reply.body
    assert b"pip install" in reply.body


def test_every_kind_is_read_in_the_sandbox(tmp_path: Path) -> None:
    """By the real server: optional packages, fonts, and a program of its own for video."""
    pictures = tmp_path / "pics"
    pictures.mkdir()
    made = {kind: make() for kind, make in KINDS.items()}
    made |= {"mp4": film(tmp_path), "text.svg": drawing("<text y='20'>a</text>")}
    for name, data in made.items():
        (pictures / name).write_bytes(data)
    server = Server(tmp_path / "data", ("--source", f"pics={pictures}")).start()
    try:
        for name in made:
            answer = server.get(f"/img/pics/{name}?w=60&fm=png", headers={"accept": "text/html"})
            assert answer.status == 200, (name, answer.body)
            assert answer.headers["content-type"] == "image/png"
            assert "-h" in answer.headers["dynimo-engine"]
            assert "dynimo-step" not in answer.headers
            told = server.get(f"/info/pics/{name}")
            assert (told.status, told.json["width"] % 120) == (200, 0)
    finally:
        server.stop()


UNSAFE = {
    "script": "<script>alert(1)</script>",
    "script-in-a-namespace": "<x:script xmlns:x='http://www.w3.org/2000/svg'>alert(1)</x:script>",
    "handler": "<rect onclick='alert(1)' width='1' height='1'/>",
    "foreign": "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>a</body></foreignObject>",
    "link": "<a xlink:href='javascript:alert(1)'><rect width='1' height='1'/></a>",
    "animated-link": "<a><animate attributeName='href' values='javascript:alert(1)'/></a>",
    "set": "<set attributeName='onmouseover' to='alert(1)'/>",
    "image": "<image href='http://127.0.0.1:1/alert.png' width='9' height='9'/>",
    "file": "<image xlink:href='file:///etc/alert' width='9' height='9'/>",
    "use": "<use href='alert.svg#a'/>",
    "svg-in-data": "<image href='data:image/svg+xml;base64,alert' width='9' height='9'/>",
    "style": "<style>@import 'alert.css';</style>",
    "style-url": "<style>rect { fill: url(http://alert/) }</style>",
    "style-escape": "<style>rect { fill: u\\72l(http://alert/) }</style>",
    "style-attribute": "<rect style='fill:url(http://alert/)' width='1' height='1'/>",
    "attribute-url": "<rect filter='url(alert.svg#a)' width='1' height='1'/>",
    "base": "<g xml:base='http://alert/'><rect width='1' height='1'/></g>",
}


@pytest.mark.parametrize("name", UNSAFE)
def test_drawings_lose_what_they_could_run_or_load(give: Make, name: str) -> None:
    """In the original too; the shapes stay."""
    reply = give(drawing(UNSAFE[name]), fm="original")
    headers = dict(reply.headers)
    assert reply.status == 200, reply.body
    assert headers["content-type"] == "image/svg+xml"
    assert "sandbox" in headers["content-security-policy"]
    assert b"alert" not in reply.body.lower()
    assert reply.body.count(b"<rect") >= 2
    assert give(drawing(UNSAFE[name])).status == 200


def test_drawings_keep_what_is_theirs(give: Make, look: Look) -> None:
    """Gradients, references within, style and pictures stay; cleaned again, nothing changes."""
    picture = base64.b64encode(saved("PNG", Image.new("RGB", (9, 9), (0, 200, 0)))).decode()
    inside = (
        "<defs><linearGradient id='g'><stop stop-color='#0c0'/></linearGradient></defs>"
        "<style>.a { fill: url(#g) }</style><rect class='a' width='120' height='20'/>"
        f"<image href='data:image/png;base64,{picture}' y='60' width='20' height='20'/>"
        "<text>a &amp; b &lt; c</text><use href='#g'/>"
    )
    image = look(give(drawing(inside))).convert("RGB")
    for at in ((60, 10), (10, 70)):
        red, green, blue = image.getpixel(at)  # type: ignore[misc]
        assert green > 150 > 60 > max(red, blue)
    once = cleaning.clean(drawing(inside), lambda _: True)
    assert cleaning.clean(once, lambda _: True) == once
    assert b"a &amp; b &lt; c" in once


LAUGHS = "".join(
    f"<g id='l{n}'>" + f"<use href='#l{n - 1}'/>" * 10 + "</g>" if n else "<g id='l0'><path/></g>"
    for n in range(9)
)
HOSTILE = {
    "entities": b"<!DOCTYPE svg [<!ENTITY a 'ha'>]>" + drawing("&a;"),
    "external-entity": b"<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + drawing("&a;"),
    "nested": drawing("<g>" * 50_000),
    "nested-whole": drawing("<g>" * 500 + "</g>" * 500),
    "elements": drawing("<g/>" * 200_000),
    "broken": drawing()[:-9],
    "zero": drawing(size="width='0' height='0'"),
    "bytes": drawing("<desc>" + "a" * (9 << 20) + "</desc>"),
    "latin": b"<?xml version='1.0' encoding='x-none'?>" + drawing(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_drawings_are_refused(give: Make, name: str) -> None:
    """422 with a reason, never a file of the machine."""
    reply = give(HOSTILE[name])
    assert reply.status == 422, (reply.status, reply.headers)


@pytest.mark.parametrize("side", ["1e9", "1e999", "-5", "NaN", "1e-9", "100%", "99999999px"])
def test_odd_sizes_of_drawings_end_within_bounds(give: Make, side: str) -> None:
    """A picture of the drawing's own box, or 422."""
    reply = give(drawing(size=f"width='{side}' height='{side}'"))
    assert reply.status in (200, 422)
    if reply.status == 200:
        with Image.open(io.BytesIO(reply.body)) as image:
            assert max(image.size) <= 8192


def test_references_to_references_are_counted(give: Make) -> None:
    """A billion uses of one path are refused before they are drawn; a circle draws nothing."""
    reply = give(drawing(LAUGHS + "<use href='#l8'/>"))
    assert reply.status == 422
    assert b"too_complex" in reply.body
    assert give(drawing("<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>")).status in (
        200, 422,
    )  # fmt: skip
    patterns = "".join(
        f"<pattern id='p{n}' width='1' height='1'>"
        + f"<rect width='9' height='9' fill='url(#p{n - 1})'/>" * 10 + "</pattern>"
        for n in range(9)
    )  # fmt: skip
    assert give(drawing(patterns + "<rect fill='url(#p8)'/>")).status == 422


def test_bombs_inside_drawings_are_left_out(give: Make) -> None:
    """A picture in a drawing is judged like any other."""
    bomb = bytearray(saved("PNG"))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    inside = f"<image href='data:image/png;base64,{base64.b64encode(bomb).decode()}' width='9'/>"
    reply = give(drawing(inside), fm="original")
    assert reply.status == 200
    assert b"base64" not in reply.body


def test_declared_sizes_are_judged_first(give: Make) -> None:
    """BMP, ICO, JPEG XL and PDF that claim to be huge are 422 before they are decoded."""
    bmp = bytearray(saved("BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    bits = 0 | (3 << 1) | ((60_000 - 1) << 3) | (1 << 33)
    jxl = b"\xff\x0a" + bits.to_bytes(10, "little")
    pdf = page().replace(b"120.0", b"99999").replace(b"80.0", b"9999")
    for data in (bytes(bmp), jxl, pdf):
        reply = give(data, w=50)
        assert reply.status == 422, data[:10]
        assert b"too_many_pixels" in reply.body or b"damaged" in reply.body


@pytest.mark.parametrize(
    "size", [(8, 8), (64, 64), (256, 128), (300, 200), (1000, 1), (3000, 2000)]
)
def test_the_size_of_a_jpeg_xl_is_read_from_its_first_bytes(size: tuple[int, int]) -> None:
    """As the encoder wrote it, bare or in boxes."""
    image = Image.new("RGB", size)
    assert jxl_header.size(saved("JXL", image, effort=1)) == size
    assert jxl_header.size(saved("JXL", image, effort=1, use_container=True)) == size


def test_what_libvips_quotes_of_a_file_is_read_whatever_it_is() -> None:
    """Its errors stay its errors, though they are no UTF-8."""
    for module in (pyvips, pyvips.error, pyvips.gvalue):
        assert module._to_string(pyvips.ffi.new("char[]", b"a\xa1b")) == "a\ufffdb"
    noted = pyvips.Image.black(1, 1).copy()
    noted.set_type(pyvips.GValue.gstr_type, "note", b"\xa1")
    assert noted.get("note") == "\ufffd"


def test_a_jpeg_that_ends_in_the_head_of_its_scan_is_refused(give: Make) -> None:
    """Wherever it is cut, and whatever length the scan's header tells of itself."""
    whole = saved("JPEG")
    at = whole.index(b"\xff\xda")
    for end in range(at, at + 16):
        for length in (b"", b"\0\2", b"\0\3"):
            cut = whole[:at] + b"\xff\xda" + length if length else whole[:end]
            assert give(cut).status == 422


def test_a_raw_file_without_a_picture_is_refused_by_name(give: Make) -> None:
    """422 no_preview."""
    reply = give(raw_file().replace(b"\xff\xd8\xff", b"\0\0\0"))
    assert reply.status == 422
    assert b"no_preview" in reply.body


SMALL = {kind: made() for kind, made in KINDS.items()}
TINY = limits.Limits(source_pixels=1_000_000)
RECIPE = recipes.canonical(
    source="s", path="p", engine="1", out=Output(fm="png"),
    ops=[geometry.Resize("fill", values.pixels(30), values.pixels(20), enlarge=True)],
)  # fmt: skip


def rendered_or_refused(data: bytes) -> None:
    try:
        made = render.render(data, RECIPE, TINY)
    except refusals.Refusal as refusal:
        assert refusal.status == 422
    else:
        assert (made.pixels.width, made.pixels.height) == (30, 20)


@given(st.sampled_from(sorted(SMALL)), st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_are_rendered_or_refused(kind: str, data: st.DataObject) -> None:
    """Any bytes changed anywhere, or cut off: a picture of the right size, or 422."""
    broken = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1) | st.integers(0, 100))
        broken[min(at, len(broken) - 1)] = data.draw(st.integers(0, 255))
    keep = data.draw(st.just(len(broken)) | st.integers(0, len(broken)))
    rendered_or_refused(bytes(broken[:keep]))


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"\xff\x0a", b"<svg", b""]))
@settings(max_examples=200)
def test_any_bytes_have_a_kind_or_none(data: bytes, start: bytes) -> None:
    """The pure readers give a value or a refusal."""
    for read in (sniff.kind, jxl_header.size, raw.preview, cleaning.clean):
        try:
            read(start + data)
        except refusals.Refusal as refusal:
            assert refusal.status == 422
