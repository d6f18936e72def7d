"""Colour: wide spaces, CMYK, 16 bits and gain maps, against LittleCMS as Pillow has it."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import generate
import limits
import recipe as recipes
import refusals
import render
from dynimo.sdk import http
from ops import effects, geometry, values
from ops.output import Output

Make = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
pillow_heif.register_heif_opener()
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
PATCHES = [
    (230, 30, 40), (40, 200, 60), (30, 60, 220), (240, 220, 50), (128, 128, 128), (250, 250, 250),
    (20, 20, 20), (180, 120, 90),
]  # fmt: skip
DELTA_E_MAX = 2.5
"""CIE76 between what comes out and what LittleCMS says: less than anybody sees."""


def profile_of(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """Write a matrix profile (ICC.1:2001, version 2) by its adapted primaries."""

    def xyz(values_: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(each * 65536) for each in values_))

    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 79
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = [
        (b"desc", text), (b"wtpt", xyz((0.9642, 1.0, 0.8249))), (b"cprt", b"text\0\0\0\0none\0"),
        *zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries), strict=True),
        *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ]  # fmt: skip
    at = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)  # noqa: PLW2901 - padded as it is written
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


P3 = profile_of(
    ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)), 2.2
)
WIDE = profile_of(
    ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)), 2.2
)


def chart(mode: str = "RGB") -> Image.Image:
    """Eight patches of 40 pixels side by side."""
    image = Image.new("RGB", (320, 40))
    for number, colour in enumerate(PATCHES):
        image.paste(colour, (40 * number, 0, 40 * number + 40, 40))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def lab(image: Image.Image) -> list[tuple[float, float, float]]:
    """Give the patches in Lab, as LittleCMS has them."""
    srgb = ImageCms.createProfile("sRGB")
    to_lab = ImageCms.buildTransform(srgb, ImageCms.createProfile("LAB"), "RGB", "LAB")
    seen = ImageCms.applyTransform(image.convert("RGB"), to_lab)
    assert seen is not None
    step = image.width // len(PATCHES)
    found = []
    for number in range(len(PATCHES)):
        lightness, a, b = seen.getpixel((step * number + step // 2, image.height // 2))  # type: ignore[misc]
        signed = [each - 256 if each > 127 else each for each in (a, b)]
        found.append((lightness / 2.55, float(signed[0]), float(signed[1])))
    return found


def assert_alike(image: Image.Image, wanted: Image.Image) -> None:
    for ours, theirs in zip(lab(image), lab(wanted), strict=True):
        assert float(np.linalg.norm(np.subtract(ours, theirs))) <= DELTA_E_MAX, (ours, theirs)


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert as LittleCMS does."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(
        image, source, ImageCms.createProfile("sRGB"), outputMode="RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    assert made is not None
    return made


@pytest.fixture
def give(folder: Path, make: Make) -> Make:
    def call(data: bytes, *, ops: Any = None, **wishes: Any) -> http.Reply:
        (folder / "a").write_bytes(data)
        made = recipes.canonical(
            source="pics", path="a", engine="1", out=Output(**{"fm": "png", **wishes}),
            ops=[geometry.Resize("inside", values.pixels(160))] if ops is None else ops,
        )  # fmt: skip
        return make(recipes.spell(made))

    return call


@pytest.mark.parametrize("profile", [P3, WIDE], ids=["p3", "wide"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_wide_colours_come_out_as_little_cms_says(
    give: Make, look: Look, kind: str, profile: bytes
) -> None:
    """In sRGB, whatever the source's format and whichever way it is decoded."""
    lossy = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"quality": 100}
    more: dict[str, Any] = {} if kind in ("PNG", "TIFF") else lossy
    data = saved(chart(), kind, icc_profile=profile, **more)
    for ops in (None, []):
        assert_alike(look(give(data, ops=ops)), to_srgb(chart(), profile))


@pytest.mark.parametrize("fm", ["jxl", "gif", "bmp"])
def test_formats_without_a_profile_are_srgb_in_any_case(give: Make, look: Look, fm: str) -> None:
    """Samples in another space, and nothing that says so, would be wrong colours."""
    data = saved(chart(), "PNG", icc_profile=P3)
    assert_alike(look(give(data, fm=fm, icc="keep", quality=95)), to_srgb(chart(), P3))


@pytest.mark.parametrize(
    ("kind", "wishes"),
    [("PNG", {}), ("PNG", {"depth": 16}), ("JPEG", {"depth": 16}), ("WEBP", {"frames": 0})],
)
def test_a_profile_that_nobody_can_use_is_no_profile(
    give: Make, look: Look, kind: str, wishes: dict[str, Any]
) -> None:
    """The samples are most likely sRGB; in 16 bits and in animations too."""
    still, broken = chart(), P3.replace(b"XYZ \0\0\0\0", b"none\0\0\0\0")
    more: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    if "frames" in wishes:
        more |= {"save_all": True, "append_images": [still.rotate(180)]}
    fm = "webp" if kind == "WEBP" else "png"
    made = [
        look(give(saved(still, kind, **more, **profile), fm=fm, **wishes))
        for profile in ({"icc_profile": broken}, {})
    ]
    assert_alike(*made)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_comes_out_as_its_profile_says(give: Make, look: Look, kind: str) -> None:
    """With the profile that is in the file; without one, as something to look at."""
    plain = pyvips.Image.new_from_memory(chart().tobytes(), 320, 40, 3, "uchar")
    inks = plain.copy(interpretation="srgb").icc_transform("cmyk", input_profile="srgb")
    profile = inks.get("icc-profile-data")
    data = inks.jpegsave_buffer(Q=100) if kind == "JPEG" else inks.tiffsave_buffer()
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == "CMYK"
        wanted = to_srgb(opened, profile)
    assert_alike(look(give(data)), wanted)
    bare = inks.jpegsave_buffer(keep="none")
    assert give(bare).status == 200
    kept = look(give(data, icc="keep", fm="jpg"))
    assert kept.mode == "RGB"


def gradient() -> pyvips.Image:
    """A grey ramp of 16 bits, 4096 wide, with more steps than 8 bits have."""
    rows = np.repeat((np.arange(4096, dtype=np.uint16) * 16)[None, :, None], 3, axis=2)
    ramp = np.ascontiguousarray(np.repeat(rows, 8, axis=0))
    return pyvips.Image.new_from_memory(ramp.data, 4096, 8, 3, "ushort").copy(
        interpretation="rgb16"
    )


def steps(body: bytes) -> tuple[int, str]:
    image = pyvips.Image.new_from_buffer(body, "")
    return len(np.unique(image.extract_band(0).numpy())), image.format


@pytest.mark.parametrize(("fm", "depth"), [("png", 16), ("tiff", 16), ("avif", 10), ("avif", 12)])
@pytest.mark.parametrize("source", ["pngsave_buffer", "tiffsave_buffer"])
def test_more_bits_stay_where_they_are_asked_for(
    give: Make, fm: str, depth: int, source: str
) -> None:
    """Through sizes, cuts and turns; in 8 bits else."""
    data = getattr(gradient(), source)()
    ops = [geometry.Resize("inside", values.pixels(2048)), geometry.Flip(x=True)]
    count, kind = steps(give(data, ops=ops, fm=fm, depth=depth, quality=95).body)
    assert (min(1 << depth, 1500) * 0.6 < count <= 1 << depth, kind) == (True, "ushort")
    count, kind = steps(give(data, ops=ops, fm=fm).body)
    assert (count <= 256, kind) == (True, "uchar")
    refused = give(data, ops=[*ops, effects.Blur(values.number("2") or 0)], fm=fm, depth=depth)
    assert refused.status == 422
    assert b"blur" in refused.body


def test_more_bits_have_a_largest_avif(give: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """422, with the limit's name: no other format stands in for what was asked for."""
    few = replace(generate._DEPLOYMENT, limits=limits.Limits(avif_pixels=1_000))
    monkeypatch.setattr(generate, "_DEPLOYMENT", few)
    ops = [geometry.Resize("inside", values.pixels(2048))]
    reply = give(gradient().pngsave_buffer(), ops=ops, fm="avif", depth=10)
    assert (reply.status, b"avif_pixels" in reply.body) == (422, True)


@pytest.mark.parametrize("depth", [10, 12])
def test_grey_keeps_its_bits_in_avif(give: Make, depth: int) -> None:
    """It becomes colour, since that is what the encoder writes, and stays fine."""
    data = gradient().extract_band(0).copy(interpretation="grey16").pngsave_buffer()
    ops = [geometry.Resize("inside", values.pixels(2048))]
    count, kind = steps(give(data, ops=ops, fm="avif", depth=depth, quality=95).body)
    assert (count > 600, kind) == (True, "ushort")


def test_sixteen_bits_of_eight_are_widened(give: Make, look: Look) -> None:
    """The same colours; a profile is honoured; alpha stays or lies on its background."""
    data = saved(chart(), "PNG", icc_profile=P3)
    wide = give(data, depth=16)
    assert steps(wide.body)[1] == "ushort"
    assert_alike(look(wide), to_srgb(chart(), P3))
    clear = saved(Image.new("RGBA", (160, 40), (255, 0, 0, 0)), "PNG")
    made = pyvips.Image.new_from_buffer(give(clear, depth=16).body, "")
    assert (made.bands, made.getpoint(3, 3)[3]) == (4, 0)
    flat = give(clear, depth=16, flat=True, bg=(0, 0, 255, 255)).body
    assert pyvips.Image.new_from_buffer(flat, "").getpoint(3, 3) == [0, 0, 65535]


@pytest.fixture(scope="module")
def bright() -> bytes:
    """An UltraHDR JPEG: the sample, four times as bright as a screen's white."""
    image = pyvips.Image.thumbnail(str(SAMPLE), 600)
    made: bytes = (
        (image.colourspace("scrgb") * 4).copy(interpretation="scrgb").uhdrsave_buffer(Q=90)
    )
    return made


def gain(body: bytes) -> tuple[int, int] | None:
    image = pyvips.Image.new_from_buffer(body, "")
    if "gainmap-data" not in image.get_fields():
        return None
    inside = pyvips.Image.new_from_buffer(image.get("gainmap-data"), "")
    return inside.width, inside.height


def test_a_gain_map_stays_where_it_is_asked_for(give: Make, look: Look, bright: bytes) -> None:
    """In JPEG whichever format is wanted, in the result's shape; without `hdr` it goes."""
    ops = [
        geometry.Resize("outside", values.pixels(200), values.pixels(200)),
        geometry.Cut(values.pixels(200), values.pixels(200)),
    ]
    for fm in ("jpg", "source", "avif"):
        kept = give(bright, ops=ops, fm=fm, hdr=True)
        assert kept.status == 200, kept.body
        assert dict(kept.headers)["content-type"] == "image/jpeg"
        assert gain(kept.body) == (200, 200)
        assert look(kept).size == (200, 200)
    assert gain(give(bright, ops=ops, fm="jpg").body) is None
    assert (
        give(bright, ops=ops, fm="jpg", hdr=True).body
        == give(bright, ops=ops, fm="jpg", hdr=True).body
    )
    assert gain(give(SAMPLE.read_bytes(), ops=ops, fm="jpg", hdr=True).body) is None


def test_a_gain_map_goes_through_shapes_only(give: Make, bright: bytes) -> None:
    """422 and the operation's name."""
    reply = give(bright, ops=[effects.Blur(values.number("2") or 0)], fm="jpg", hdr=True)
    assert reply.status == 422
    assert b"blur" in reply.body


RECIPES = [
    recipes.canonical(
        source="s", path="p", engine="1", out=out,
        ops=[geometry.Resize("fill", values.pixels(30), values.pixels(20), enlarge=True)],
    )
    for out in (
        Output(fm="png", depth=16), Output(fm="avif", depth=10), Output(fm="jpg", hdr=True),
        Output(fm="jpg", icc="keep", meta="all"), Output(fm="webp", meta="copyright"),
    )
]  # fmt: skip


@given(st.data())
@settings(deadline=None, max_examples=120)
def test_damaged_depths_and_profiles_are_rendered_or_refused(data: st.DataObject) -> None:
    """Profiles, EXIF and gain maps with any bytes changed: a picture or 422."""
    broken = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, min(len(broken) - 1, 2_000)))] = data.draw(
            st.integers(0, 255)
        )
    try:
        made = render.render(
            bytes(broken), data.draw(st.sampled_from(RECIPES)), limits.Limits(source_pixels=100_000)
        )
    except refusals.Refusal as refusal:
        assert refusal.status == 422
    else:
        assert (made.pixels.width, made.pixels.height) == (30, 20)


def _small() -> list[bytes]:
    image = Image.frombytes("RGB", (60, 40), random.Random(1).randbytes(60 * 40 * 3))
    exif = Image.Exif()
    exif[0x013B], exif[0x8298], exif[0x0112] = "A", "B" * 40, 6
    deep = gradient().crop(0, 0, 60, 8).pngsave_buffer()
    hdr = pyvips.Image.thumbnail(str(SAMPLE), 60).colourspace("scrgb") * 4
    return [
        saved(image, "JPEG", icc_profile=P3, exif=exif.tobytes()),
        saved(image, "PNG", icc_profile=P3, exif=exif.tobytes()),
        deep,
        hdr.copy(interpretation="scrgb").uhdrsave_buffer(Q=60),
    ]


SMALL = _small()
