"""Geometry on pixels, judged by Pillow; and every operation on every kind of source."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageFilter, ImageOps

import limits
import refusals
import render
import shapes
from ops import effects, geometry, values
from ops.base import Op, Text
from ops.output import Output
from pixels import table
from pixels.canvas import Canvas
from recipe import canonical
from worked import MODES, SCENE, away, canvas, number, part, px, work

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), (255, 255, 255, 0)
LIMITS = limits.Limits()


@pytest.fixture(scope="module")
def soft(photo: Image.Image) -> Image.Image:
    """Give it without fine lines, so that half a pixel is no large difference."""
    return photo.filter(ImageFilter.GaussianBlur(2))


def whole(data: bytes, *ops: Op) -> Image.Image:
    """Do the whole way from a file's bytes to pixels."""
    recipe = canonical(source="s", path="p", engine="1", ops=ops, out=Output(fm="png"))
    pixels = render.render(data, recipe, LIMITS).pixels
    size = pixels.width, pixels.height
    return Image.frombytes(MODES[pixels.bands], size, bytes(pixels.data))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def framed(mode: str = "RGB", ground: object = "white") -> Image.Image:
    """Give a picture with borders of 10, 20, 30 and 40 pixels: left, top, right, bottom."""
    image = Image.new(mode, (140, 160), ground)  # type: ignore[arg-type]
    image.paste(Image.new(mode, (100, 100), "navy" if mode != "L" else 40), (10, 20))
    return image


@pytest.mark.parametrize("size", [(161, 121), (320, 240), (640, 300), (160, 500)])
def test_enlarging_is_pillows_bicubic(photo: Image.Image, size: shapes.Size) -> None:
    """Middle upon middle: nothing is shifted."""
    op = geometry.Resize("fill", px(size[0]), px(size[1]), enlarge=True)
    wanted = photo.resize(size, Image.Resampling.BICUBIC)
    assert away(work(photo, op), wanted) < 0.3
    assert away(whole(saved(photo, "png"), op), wanted) < 0.3
    jpeg = saved(photo, "jpeg", quality=95)
    with Image.open(io.BytesIO(jpeg)) as opened:
        wanted = opened.resize(size, Image.Resampling.BICUBIC)
    assert away(whole(jpeg, op), wanted) < 0.6


def test_clear_pixels_do_not_bleed_into_scaled_ones() -> None:
    """Neither smaller nor larger; alpha 255 stays 255."""
    image = Image.new("RGBA", (40, 40), (0, 0, 255, 0))
    image.paste(RED, (20, 0, 40, 40))
    for side in (13, 99):
        got = np.asarray(work(image, geometry.Resize("fill", px(side), px(side), enlarge=True)))
        seen = got[got[..., 3] > 3]
        assert (seen[:, 0] > 230).all()
        assert (seen[:, 2] < 25).all()
        assert (got[:, -2, 3] == 255).all()


@pytest.mark.parametrize("degrees", [0.5, 30, 45, 100, 200.25, 359])
def test_any_angle_is_pillows_turn(soft: Image.Image, degrees: float) -> None:
    """Clockwise, on a canvas that holds all of it; what is around is clear."""
    photo = soft
    got = work(photo, geometry.Rotate(number(degrees)))
    assert got.size == shapes.turned(photo.size, number(degrees))
    source = photo.copy()
    source.putalpha(255)
    wanted = source.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    assert max(abs(a - b) for a, b in zip(got.size, wanted.size, strict=True)) <= 2
    inner = 60
    boxes = [
        ((w - inner) // 2, (h - inner) // 2, (w + inner) // 2, (h + inner) // 2)
        for w, h in (got.size, wanted.size)
    ]
    # Half a pixel apart where one canvas is odd and the other even.
    assert away(got.crop(boxes[0]), wanted.crop(boxes[1])) < 4.5
    if degrees in (30, 45, 100, 200.25):
        assert got.getpixel((0, 0))[3] == 0
    assert got.getpixel((got.width // 2, got.height // 2))[3] == 255


def test_turning_there_and_back_changes_little(soft: Image.Image) -> None:
    """The middle comes back to its place."""
    photo = soft
    got = work(photo, geometry.Rotate(number(30)), geometry.Rotate(number(330))).convert("RGB")
    x, y = (got.width - 160) // 2, (got.height - 120) // 2
    assert away(got.crop((x + 8, y + 8, x + 152, y + 112)), photo.crop((8, 8, 152, 112))) < 4.5


def test_what_is_around_a_turned_picture_may_be_coloured(photo: Image.Image) -> None:
    """Opaque then, without alpha."""
    got = work(photo, geometry.Rotate(number(45), RED))
    assert got.mode == "RGB"
    assert got.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarters_are_exact(photo: Image.Image, quarters: int) -> None:
    """No sample changes."""
    turn = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)
    wanted = photo.transpose(turn[quarters - 1])
    assert away(work(photo, geometry.Rotate(number(90 * quarters))), wanted) == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_trim_takes_off_the_colour_of_the_corner(mode: str) -> None:
    """All four borders, of any width, exactly."""
    got = work(framed(mode, "white" if mode != "RGBA" else CLEAR), geometry.Trim())
    assert got.size == (100, 100)


def test_trim_by_the_other_corner_or_by_a_colour() -> None:
    """Where the borders differ."""
    image = framed()
    image.paste((0, 200, 0), (0, 0, 140, 20))
    assert work(image, geometry.Trim()).size == (140, 140)
    assert work(image, geometry.Trim(corner="bottom-right")).size == (140, 120)
    green = geometry.Trim(given=True, colour=(0, 200, 0, 255))
    assert work(image, green).size == (140, 140)
    assert work(image, geometry.Trim(given=True)).size == (140, 120)


def test_trim_cuts_as_much_on_both_sides() -> None:
    """The smaller of the two borders."""
    assert work(framed(), geometry.Trim(equal_x=True)).size == (120, 100)
    assert work(framed(), geometry.Trim(equal_y=True)).size == (100, 120)


@pytest.mark.parametrize(("threshold", "size"), [(42, (40, 20)), (44, (20, 20))])
def test_the_threshold_is_a_euclidean_distance(threshold: int, size: shapes.Size) -> None:
    """(25, 25, 25) away is 43.3."""
    image = Image.new("RGB", (60, 20), (100, 100, 100))
    image.paste((125, 125, 125), (10, 0, 50, 20))
    image.paste((255, 255, 255), (20, 0, 40, 20))
    assert work(image, geometry.Trim(number(threshold))).size == size


def test_what_is_all_border_stays() -> None:
    """There is no picture without pixels."""
    for mode in ("RGB", "L", "RGBA"):
        assert work(Image.new(mode, (9, 5)), geometry.Trim()).size == (9, 5)


def test_clear_borders_are_alike_however_they_are_coloured() -> None:
    """Nobody sees the colour of what is clear; black on it is seen."""
    image = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    image.paste((255, 255, 255, 0), (0, 0, 25, 50))
    image.paste((0, 0, 0, 255), (10, 10, 30, 40))
    assert work(image, geometry.Trim()).size == (20, 30)


@pytest.mark.parametrize("fill", ["colour", "auto", "blur"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_an_extended_picture_is_on_its_canvas(
    photo: Image.Image, mode: str, fill: geometry.Extend | str
) -> None:
    """Untouched, at its place; the rest is filled."""
    source = photo.convert(mode)
    op = geometry.Extend(px(200), px(180), values.Gravity("soea"), RED, fill=fill)  # type: ignore[arg-type]
    got = work(source, op)
    assert got.size == (200, 180)
    inside = got.crop((40, 60, 200, 180))
    assert away(inside.convert("RGB"), source.convert("RGB")) <= 0.5
    corner = got.convert("RGB").getpixel((0, 0))
    if fill == "colour":
        assert corner == (255, 0, 0)
    if fill == "auto":
        average = np.asarray(source.convert("RGB"), dtype=np.float64).mean(axis=(0, 1))
        assert np.abs(np.asarray(corner) - average).max() <= 1


def test_grey_stays_grey_on_a_grey_canvas(photo: Image.Image) -> None:
    """And becomes coloured on another."""
    grey = photo.convert("L")
    for bg, mode in (((9, 9, 9, 255), "L"), (RED, "RGB"), (CLEAR, "RGBA")):
        assert work(grey, geometry.Pad(px(1), px(2), px(3), px(4), bg)).mode == mode
    assert work(grey, geometry.Extend(px(200), px(200), fill="auto")).mode == "L"


def test_extending_by_ratio_adds_on_one_side_only(photo: Image.Image) -> None:
    """The smallest canvas of that shape."""
    assert work(photo, geometry.Extend(px(1), px(1), ratio=True)).size == (160, 160)
    assert work(photo, geometry.Extend(px(2), px(1), ratio=True)).size == (240, 120)


@pytest.mark.parametrize(
    ("op", "size"),
    [
        (geometry.Resize("auto", px(80), px(40)), (80, 60)),
        (geometry.Resize("auto", px(40), px(80)), (40, 30)),
        (geometry.Resize("auto", px(50), px(50)), (67, 50)),
        (geometry.Resize("inside", px(40), px(80), swap=True), (53, 40)),
        (geometry.Resize("outside", px(40), px(80), swap=True), (80, 60)),
        (geometry.Resize("inside", px(20), px(20), least_w=60), (60, 45)),
        (geometry.Resize("inside", px(20), px(20), least_h=60), (80, 60)),
        (geometry.Resize("inside", px(200), px(200), least_w=320), (320, 240)),
        (geometry.Resize("fill", part(0.5), part(0.25)), (80, 30)),
    ],
    ids=str,
)
def test_resizes_have_the_size_they_should(
    photo: Image.Image, op: geometry.Resize, size: shapes.Size
) -> None:
    """``auto`` covers where both lie or stand; ``swap`` turns the box; ``least`` grows."""
    assert work(photo, op).size == size


def test_a_square_has_no_other_side_to_swap() -> None:
    """A square picture leaves the box as it is said."""
    square = Image.new("RGB", (100, 100))
    assert work(square, geometry.Resize("fill", px(40), px(20), swap=True)).size == (40, 20)
    assert work(square, geometry.Extend(px(200), px(150), swap=True)).size == (200, 150)


def test_a_cut_has_at_least_a_pixel() -> None:
    """However much smaller the picture is than a dpr-th of the box."""
    op = geometry.Cut(px(1), px(60_000), ratio=True, dpr=number(3))
    assert shapes.cut((1, 1), op) == (1, 1)


def test_a_cut_larger_than_the_picture_keeps_its_ratio_if_asked(photo: Image.Image) -> None:
    """Else it is what there is."""
    assert work(photo, geometry.Cut(px(300), px(300))).size == (160, 120)
    assert work(photo, geometry.Cut(px(300), px(300), ratio=True)).size == (120, 120)
    assert work(photo, geometry.Cut(px(50), px(300), ratio=True)).size == (20, 120)


CROPS = [(0, 0, 40, 30), (500, 300, 300, 200), (799, 599, 1, 1), (13, 17, 701, 501)]


@pytest.mark.parametrize("box", CROPS)
def test_a_crop_of_what_is_decoded_smaller_is_the_same_part(box: shapes.Box) -> None:
    """Coordinates count real pixels, however few were decoded: within one of the result."""
    with Image.open(SAMPLE) as opened:
        source = opened.convert("RGB").resize((800, 600))
    x, y, w, h = box
    ops = [
        geometry.Crop(px(x), px(y), px(w), px(h)),
        geometry.Resize("fill", px(max(1, w // 6)), px(max(1, h // 6))),
    ]
    size = max(1, w // 6), max(1, h // 6)
    got = whole(saved(source, "jpeg", quality=95), *ops)
    wanted = source.crop((x, y, x + w, y + h)).resize(size, Image.Resampling.LANCZOS)
    assert got.size == size
    assert away(got, wanted) < 8


def test_an_operation_in_pixels_counts_those_of_the_real_picture() -> None:
    """A canvas decoded smaller is brought to its size first."""
    image = Image.new("RGB", (80, 60), "blue")
    small = Canvas(image=canvas(image.resize((40, 30))).image, size=image.size)
    for op in (effects.Border(px(20), RED), effects.Round(px(20)), effects.Shadow()):
        done = table.apply(small, [op], SCENE).image
        got = Image.frombytes(MODES[done.bands], (done.width, done.height), done.write_to_memory())
        assert away(got, work(image, op)) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_operations_see_the_picture_upright(photo: Image.Image, orientation: int) -> None:
    """As if it had been stored so: parts, turns and effects mean the same."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("png", "jpeg"):
        data = saved(photo, kind, exif=exif, **({"quality": 95} if kind == "jpeg" else {}))
        with Image.open(io.BytesIO(data)) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        ops = [
            geometry.Crop(part(0.1), part(0.2), part(0.5), part(0.6)),
            geometry.Flip(x=True),
            geometry.Rotate(number(90)),
            effects.Gradient(number(1), direction="right"),
        ]
        assert away(whole(data, *ops), work(upright, *ops)) < 1


def sixteen(bands: int) -> bytes:
    """Give a PNG of 16 bits a sample, which Pillow cannot write in colour."""
    ramp = np.linspace(0, 65535, 48 * 32 * bands).astype(np.uint16).reshape(32, 48, bands)
    image = pyvips.Image.new_from_memory(ramp.tobytes(), 48, 32, bands, "ushort")
    made: bytes = image.copy(interpretation="rgb16" if bands > 2 else "grey16").pngsave_buffer()
    return made


def sources() -> dict[str, bytes]:
    with Image.open(SAMPLE) as opened:
        small = opened.convert("RGB").resize((48, 32))
    clear = small.copy()
    clear.putalpha(Image.linear_gradient("L").resize(small.size))
    palette = small.quantize(16)
    tall = Image.linear_gradient("L").resize((1, 60_000))
    return {
        "jpeg": saved(small, "jpeg"),
        "grey jpeg": saved(small.convert("L"), "jpeg"),
        "cmyk jpeg": saved(small.convert("CMYK"), "jpeg"),
        "alpha png": saved(clear, "png"),
        "grey alpha png": saved(clear.convert("LA"), "png"),
        "palette png": saved(palette, "png", transparency=3),
        "one bit png": saved(small.convert("1"), "png"),
        "deep grey png": sixteen(1),
        "deep grey alpha png": sixteen(2),
        "deep png": sixteen(3),
        "deep alpha png": sixteen(4),
        "cmyk tiff": saved(small.convert("CMYK"), "tiff"),
        "alpha webp": saved(clear, "webp"),
        "gif": saved(palette, "gif", transparency=3),
        "1x1": saved(small.crop((0, 0, 1, 1)), "png"),
        "1x1 jpeg": saved(small.crop((0, 0, 1, 1)), "jpeg"),
        "1x60000": saved(tall, "png"),
        "60000x1": saved(tall.transpose(Image.Transpose.ROTATE_90), "jpeg"),
    }


SOURCES = sources()
EVERY: list[Op] = [
    geometry.Trim(), geometry.Crop(px(0), px(0), part(0.5), part(0.5)),
    geometry.Cut(px(10), px(10)), geometry.Shape(number(2)),
    geometry.Resize("inside", px(20), px(20)),
    geometry.Resize("fill", px(60), px(50), enlarge=True),
    geometry.Rotate(number(90)), geometry.Rotate(number(33)), geometry.Flip(x=True, y=True),
    geometry.Extend(px(60), px(60), fill="blur"), geometry.Extend(px(60), px(60), fill="auto"),
    geometry.Extend(px(60), px(60)), geometry.Pad(px(1), px(2), px(3), px(4), RED),
    geometry.Background(BLUE), effects.Blur(number(3)), effects.Blur(number(99)),
    effects.Sharpen(number(1)), effects.Unsharp(number(1)), effects.Pixelate(7),
    effects.Brightness(number(9)), effects.Contrast(number(9)), effects.Saturation(number(2)),
    effects.Hue(number(9)), effects.Gamma(number(2)),
    effects.Levels(number(1), number(2), number(3)), effects.Curve(all=Text("0 9 255 99")),
    effects.Grey(), effects.Bitonal(), effects.Invert(), effects.Equalise(),
    effects.Noise(number(9)), effects.Convolve(Text("1 2 1"), 3), effects.Monochrome(),
    effects.Duotone(), effects.Colourise(number(0.5)), effects.Tint(RED),
    effects.Gradient(number(0.5)), effects.Vignette(), effects.ProgressiveBlur(number(9)),
    effects.Region("blur", px(0), px(0), px(9), px(9), oval=True), effects.Round(px(5)),
    effects.Mask("heart"), effects.Border(px(2)), effects.Shadow(),
]  # fmt: skip


def test_every_operation_that_there_is_is_tried() -> None:
    """The list above has all that the table has, but layers and what finds faces."""
    others = {kind for kind in table.WORK if kind.__module__ not in ("ops.geometry", "ops.effects")}
    assert {type(op) for op in EVERY} == set(table.WORK) - others - {effects.Detections}


def in_pieces(name: str) -> list[list[Op]]:
    """Give every operation alone, or four after each other where only decoding is special."""
    step = 1 if name in ("jpeg", "alpha png", "grey jpeg") or name[0] in "16" else 4
    return [EVERY[at : at + step] for at in range(0, len(EVERY), step)]


@pytest.mark.parametrize("name", SOURCES)
def test_every_operation_works_on_every_source(name: str) -> None:
    """A picture of the size that was foretold, or a refusal that blames the request."""
    refused = 0
    with Image.open(io.BytesIO(SOURCES[name])) as opened:
        whole_size = opened.size
    for ops in in_pieces(name):
        size = whole_size
        try:
            got = whole(SOURCES[name], *ops)
        except refusals.Refusal as refusal:
            assert 400 <= refusal.status < 500, (ops, refusal.message)
            refused += 1
            continue
        for op in ops:
            size = shapes.after(size, op)
        assert got.size == size or isinstance(ops[0], geometry.Trim), ops
    assert refused == 0 or "60000" in name
