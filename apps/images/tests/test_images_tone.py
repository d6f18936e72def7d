"""Effects on colours: what each does to a sample, judged by Pillow or by its definition."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

import refusals
from ops import effects
from ops.base import Op, Text
from pixels import curve
from worked import apart, number, work

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def each(image: Image.Image, change: object) -> Image.Image:
    """Change every sample by a function."""
    return image.point(change)  # type: ignore[arg-type]


def test_brightness_adds_a_part_of_the_range(photo: Image.Image) -> None:
    """20 % is 51 of 255."""
    wanted = each(photo, lambda value: min(255, value + 51))
    assert apart(work(photo, effects.Brightness(number(20))), wanted) == 0


@pytest.mark.parametrize("percent", [-100, -30, 40, 100, 300])
def test_contrast_stretches_around_the_middle(photo: Image.Image, percent: int) -> None:
    """-100 is flat grey, 100 twice as far from the middle."""
    wanted = each(photo, lambda value: (value - 127.5) * (1 + percent / 100) + 127.5)
    assert apart(work(photo, effects.Contrast(number(percent))), wanted) <= 1


@pytest.mark.parametrize("factor", [0, 0.5, 1.5, 3])
def test_saturation_is_pillows_colour(photo: Image.Image, factor: float) -> None:
    """The distance from grey is multiplied."""
    wanted = ImageEnhance.Color(photo).enhance(factor)
    assert apart(work(photo, effects.Saturation(number(factor))), wanted) <= 3


def test_hue_turns_and_greys_stay(photo: Image.Image) -> None:
    """Three thirds of a turn are none; grey has no hue."""
    grey = photo.convert("L").convert("RGB")
    assert apart(work(grey, effects.Hue(number(77))), grey) <= 1
    soft = photo.point(lambda value: 96 + value // 4)  # nothing leaves the range on the way
    third = effects.Hue(number(120))
    assert apart(work(soft, third), soft) > 10
    assert apart(work(soft, third, third, third), soft) <= 3


def test_hue_goes_from_red_to_green() -> None:
    """The direction of the wheel is red, yellow, green, blue."""
    red = Image.new("RGB", (1, 1), (200, 40, 40))
    turned = work(red, effects.Hue(number(120))).getpixel((0, 0))
    assert max(turned) == turned[1]


def test_gamma_over_one_brightens(photo: Image.Image) -> None:
    """The middle rises, black and white stay."""
    wanted = each(photo, lambda value: 255 * (value / 255) ** (1 / 2.2) + 0.5)
    assert apart(work(photo, effects.Gamma(number(2.2))), wanted) <= 1


def test_levels_change_each_colour(photo: Image.Image) -> None:
    """Ten percent more red, ten less blue."""
    red, green, blue = photo.split()
    wanted = Image.merge(
        "RGB", (each(red, lambda value: value + 26), green, each(blue, lambda value: value - 25))
    )
    got = work(photo, effects.Levels(number(10), number(0), number(-10)))
    assert apart(got, wanted) <= 1


def test_invert_is_pillows(photo: Image.Image) -> None:
    """The negative."""
    assert apart(work(photo, effects.Invert()), ImageOps.invert(photo)) == 0


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_equalise_is_pillows(photo: Image.Image, mode: str) -> None:
    """Each channel's histogram is spread."""
    source = photo.convert(mode)
    assert apart(work(source, effects.Equalise()), ImageOps.equalize(source)) == 0


def test_grey_is_pillows_lightness_in_one_band(photo: Image.Image) -> None:
    """Without alpha it is a grey picture, which takes a third of the bytes."""
    assert apart(work(photo, effects.Grey()), photo.convert("L")) <= 1


def test_bitonal_is_black_and_white_only(photo: Image.Image) -> None:
    """By the middle, without a pattern of dots."""
    wanted = photo.convert("L").point(lambda value: 255 if value > 127 else 0)
    got = work(photo, effects.Bitonal())
    assert {value for _, value in got.getcolors() or ()} <= {0, 255}
    assert np.mean(np.asarray(got) != np.asarray(wanted)) < 0.01


def test_duotone_is_pillows_ramp(photo: Image.Image) -> None:
    """From dark to light by lightness."""
    wanted = ImageOps.colorize(photo.convert("L"), black=(60, 0, 90), white=(250, 240, 20))
    got = work(photo, effects.Duotone(dark=(60, 0, 90, 255), light=(250, 240, 20, 255)))
    assert apart(got, wanted) <= 2


def test_half_of_a_duotone_is_half_way(photo: Image.Image) -> None:
    """``amount`` mixes with the picture."""
    ramp = ImageOps.colorize(photo.convert("L"), black=(0, 0, 0), white=(255, 255, 255))
    wanted = Image.blend(photo, ramp, 0.5)
    assert apart(work(photo, effects.Duotone(number(0.5))), wanted) <= 2


def test_monochrome_multiplies_lightness(photo: Image.Image) -> None:
    """White becomes the colour, black stays black."""
    wanted = ImageOps.colorize(photo.convert("L"), black=(0, 0, 0), white=(200, 100, 50))
    assert apart(work(photo, effects.Monochrome(colour=(200, 100, 50, 255))), wanted) <= 2


def test_tint_keeps_lightness() -> None:
    """The colour comes from the tint, the lightness from the picture."""
    source = Image.new("RGB", (2, 2), (120, 130, 110))
    got = work(source, effects.Tint((180, 120, 100, 255)))
    assert apart(got.convert("L"), source.convert("L")) <= 1
    red, _, blue = got.getpixel((0, 0))
    assert red - blue == pytest.approx(80, abs=2)


def test_colourise_mixes_with_one_colour(photo: Image.Image) -> None:
    """Half of it is half of the colour."""
    wanted = Image.blend(photo, Image.new("RGB", photo.size, (255, 0, 0)), 0.5)
    assert apart(work(photo, effects.Colourise(number(0.5), (255, 0, 0, 255))), wanted) <= 1


def test_colourise_may_cover_what_is_clear(clear: Image.Image) -> None:
    """With alpha kept, clear stays clear; without, the colour lies there too."""
    red = (255, 0, 0, 255)
    kept = work(clear, effects.Colourise(number(0.5), red))
    assert apart(kept.getchannel("A"), clear.getchannel("A")) == 0
    sheet = Image.new("RGBA", clear.size, (255, 0, 0, 128))
    wanted = Image.alpha_composite(clear, sheet)
    got = work(clear, effects.Colourise(number(0.5), red, keep_alpha=False))
    assert apart(got.getchannel("A"), wanted.getchannel("A")) <= 1
    assert apart(got, wanted) <= 3


TONES: list[Op] = [
    effects.Brightness(number(10)), effects.Contrast(number(10)), effects.Gamma(number(2)),
    effects.Invert(), effects.Equalise(), effects.Bitonal(), effects.Grey(),
    effects.Saturation(number(2)), effects.Hue(number(90)), effects.Curve(all=Text("0 255 255 0")),
    effects.Levels(number(5), number(5), number(5)), effects.Colourise(number(0.3)),
]  # fmt: skip
COLOURING: list[Op] = [
    effects.Levels(number(5), number(0), number(0)), effects.Curve(red=Text("0 10 255 255")),
    effects.Monochrome(), effects.Duotone(), effects.Tint((255, 0, 0, 255)),
    effects.Colourise(number(0.3), (1, 2, 3, 255)),
]  # fmt: skip


@pytest.mark.parametrize("op", [*TONES, *COLOURING], ids=str)
def test_alpha_stays(clear: Image.Image, op: Op) -> None:
    """No effect on colours touches alpha."""
    assert apart(work(clear, op).getchannel("A"), clear.getchannel("A")) == 0


@pytest.mark.parametrize("op", TONES, ids=str)
def test_grey_stays_grey(photo: Image.Image, op: Op) -> None:
    """One band in, one band out, with the greys that the same picture in colour gets."""
    grey = photo.convert("L")
    got = work(grey, op)
    assert got.mode == "L"
    assert apart(got, work(grey.convert("RGB"), op).convert("L")) <= 1


@pytest.mark.parametrize("op", COLOURING, ids=str)
def test_grey_becomes_coloured_where_it_must(photo: Image.Image, op: Op) -> None:
    """The same as of the picture in three bands."""
    grey = photo.convert("L")
    assert apart(work(grey, op), work(grey.convert("RGB"), op)) == 0


def test_many_operations_are_not_many_times_many(clear: Image.Image) -> None:
    """Nothing is computed again for each operation that follows: this would never end."""
    ops = [*TONES, *COLOURING] * 3
    assert work(clear, *ops).size == clear.size


def test_a_curve_goes_through_its_points() -> None:
    """And on level outside of them."""
    table = curve.table("20 5 100 180 200 90")
    assert [table[x] for x in (0, 20, 100, 200, 255)] == [5, 5, 180, 90, 90]


def test_a_curve_of_two_points_is_a_line() -> None:
    """The identity, and the negative."""
    assert curve.table("0 0 255 255") == bytes(range(256))
    assert curve.table("255 0 0 255") == bytes(range(255, -1, -1))


@given(st.dictionaries(st.integers(0, 255), st.integers(0, 255), min_size=3, max_size=12))
def test_a_curve_is_the_natural_spline(points: dict[int, int]) -> None:
    """As the whole system of equations, solved densely, says."""
    xs = sorted(points)
    got = curve.through([(float(x), float(points[x])) for x in xs])
    bends = _dense(xs, [points[x] for x in xs])
    for (at, (x0, x1)), x in zip(
        enumerate(pairwise(xs)), [(a + b) // 2 for a, b in pairwise(xs)], strict=True
    ):
        w, a, b = x1 - x0, (x1 - x) / (x1 - x0), (x - x0) / (x1 - x0)
        curved = (a**3 - a) * bends[at] + (b**3 - b) * bends[at + 1]
        exact = a * points[x0] + b * points[x1] + curved * w * w / 6
        assert abs(got[x] - min(255, max(0, exact))) <= 0.5 + 1e-6


def _dense(xs: list[int], ys: list[int]) -> np.ndarray:
    """Give second derivatives that make the first ones meet, and are zero at the ends."""
    count = len(xs)
    system, right = np.eye(count), np.zeros(count)
    for at in range(1, count - 1):
        before, after = xs[at] - xs[at - 1], xs[at + 1] - xs[at]
        system[at, at - 1 : at + 2] = before / 6, (before + after) / 3, after / 6
        right[at] = (ys[at + 1] - ys[at]) / after - (ys[at] - ys[at - 1]) / before
    return np.linalg.solve(system, right)


def test_a_curve_through_one_point_is_level() -> None:
    """There is nothing that it could go towards."""
    assert curve.table("7 90") == bytes([90]) * 256


def test_curves_of_colours_come_before_the_common_one() -> None:
    """Red is doubled first, then all are inverted."""
    source = Image.new("RGB", (1, 1), (50, 60, 70))
    op = effects.Curve(red=Text("0 0 100 200"), all=Text("0 255 255 0"))
    assert work(source, op).getpixel((0, 0)) == (155, 195, 185)


@given(st.text(max_size=60) | st.text("0123456789 .-e", max_size=60))
def test_any_text_is_a_curve_or_refused(text: str) -> None:
    """400, and nothing else."""
    try:
        assert len(curve.table(text)) == 256
    except refusals.Refusal as refusal:
        assert refusal.status == 400


@pytest.mark.parametrize("text", ["1 2 3", "1 2 1 3", "0 0 256 1", "nan 0 1 1", "0 0 1e309 1"])
def test_what_is_no_curve_is_refused(text: str) -> None:
    """A number without partner, an x twice, out of range, no number."""
    with pytest.raises(refusals.Refusal, match="points"):
        curve.table(text)
