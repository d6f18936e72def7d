"""Effects that look at neighbours, hold in a part, or change the outline; judged by Pillow."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter

import recipe
import refusals
import shapes
from ops import effects, values
from ops.base import Op, Text
from ops.output import Output
from pixels import sharpness
from worked import apart, away, number, part, px, work

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
RED = (255, 0, 0, 255)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1, 3, 6.5, 16, 16.5, 25, 60])
def test_blur_is_a_gaussian(photo: Image.Image, sigma: float) -> None:
    """On all pixels, and on squares of them where sigma is large: no step between the two."""
    exact = np.asarray(photo, dtype=np.float64)
    reach = int(4 * sigma) + 1
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        edges = [(reach, reach) if one == axis else (0, 0) for one in range(3)]
        padded, length = np.pad(exact, edges, mode="edge"), exact.shape[axis]
        exact = sum(
            weight * np.take(padded, range(at, at + length), axis=axis)
            for at, weight in enumerate(weights / weights.sum())
        )
    difference = np.abs(np.asarray(work(photo, effects.Blur(number(sigma)))) - exact)
    assert difference.mean() < 1
    assert difference.max() < 4


@given(st.decimals(0, 250, places=2), st.integers(0, 255))
def test_a_blur_leaves_flat_colours_exactly(sigma: Decimal, level: int) -> None:
    """White stays white, whatever the weights."""
    flat = Image.new("RGB", (9, 7), (level, 255, 0))
    assert work(flat, effects.Blur(sigma)).getcolors() == [(63, (level, 255, 0))]


def test_a_blur_keeps_the_mean_of_a_spot() -> None:
    """Nothing is lost or shifted: a white spot stays where it was, whatever sigma."""
    spot = Image.new("L", (241, 181))
    ImageDraw.Draw(spot).rectangle((110, 80, 130, 100), fill=255)
    for sigma in (2, 8, 20):
        got = np.asarray(work(spot, effects.Blur(number(sigma))), dtype=np.float64)
        ys, xs = np.indices(got.shape)
        assert (xs * got).sum() / got.sum() == pytest.approx(120, abs=0.5)
        assert (ys * got).sum() / got.sum() == pytest.approx(90, abs=0.5)
        assert got.sum() == pytest.approx(255 * 21 * 21, rel=0.12)


def test_clear_pixels_do_not_bleed() -> None:
    """What is under alpha 0 is no colour: beside it, red stays red."""
    image = Image.new("RGBA", (40, 20), (0, 0, 255, 0))
    image.paste(RED, (20, 0, 40, 20))
    for op in (effects.Blur(number(3)), effects.Pixelate(8)):
        for x in range(16, 40):
            red, _, blue, alpha = work(image, op).getpixel((x, 10))
            assert (255 - red + blue) * alpha / 255 < 6


@pytest.mark.parametrize("threshold", [0, 8])
def test_unsharp_is_pillows(photo: Image.Image, threshold: int) -> None:
    """The same formula, with our blur in it."""
    wanted = photo.filter(ImageFilter.UnsharpMask(2, 150, threshold))
    op = effects.Unsharp(number(2), number(1.5), number(threshold))
    assert away(work(photo, op), wanted) < 1.5


def test_sharpen_makes_edges_steeper(photo: Image.Image) -> None:
    """More of it, more so; colours stay."""
    soft = photo.filter(ImageFilter.GaussianBlur(1))

    def steepness(image: Image.Image) -> float:
        grey = np.asarray(image.convert("L"), dtype=np.float32)
        return float(np.abs(np.diff(grey, axis=1)).mean())

    found = [steepness(soft)]
    found += [steepness(work(soft, effects.Sharpen(number(1), number(m)))) for m in (2, 6)]
    assert found == sorted(found)
    assert found[2] > 1.1 * found[0]


def test_pixelate_makes_squares_of_their_average(photo: Image.Image) -> None:
    """Each whole square is what Pillow's box filter makes of it."""
    got = work(photo, effects.Pixelate(20))
    small = photo.resize((8, 6), Image.Resampling.BOX)
    assert apart(got, small.resize(photo.size, Image.Resampling.NEAREST)) <= 2


def test_pixelate_ends_with_what_is_left(photo: Image.Image) -> None:
    """A size that does not divide the sides, or is larger than both."""
    for size in (7, 50, 4096):
        got = work(photo, effects.Pixelate(size))
        assert got.size == photo.size
        edge = np.asarray(got)[: min(size, 120), : min(size, 160)]
        assert (edge == edge[0, 0]).all()


KERNELS = ["0 -1 0 -1 5 -1 0 -1 0", "1 2 1 2 4 2 1 2 1", "-1 0 1 -2 0 2 -1 0 1"]


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("kernel", KERNELS)
def test_convolve_is_pillows_kernel(photo: Image.Image, kernel: str, *, normalise: bool) -> None:
    """Not mirrored; divided by its sum where that is asked for and not 0."""
    numbers = [float(word) for word in kernel.split()]
    scale = sum(numbers) or 1.0 if normalise else 1.0
    wanted = photo.filter(ImageFilter.Kernel((3, 3), numbers, scale))
    got = work(photo, effects.Convolve(Text(kernel), 3, normalise))
    inner = (2, 2, photo.width - 2, photo.height - 2)
    assert apart(got.crop(inner), wanted.crop(inner)) <= 1


@given(st.text(max_size=60) | st.text("0123456789 .-e", max_size=60), st.integers(1, 15))
def test_any_text_is_a_matrix_or_refused(text: str, columns: int) -> None:
    """400, and nothing else."""
    try:
        assert all(len(row) == columns for row in sharpness.matrix(text, columns))
    except refusals.Refusal as refusal:
        assert refusal.status == 400


def test_noise_depends_on_its_seed_only(photo: Image.Image) -> None:
    """Equal bytes on every run; another seed, other noise."""
    one, again, other = (
        work(photo, effects.Noise(number(20), seed)).tobytes() for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_noise_is_as_strong_as_it_says() -> None:
    """As wide as thumbor's, which is even over ``percent`` samples; the mean stays, grey too."""
    flat = Image.new("RGB", (300, 200), (128, 128, 128))
    noisy = np.asarray(work(flat, effects.Noise(number(60))), dtype=np.float64)
    assert noisy.std() == pytest.approx(60 / 12**0.5, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.3)
    assert (noisy[..., 0] == noisy[..., 2]).all()


def test_a_growing_blur_grows(photo: Image.Image) -> None:
    """Nothing at its start, all of it at its end, in each direction."""
    blurred = work(photo, effects.Blur(number(8)))
    for direction, sharp, soft in (
        ("down", (0, 0, 160, 24), (0, 110, 160, 120)),
        ("left", (136, 0, 160, 120), (0, 0, 12, 120)),
    ):
        op = effects.ProgressiveBlur(number(8), direction, number(0.25), number(0.9))
        got = work(photo, op)
        assert apart(got.crop(sharp), photo.crop(sharp)) == 0
        assert apart(got.crop(soft), blurred.crop(soft)) <= 1


DIRECTIONS = {"down": (80, 118), "up": (80, 1), "right": (158, 60), "left": (1, 60)}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_gradient_grows_in_its_direction(direction: effects.Direction) -> None:
    """Strongest where it points to, nothing at the other end, half of it in the middle."""
    white = Image.new("RGB", (160, 120), "white")
    got = work(white, effects.Gradient(number(1), direction=direction))
    x, y = DIRECTIONS[direction]
    assert got.getpixel((x, y))[0] < 6
    assert got.getpixel((159 - x, 119 - y))[0] > 249
    assert got.getpixel((80, 60))[0] == pytest.approx(127, abs=3)


def test_a_gradient_turns_clockwise() -> None:
    """Down, a quarter on, is to the left; half of that is towards the bottom left."""
    white = Image.new("RGB", (100, 100), "white")
    left = work(white, effects.Gradient(number(1), direction="left"))
    assert apart(work(white, effects.Gradient(number(1), degrees=number(90))), left) <= 1
    slanted = work(white, effects.Gradient(number(1), degrees=number(45)))
    assert slanted.getpixel((1, 98))[0] < 8
    assert slanted.getpixel((98, 1))[0] > 247


def test_a_gradient_runs_between_start_and_stop() -> None:
    """Untouched before, ``amount`` after."""
    white = Image.new("L", (10, 100), 255)
    got = work(white, effects.Gradient(number(0.6), start=number(0.4), stop=number(0.6)))
    assert got.mode == "L"
    assert {got.getpixel((5, y)) for y in range(40)} == {255}
    assert {got.getpixel((5, y)) for y in range(60, 100)} == {102}


def test_a_vignette_darkens_corners_most() -> None:
    """The middle stays; edges get a quarter of what corners get."""
    white = Image.new("L", (201, 101), 255)
    got = work(white, effects.Vignette(number(0.8)))
    assert got.getpixel((100, 50)) == 255
    assert got.getpixel((0, 0)) == pytest.approx(255 * 0.2, abs=8)
    assert got.getpixel((0, 50)) == pytest.approx(255 * 0.8, abs=4)


def test_what_shades_keeps_alpha(clear: Image.Image) -> None:
    """A gradient or vignette does not darken what is clear."""
    for op in (effects.Gradient(number(1)), effects.Vignette(number(1))):
        assert apart(work(clear, op).getchannel("A"), clear.getchannel("A")) == 0


@pytest.mark.parametrize("how", ["blur", "pixelate", "colour"])
@pytest.mark.parametrize("oval", [False, True])
def test_a_region_changes_only_itself(photo: Image.Image, how: str, *, oval: bool) -> None:
    """Outside of it every pixel stays; inside hardly any."""
    op = effects.Region(how, px(40), part(0.25), px(60), part(0.5), number(9), RED, oval)  # type: ignore[arg-type]
    got = work(photo, op)
    difference = ImageChops.difference(got, photo).convert("L").point(lambda v: 255 * (v > 0))
    left, top, right, bottom = difference.getbbox()
    assert 40 <= left < right <= 100
    assert 30 <= top < bottom <= 90
    inner = np.asarray(difference.crop((60, 50, 80, 70)))
    assert (inner > 0).mean() > 0.8


def test_an_oval_is_pillows_ellipse(photo: Image.Image) -> None:
    """Within a pixel at its edge."""
    op = effects.Region("colour", px(40), px(30), px(60), px(40), colour=RED, oval=True)
    wanted = photo.copy()
    ImageDraw.Draw(wanted).ellipse((40, 30, 99, 69), fill=(255, 0, 0))
    assert away(work(photo, op), wanted) < 0.6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_what_is_painted_over_cannot_be_seen(mode: str, clear: Image.Image) -> None:
    """Opaque paint covers clear pixels too."""
    source = clear.convert(mode)
    got = work(source, effects.Region("colour", px(-50), px(-50), part(2), part(2), colour=RED))
    assert got.convert("RGBA").getcolors() == [(160 * 120, RED)]


def test_a_region_outside_changes_nothing(photo: Image.Image) -> None:
    """As does one without size."""
    for x, w in ((500, 10), (-20, 10), (5, 0)):
        op = effects.Region("colour", px(x), px(5), px(w), px(10))
        assert apart(work(photo, op), photo) == 0


def test_a_hidden_part_shows_nothing_around_it() -> None:
    """A blur of a part looks at the part alone."""
    image = Image.new("RGB", (60, 60), (255, 255, 255))
    image.paste((0, 0, 0), (20, 20, 40, 40))
    op = effects.Region("blur", px(20), px(20), px(20), px(20), number(50))
    assert apart(work(image, op), image) == 0


def test_round_corners_are_pillows() -> None:
    """Quarters of a circle, smooth, the rest untouched."""
    got = work(Image.new("RGB", (120, 80), (9, 99, 199)), effects.Round(px(20)))
    large = Image.new("L", (960, 640))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 959, 639), 160, fill=255)
    wanted = large.resize((120, 80), Image.Resampling.BOX)
    assert apart(got.getchannel("A"), wanted) <= 24
    assert away(got.getchannel("A"), wanted) < 0.1
    assert got.getpixel((60, 40)) == (9, 99, 199, 255)


def test_round_has_two_radii_and_a_ground() -> None:
    """Half of both sides is an ellipse; on a colour nothing is clear any more."""
    image = Image.new("RGB", (100, 50), (0, 0, 255))
    oval = work(image, effects.Round(part(0.5)))
    assert apart(oval, work(image, effects.Mask("ellipse"))) <= 1
    assert apart(work(image, effects.Round(px(900), px(900))), oval) == 0
    on_red = work(image, effects.Round(part(0.5), bg=RED))
    assert on_red.mode == "RGB"
    assert on_red.getpixel((0, 0)) == (255, 0, 0)
    assert on_red.getpixel((50, 25)) == (0, 0, 255)


# Shape → part of a picture of 200 x 100 that it covers: the areas are those of the forms.
AREAS = {
    "ellipse": 0.785, "circle": 0.393, "triangle": 0.289, "pentagon": 0.362, "hexagon": 0.433,
    "star": 0.171, "heart": 0.366,
}  # fmt: skip


@pytest.mark.parametrize("shape", AREAS)
def test_masks_cover_what_their_form_does(shape: str) -> None:
    """In the middle, as large as fits; its edges are smooth, the outside is clear."""
    got = work(Image.new("RGB", (200, 100), "blue"), effects.Mask(shape))  # type: ignore[arg-type]
    alpha = np.asarray(got.getchannel("A"), dtype=np.float64) / 255
    assert alpha.mean() == pytest.approx(AREAS[shape], abs=0.012)
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert alpha[50, 100] == 1
    assert np.abs(alpha - alpha[:, ::-1]).max() < 0.01
    assert ((alpha > 0) & (alpha < 1)).any()
    rows = np.flatnonzero(alpha.max(axis=1) > 0.1)
    assert rows[0] <= 1
    assert rows[-1] >= 98


def test_a_mask_multiplies_alpha(clear: Image.Image) -> None:
    """What was half clear stays half clear inside."""
    got = work(clear, effects.Mask("ellipse"))
    assert got.getpixel((80, 60))[3] == clear.getpixel((80, 60))[3]
    assert got.getpixel((0, 0))[3] == 0


def test_a_border_is_painted_inside(photo: Image.Image) -> None:
    """The size stays, and so does what is inside of the border."""
    got = work(photo, effects.Border(px(7), RED))
    wanted = Image.new("RGB", photo.size, "red")
    wanted.paste(photo.crop((7, 7, 153, 113)), (7, 7))
    assert apart(got, wanted) == 0


def test_a_wide_border_is_all_there_is(photo: Image.Image) -> None:
    """Half of the shorter side."""
    assert work(photo, effects.Border(part(0.5), RED)).getcolors() == [(19200, (255, 0, 0))]


def test_a_border_may_shine_through(photo: Image.Image) -> None:
    """With alpha it mixes."""
    got = work(photo, effects.Border(px(9), (255, 0, 0, 128)))
    wanted = Image.blend(photo, Image.new("RGB", photo.size, "red"), 128 / 255)
    assert apart(got.crop((0, 0, 160, 9)), wanted.crop((0, 0, 160, 9))) <= 1


def test_a_shadow_lies_behind_on_a_larger_canvas() -> None:
    """The picture is untouched; the canvas is what `shapes` says; its rim is clear."""
    image = Image.new("RGB", (60, 40), (10, 200, 10))
    op = effects.Shadow(10, 20, number(4), (0, 0, 0, 255))
    size, x, y = shapes.shadowed(image.size, op)
    got = work(image, op)
    assert got.size == size == (60 + 2 + 22, 40 + 0 + 32)
    assert (x, y) == (2, 0)
    assert apart(got.crop((2, 0, 62, 40)).convert("RGB"), image) == 0
    assert got.getpixel((40, 50))[:3] == (0, 0, 0)
    assert got.getpixel((40, 50))[3] > 240
    assert got.getpixel((83, 71))[3] <= 2


def test_a_shadow_has_the_form_of_what_is_there() -> None:
    """Clear pixels throw none."""
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 10, 40))
    got = work(image, effects.Shadow(0, 0, number(1), RED))
    assert got.getpixel((50, 20))[3] == 0
    assert got.getpixel((3 + 10, 20))[:3] == (255, 0, 0)


EFFECTS: list[Op] = [
    effects.Blur(number(3)), effects.Blur(number(30)), effects.Sharpen(number(1)),
    effects.Unsharp(number(2)), effects.Pixelate(9), effects.Noise(number(9)),
    effects.Convolve(Text(KERNELS[0]), 3), effects.ProgressiveBlur(number(9)),
    effects.Gradient(number(0.5)), effects.Vignette(),
    effects.Region("blur", px(9), px(9), px(50), px(50)),
    effects.Region("pixelate", px(9), px(9), px(50), px(50), oval=True),
    effects.Region("colour", px(9), px(9), px(50), px(50)), effects.Border(px(5)),
]  # fmt: skip


@pytest.mark.parametrize("op", EFFECTS, ids=str)
def test_grey_stays_grey(photo: Image.Image, op: Op) -> None:
    """With the greys that the same picture in colour gets."""
    got = work(photo.convert("L"), op)
    assert got.mode == "L"
    assert apart(got, work(photo.convert("L").convert("RGB"), op).convert("L")) <= 2


@pytest.mark.parametrize("op", EFFECTS, ids=str)
def test_an_opaque_picture_with_alpha_is_changed_alike(photo: Image.Image, op: Op) -> None:
    """Alpha that says nothing changes nothing, and stays."""
    opaque = photo.copy()
    opaque.putalpha(255)
    got = work(opaque, op)
    assert got.getchannel("A").getextrema() == (255, 255)
    assert apart(got.convert("RGB"), work(photo, op)) <= 2


def test_many_effects_are_not_many_times_many(clear: Image.Image) -> None:
    """Nothing is computed again for each operation that follows: this would never end."""
    small = clear.resize((32, 24))
    assert work(small, *EFFECTS, *EFFECTS, *EFFECTS).size == small.size


IDLE: list[Op] = [
    effects.Blur(number(0)), effects.Brightness(number(0)), effects.Contrast(number(0)),
    effects.Saturation(number(1)), effects.Hue(number(-360)), effects.Gamma(number(1)),
    effects.Sharpen(number(0)), effects.Unsharp(number(0)), effects.Unsharp(number(2), number(0)),
    effects.Pixelate(1), effects.Noise(number(0)), effects.Curve(), effects.Vignette(number(0)),
    effects.Levels(number(0), number(0), number(0)), effects.ProgressiveBlur(number(0)),
    effects.Monochrome(number(0)), effects.Duotone(number(0)), effects.Tint(RED, number(0)),
    effects.Colourise(number(0)), effects.Gradient(number(0)), effects.Border(values.ZERO, RED),
    effects.Round(values.ZERO, px(9)),
]  # fmt: skip


@pytest.mark.parametrize("op", IDLE, ids=str)
def test_what_changes_nothing_is_no_part_of_a_recipe(photo: Image.Image, op: Op) -> None:
    """So that it is one stored picture with and without; done all the same, it changes nothing."""
    out = Output(fm="jpg")
    made = recipe.canonical(source="s", path="p", engine="1", ops=[op], out=out)
    assert made.ops == ()
    assert apart(work(photo, op).convert("RGB"), photo) == 0
