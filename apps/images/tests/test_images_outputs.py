"""What comes out: every format's own wishes, seen by Pillow. Recipes go straight to `generate`."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

import recipe as recipes
from dynimo.sdk import http
from ops import geometry, values
from ops.base import Text
from ops.output import Output

Make = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


@pytest.fixture
def give(folder: Path, make: Make) -> Make:
    """Make a picture of the sample, 120 pixels wide, or of other bytes, as an `Output` says."""

    def call(data: bytes | None = None, *, w: int | None = 120, **wishes: Any) -> http.Reply:
        (folder / "a").write_bytes(SAMPLE.read_bytes() if data is None else data)
        made = recipes.canonical(
            source="pics", path="a", engine="1", out=Output(**wishes),
            ops=[geometry.Resize("inside", values.pixels(w or 0))],
        )  # fmt: skip
        return make(recipes.spell(made))

    return call


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def clear() -> Image.Image:
    """A red picture, half of it transparent."""
    image = Image.new("RGBA", (240, 160), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 120, 160))
    return image


@pytest.mark.parametrize(
    ("fm", "kind"),
    [
        ("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("avif", "AVIF"), ("gif", "GIF"),
        ("tiff", "TIFF"),
    ],
)  # fmt: skip
def test_each_format_is_what_it_is_called(give: Make, look: Look, fm: str, kind: str) -> None:
    """The content type, the bytes and the size agree."""
    reply = give(fm=fm)
    image = look(reply)
    assert (image.format, image.size) == (kind, (120, 75))
    assert dict(reply.headers)["content-type"] == f"image/{kind.lower()}"


def test_a_palette_has_at_most_the_colours_asked_for(give: Make, look: Look) -> None:
    """Rounded down to a power of two."""
    for fm in ("png", "gif"):
        for asked, most in ((256, 256), (200, 128), (64, 64), (20, 16), (9, 8), (4, 4), (3, 2)):
            image = look(give(fm=fm, colours=asked, dpi=96))
            assert image.mode in ("P", "1", "L")
            count = len(image.convert("RGB").getcolors(1 << 20) or [])
            assert most // 2 < count <= most
            if fm == "png":
                assert image.info["dpi"] == pytest.approx((96, 96), abs=0.1)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("fm", ["png", "gif"])
def test_a_depth_below_a_byte_is_that_of_a_palette(
    give: Make, look: Look, fm: str, depth: int
) -> None:
    """It has the colours that so many bits tell apart, and PNG says the depth."""
    reply = give(fm=fm, depth=depth)
    count = len(look(reply).convert("RGB").getcolors(1 << 20) or [])
    assert 1 << depth >= count > 1 << depth - 1
    if fm == "png":
        assert reply.body[24] == depth


def test_a_palette_keeps_what_is_clear(give: Make, look: Look) -> None:
    """Alpha stays in PNG palettes and in GIF."""
    for fm in ("png", "gif"):
        image = look(give(saved(clear(), "PNG"), fm=fm, colours=16)).convert("RGBA")
        assert image.getpixel((5, 40))[3] == 0
        assert image.getpixel((110, 40)) == (255, 0, 0, 255)


def test_lossless_keeps_every_pixel(give: Make, look: Look) -> None:
    """WebP, and TIFF without a quality, have exactly PNG's pixels."""
    exact = look(give(fm="png")).tobytes()
    assert look(give(fm="webp", lossless=True)).tobytes() == exact
    assert look(give(fm="tiff")).tobytes() == exact
    assert look(give(fm="webp")).tobytes() != exact


def test_a_quality_makes_a_tiff_lossy(give: Make, look: Look) -> None:
    """Then it is packed as JPEG."""
    lossy, exact = give(fm="tiff", quality=60), give(fm="tiff")
    assert len(lossy.body) < len(exact.body) / 3
    assert look(lossy).info["compression"] == "jpeg"


def test_a_jpeg_is_progressive_on_request(give: Make, look: Look) -> None:
    """And only then."""
    assert "progressive" in look(give(fm="jpg", progressive=True)).info
    assert "progressive" not in look(give(fm="jpg")).info


def layers(reply: http.Reply, look: Look) -> list[tuple[int, int]]:
    return [(layer[1], layer[2]) for layer in look(reply).layer]  # type: ignore[attr-defined]


def test_chroma_says_whether_colour_loses_resolution(give: Make, look: Look) -> None:
    """By itself it does below a quality of 90."""
    full, half = [(1, 1)] * 3, [(2, 2), (1, 1), (1, 1)]
    assert layers(give(fm="jpg", quality=80), look) == half
    assert layers(give(fm="jpg", quality=90), look) == full
    assert layers(give(fm="jpg", quality=80, chroma="off"), look) == full
    assert layers(give(fm="jpg", quality=95, chroma="on"), look) == half


@pytest.mark.parametrize("fm", ["jpg", "png", "webp", "avif"])
def test_more_effort_gives_fewer_bytes(give: Make, fm: str) -> None:
    """Never more than the least effort."""
    assert len(give(fm=fm, effort=10).body) < len(give(fm=fm, effort=1).body)


@pytest.mark.parametrize("fm", ["jpg", "webp", "avif", "png", "gif"])
def test_bytes_max_lowers_the_quality_until_it_fits(give: Make, look: Look, fm: str) -> None:
    """For PNG and GIF the palette shrinks instead."""
    most = len(give(fm=fm).body) * 2 // 3
    fitting = give(fm=fm, bytes_max=most)
    assert len(fitting.body) <= most
    assert look(fitting).size == (120, 75)


def test_bytes_max_that_fits_already_changes_nothing(give: Make) -> None:
    """Nor does it cost a second encoding."""
    assert give(fm="jpg", bytes_max=1 << 20).body == give(fm="jpg").body


def test_bytes_max_that_cannot_be_met_gives_the_least_quality(give: Make, look: Look) -> None:
    """A picture of quality 10: a limit is a wish, and no reason to give nothing."""
    assert give(fm="jpg", bytes_max=1).body == give(fm="jpg", quality=10).body
    assert look(give(fm="png", bytes_max=1)).size == (120, 75)


def test_best_is_the_smallest_of_those_named(give: Make, look: Look) -> None:
    """By measured size; what would lose alpha does not count."""
    reply = give(fm="best", among="jpg.png.webp")
    assert len(reply.body) == min(len(give(fm=fm).body) for fm in ("jpg", "png", "webp"))
    flat = saved(clear(), "PNG")
    assert look(give(flat, fm="best", among="jpg.png")).format == "PNG"
    assert look(give(flat, fm="best")).mode == "RGBA"


def owned() -> bytes:
    """A JPEG with a place, a camera, an owner in more than ASCII, and lying on its side."""
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x8298] = "Camera", "A. Nobody", "(c) 2020 A. Nobody"
    exif[0x0112] = 6
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (51.0, 28.0, 40.0)
    with Image.open(SAMPLE) as image:
        return saved(image.resize((240, 160)), "JPEG", exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")


@pytest.mark.parametrize("fm", ["jpg", "png", "webp", "avif"])
def test_metadata_are_left_out_unless_asked_for(give: Make, look: Look, fm: str) -> None:
    """None of it by default; the owner's with `copyright`; all of it with `all`."""
    bare = look(give(owned(), fm=fm))
    assert not bare.getexif()
    assert not {"xmp", "XML:com.adobe.xmp"} & set(bare.info)
    owner = look(give(owned(), fm=fm, meta="copyright")).getexif()
    assert (owner[0x013B], owner[0x8298]) == ("A. Nobody", "(c) 2020 A. Nobody")
    assert 0x010F not in owner
    assert not owner.get_ifd(0x8825)
    everything = look(give(owned(), fm=fm, meta="all"))
    assert everything.getexif()[0x010F] == "Camera"
    assert everything.getexif().get_ifd(0x8825)[1] == "N"
    assert "<x:xmpmeta" in str(everything.info.get("xmp") or everything.info["XML:com.adobe.xmp"])


def test_kept_metadata_do_not_turn_the_picture_twice(give: Make, look: Look) -> None:
    """What is upright says so; what is left as it lies says how it lies."""
    upright = look(give(owned(), fm="jpg", meta="all", w=80))
    assert (upright.size, upright.getexif()[0x0112]) == ((80, 120), 1)
    lying = look(give(owned(), fm="jpg", meta="all", upright=False, w=120))
    assert (lying.size, lying.getexif()[0x0112]) == ((120, 80), 6)


def test_an_owner_in_any_script_stays(give: Make, look: Look) -> None:
    """Byte for byte, though EXIF knows only ASCII."""
    exif = Image.Exif()
    exif[0x8298] = "\xa9 J\xe4ne"  # Pillow writes it in Latin-1, or in UTF-8
    source = saved(Image.new("RGB", (90, 60)), "JPEG", exif=exif.tobytes())
    with Image.open(io.BytesIO(source)) as image:
        before = image.getexif()[0x8298]
    assert look(give(source, fm="jpg", meta="copyright")).getexif()[0x8298] == before


def test_dpi_is_written_into_the_file(give: Make, look: Look) -> None:
    """JPEG, PNG and TIFF have a place for it."""
    for fm in ("jpg", "png", "tiff"):
        assert look(give(fm=fm, dpi=300)).info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_the_file_has_the_name_asked_for(give: Make) -> None:
    """With the format's ending, in ASCII and in full; saved only where that is asked for."""
    named = dict(give(fm="png", name=Text("L\xe9a \u2013 poster.jpg")).headers)
    assert named["content-disposition"] == (
        'inline; filename="L_a _ poster.jpg.png"; '
        "filename*=UTF-8''L%C3%A9a%20%E2%80%93%20poster.jpg.png"
    )
    assert dict(give(fm="png", attach=True).headers)["content-disposition"] == "attachment"
    assert "content-disposition" not in dict(give(fm="png").headers)


def test_a_name_cannot_say_more_than_a_name(give: Make) -> None:
    """No folder, no quote, no new header."""
    named = dict(give(fm="png", name=Text('../a"b\r\nx: y.png'), attach=True).headers)
    assert named["content-disposition"] == 'attachment; filename="_a_bx: y.png"'


def test_original_is_the_source_untouched(give: Make) -> None:
    """Byte for byte, with the right type, whatever size is asked for."""
    reply = give(fm="original")
    assert reply.body == SAMPLE.read_bytes()
    headers = dict(reply.headers)
    assert (headers["content-type"], headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    assert give(b"<html><script>1</script>", fm="original").status == 422
    assert give(fm="svg").status == 422


def test_the_engine_is_named(give: Make) -> None:
    """So that one can tell which build made these bytes."""
    assert dict(give(fm="jpg").headers)["dynimo-engine"] == "1"


def test_a_still_is_neither_video_nor_drawing(give: Make) -> None:
    """422 and why, never 5xx."""
    for fm in ("mp4", "svg"):
        reply = give(fm=fm)
        assert reply.status == 422
        assert b"only a" in reply.body


@functools.cache  # a new profile has the time in it
def wide() -> bytes:
    """A JPEG with a profile that is not sRGB: LittleCMS' own linear-ish RGB from Lab primaries."""
    image = Image.new("RGB", (240, 160), (200, 60, 30))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Another name and swapped primaries: whoever ignores it shows other colours.
    changed = bytearray(profile)
    red, green = changed.index(b"rXYZ"), changed.index(b"gXYZ")
    changed[red : red + 4], changed[green : green + 4] = b"gXYZ", b"rXYZ"
    at = profile.find("sRGB".encode("utf-16-be"))
    changed[at : at + 8] = "Swap".encode("utf-16-be")
    return saved(image, "JPEG", quality=95, icc_profile=bytes(changed))


@pytest.mark.parametrize("fm", ["jpg", "png", "webp", "avif", "tiff"])
def test_a_colour_space_is_converted_or_kept(give: Make, look: Look, fm: str) -> None:
    """Converted to sRGB by default; with `keep` the samples and their profile stay."""
    converted = look(give(wide(), fm=fm, quality=95))
    assert "icc_profile" not in converted.info
    red, green, _ = converted.convert("RGB").getpixel((60, 40))  # type: ignore[misc]
    assert green > red  # the swapped primaries are honoured
    kept = look(give(wide(), fm=fm, quality=95, icc="keep"))
    with Image.open(io.BytesIO(wide())) as source:
        assert kept.info["icc_profile"] == source.info["icc_profile"]
    found = kept.convert("RGB").getpixel((60, 40))
    assert all(abs(a - b) <= 4 for a, b in zip(found, (200, 60, 30), strict=True))  # type: ignore[arg-type]
