"""Real pixels, judged by Pillow, which shares no code with libvips or simplejpeg."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from dynimo.sdk import http

Ask = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
RED, GREEN, BLUE, YELLOW = (220, 30, 40), (30, 160, 60), (40, 60, 200), (230, 210, 40)


def quarters(width: int = 120, height: int = 80) -> Image.Image:
    """Four coloured quarters, so that every turn and mirroring shows."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours in the middle of the four quarters, row by row."""
    rgb = image.convert("RGB")
    w, h = rgb.size
    spots = [(w // 4, h // 4), (3 * w // 4, h // 4), (w // 4, 3 * h // 4), (3 * w // 4, 3 * h // 4)]
    return [rgb.getpixel(spot) for spot in spots]


def near(got: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 12) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(got, wanted, strict=True))


def assert_corners(image: Image.Image, wanted: list[tuple[int, ...]], tolerance: int = 12) -> None:
    got = corners(image)
    assert all(near(a, b, tolerance) for a, b in zip(got, wanted, strict=True)), (got, wanted)


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a description that must not survive"
    return exif


UPRIGHT = {
    # EXIF orientation → the four quarters (row by row) that a viewer sees of R G / B Y.
    1: [RED, GREEN, BLUE, YELLOW],
    2: [GREEN, RED, YELLOW, BLUE],
    3: [YELLOW, BLUE, GREEN, RED],
    4: [BLUE, YELLOW, RED, GREEN],
    5: [RED, BLUE, GREEN, YELLOW],
    6: [BLUE, RED, YELLOW, GREEN],
    7: [YELLOW, GREEN, BLUE, RED],
    8: [GREEN, YELLOW, RED, BLUE],
}


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(
    folder: Path, ask: Ask, look: Look, kind: str, orientation: int
) -> None:
    """The picture is upright, sized upright, and says nothing of orientation any more."""
    name = f"o.{kind}"
    quarters().save(folder / name, exif=with_orientation(orientation))
    image = look(ask(f"pics/{name}", "w=60&fm=png"))
    assert image.size == ((60, 40) if orientation < 5 else (60, 90))
    assert_corners(image, UPRIGHT[orientation])


@pytest.mark.parametrize("fm", ["jpg", "png", "webp", "avif"])
def test_metadata_is_stripped(folder: Path, ask: Ask, look: Look, fm: str) -> None:
    """No EXIF and no colour profile is in the answer."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    quarters().save(folder / "m.jpg", exif=with_orientation(1), icc_profile=srgb)
    reply = ask("pics/m.jpg", f"w=60&fm={fm}")
    image = look(reply)
    assert not image.getexif()
    assert "icc_profile" not in image.info
    assert b"description" not in reply.body


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (120, 80)),
        ("w=60", (60, 40)),
        ("h=20", (30, 20)),
        ("w=60&h=10", (15, 10)),
        ("w=500", (120, 80)),
        ("w=500&h=500", (120, 80)),
        ("w=60&h=60&fit=cover", (60, 60)),
        ("w=60&h=60&fit=contain", (60, 60)),
        ("w=60&h=60&fit=fill", (60, 60)),
        ("w=240&h=240&fit=cover", (240, 240)),
        ("w=240&h=240&fit=fill", (240, 240)),
        ("w=30&dpr=2", (60, 40)),
        ("w=1&h=1", (1, 1)),
        ("w=7&h=200&fit=cover", (7, 200)),
    ],
)
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_sizes_are_the_same_on_both_decoding_paths(
    folder: Path, ask: Ask, look: Look, kind: str, query: str, size: tuple[int, int]
) -> None:
    """A JPEG (fast path) and a PNG (libvips) of one picture give one size."""
    quarters().save(folder / f"s.{kind}")
    assert look(ask(f"pics/s.{kind}", query)).size == size


def test_cover_keeps_the_middle(folder: Path, ask: Ask, look: Look) -> None:
    """What cover cuts away, it cuts evenly at both ends."""
    stripes = Image.new("RGB", (300, 100), RED)
    stripes.paste(GREEN, (100, 0, 200, 100))
    stripes.paste(BLUE, (200, 0, 300, 100))
    stripes.save(folder / "c.png")
    image = look(ask("pics/c.png", "w=50&h=50&fit=cover&fm=png")).convert("RGB")
    assert near(image.getpixel((3, 25)), GREEN)
    assert near(image.getpixel((46, 25)), GREEN)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_contain_pads_evenly_with_the_background(
    folder: Path, ask: Ask, look: Look, kind: str
) -> None:
    """The picture lies in the middle of the colour asked for."""
    Image.new("RGB", (100, 50), BLUE).save(folder / f"c.{kind}")
    reply = ask(f"pics/c.{kind}", "w=100&h=100&fit=contain&bg=ff8000&fm=png")
    image = look(reply).convert("RGB")
    assert near(image.getpixel((50, 10)), (255, 128, 0), 2)
    assert near(image.getpixel((50, 90)), (255, 128, 0), 2)
    assert near(image.getpixel((50, 26)), BLUE)
    assert near(image.getpixel((50, 73)), BLUE)


def test_contain_may_pad_with_nothing(folder: Path, ask: Ask, look: Look) -> None:
    """A transparent background stays transparent where the format has alpha."""
    quarters(100, 50).save(folder / "c.jpg")
    image = look(ask("pics/c.jpg", "w=100&h=100&fit=contain&bg=transparent&fm=webp"))
    assert image.mode == "RGBA"
    assert image.getpixel((50, 5))[3] == 0
    assert image.getpixel((50, 50))[3] == 255


@pytest.fixture
def half_clear(folder: Path) -> str:
    """A PNG that is red on the left and see-through on the right."""
    image = Image.new("RGBA", (100, 60), (*RED, 255))
    image.paste((0, 0, 255, 0), (50, 0, 100, 60))
    image.save(folder / "alpha.png")
    return "pics/alpha.png"


@pytest.mark.parametrize("fm", ["png", "webp", "avif"])
def test_alpha_is_kept_where_the_format_can(ask: Ask, look: Look, half_clear: str, fm: str) -> None:
    """Formats with alpha keep it, whatever bg says."""
    image = look(ask(half_clear, f"w=50&fm={fm}&bg=00ff00")).convert("RGBA")
    assert near(image.getpixel((10, 15)), (*RED, 255), 14)
    assert image.getpixel((40, 15))[3] <= 3


@pytest.mark.parametrize(("bg", "seen"), [("", (255, 255, 255)), ("&bg=00ff00", (0, 255, 0))])
def test_alpha_is_flattened_where_the_format_cannot(
    ask: Ask, look: Look, half_clear: str, bg: str, seen: tuple[int, int, int]
) -> None:
    """JPEG shows the background, white unless asked otherwise."""
    image = look(ask(half_clear, f"w=50&fm=jpg{bg}"))
    assert image.mode == "RGB"
    assert near(image.getpixel((40, 15)), seen)
    assert near(image.getpixel((10, 15)), RED)


@pytest.mark.parametrize(
    ("kind", "mode", "fm"),
    [
        ("jpg", "RGB", "JPEG"),
        ("png", "RGBA", "PNG"),
        ("gif", "RGB", "PNG"),
        ("webp", "RGB", "JPEG"),
        ("webp", "RGBA", "PNG"),
        ("tiff", "RGB", "JPEG"),
        ("avif", "RGB", "JPEG"),
    ],
)
def test_without_wishes_the_sources_kind_is_kept(
    folder: Path, ask: Ask, look: Look, kind: str, mode: str, fm: str
) -> None:
    """Auto without AVIF or WebP in Accept: PNG for what is drawn or see-through, else JPEG."""
    source = quarters().convert(mode)
    if mode == "RGBA":
        source.putpixel((60, 40), (0, 0, 0, 0))
    source.save(folder / f"k.{kind}")
    image = look(ask(f"pics/k.{kind}", "w=60"))
    assert image.format == fm
    assert_corners(image, UPRIGHT[1], 30)


@pytest.mark.parametrize(
    ("accept", "fm"),
    [
        ("image/avif, image/webp", "AVIF"),
        ("image/webp", "WEBP"),
        ("image/avif;q=0.1, image/webp", "WEBP"),
        ("image/jpeg", "JPEG"),
    ],
)
def test_auto_follows_accept(folder: Path, ask: Ask, look: Look, accept: str, fm: str) -> None:
    """The format is the client's choice by weight."""
    quarters().save(folder / "a.jpg")
    image = look(ask("pics/a.jpg", "w=60&fm=auto", accept=accept))
    assert image.format == fm
    assert_corners(image, UPRIGHT[1], 16)


def display_like() -> bytes:
    """An RGB profile far from sRGB, made of sRGB by swapping its red and green primaries."""
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[:] = icc.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    return bytes(icc.replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be")))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
def test_colour_profiles_are_converted_to_srgb(
    folder: Path, ask: Ask, look: Look, kind: str
) -> None:
    """The colours are those that a colour-managed viewer would show of the source."""
    source, profile = quarters(), display_like()
    source.save(folder / f"p.{kind}", icc_profile=profile, quality=95)
    wanted = ImageCms.profileToProfile(
        source, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    assert wanted is not None
    assert not near(corners(wanted)[0], RED, 60)
    assert_corners(look(ask(f"pics/p.{kind}", "w=60&fm=png")), corners(wanted))


def test_an_unusable_profile_is_ignored(folder: Path, ask: Ask, look: Look) -> None:
    """Garbage in place of a profile does not cost the picture."""
    quarters().save(folder / "p.jpg", icc_profile=b"garbage" * 40)
    assert_corners(look(ask("pics/p.jpg", "w=60&fm=png")), UPRIGHT[1])


@pytest.mark.parametrize("kind", ["jpg", "tiff"])
def test_cmyk_becomes_srgb(folder: Path, ask: Ask, look: Look, kind: str) -> None:
    """Pictures for print are shown in about their colours, not inverted."""
    quarters().convert("CMYK").save(folder / f"c.{kind}")
    image = look(ask(f"pics/c.{kind}", "w=60"))
    assert image.mode == "RGB"
    assert_corners(image, UPRIGHT[1], 80)


@pytest.mark.parametrize("fm", ["jpg", "png", "webp", "avif"])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_grey_pictures(folder: Path, ask: Ask, look: Look, kind: str, fm: str) -> None:
    """Grey sources give the same greys in every format."""
    ramp = np.tile(np.linspace(0, 255, 128, dtype=np.uint8), (64, 1))
    Image.fromarray(ramp).save(folder / f"g.{kind}")
    image = look(ask(f"pics/g.{kind}", f"w=64&fm={fm}")).convert("RGB")
    for x in (8, 32, 56):
        assert near(image.getpixel((x, 16)), (x * 4 + 1,) * 3, 8)


def test_grey_is_padded_in_colour(folder: Path, ask: Ask, look: Look) -> None:
    """A grey picture on a coloured background becomes a colour picture."""
    Image.new("L", (40, 20), 90).save(folder / "g.jpg")
    image = look(ask("pics/g.jpg", "w=40&h=40&fit=contain&bg=f00&fm=jpg"))
    assert near(image.getpixel((20, 3)), (255, 0, 0))
    assert near(image.getpixel((20, 20)), (90, 90, 90))


def test_sixteen_bits_become_eight(folder: Path, ask: Ask, look: Look) -> None:
    """A 16-bit PNG gives an 8-bit picture of the same brightness."""
    ramp = np.tile(np.linspace(0, 65535, 128).astype(np.uint16), (64, 1))
    Image.fromarray(ramp).save(folder / "deep.png")
    image = look(ask("pics/deep.png", "w=64&fm=png"))
    assert image.mode in ("L", "RGB")
    assert near(image.convert("RGB").getpixel((32, 16)), (129,) * 3, 4)


def test_palette_pictures(folder: Path, ask: Ask, look: Look) -> None:
    """Indexed colours are looked up before scaling."""
    quarters().convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "p.png")
    assert_corners(look(ask("pics/p.png", "w=60&fm=jpg")), UPRIGHT[1])


def test_the_first_frame_of_a_gif(folder: Path, ask: Ask, look: Look) -> None:
    """An animation gives its first frame."""
    first, second = quarters(), Image.new("RGB", (120, 80), BLUE)
    first.save(folder / "a.gif", save_all=True, append_images=[second])
    assert_corners(look(ask("pics/a.gif", "w=60&fm=png")), UPRIGHT[1], 30)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("width", [100, 320, 512, 1000, 1920, 2560])
def test_a_photograph_matches_pillow(
    folder: Path, ask: Ask, look: Look, width: int, *, progressive: bool
) -> None:
    """Scaled in the DCT and then by libvips, it is what Pillow makes of all its pixels."""
    with Image.open(SAMPLE) as opened:
        source = opened.convert("RGB")
    source.save(folder / "b.jpg", quality=92, progressive=progressive)
    image = look(ask("pics/b.jpg", f"w={width}&fm=png"))
    height = (2 * source.height * width + source.width) // (2 * source.width)
    assert image.size == (width, height)
    wanted = source.resize((width, height), Image.Resampling.LANCZOS)
    got, expected = (np.asarray(one, dtype=np.float32) for one in (image.convert("RGB"), wanted))
    assert np.abs(got - expected).mean() < 3


def test_quality_changes_the_size(folder: Path, ask: Ask) -> None:
    """Less quality is fewer bytes, in each format that has it."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    for fm in ("jpg", "webp", "avif"):
        small, large = (len(ask("pics/b.jpg", f"w=300&fm={fm}&q={q}").body) for q in (30, 90))
        assert small < large


def test_one_recipe_gives_one_sequence_of_bytes(folder: Path, ask: Ask) -> None:
    """The same recipe and source give the same bytes again."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    for fm in ("jpg", "webp", "avif", "png"):
        one, other = (ask("pics/b.jpg", f"w=200&fm={fm}").body for _ in range(2))
        assert one == other


def test_the_bundled_sample_is_large_enough() -> None:
    """The first picture that a stranger sees."""
    with Image.open(SAMPLE) as sample:
        assert max(sample.size) >= 1500
    assert SAMPLE.stat().st_size <= 700_000
