"""thumbor's URLs to pixels: sizes as thumbor's arithmetic gives them, and every filter is made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

import deployment
import recipe
import rules
from dialects import thumbor
from dialects.dialect import Asked, World
from dialects.thumbor import compiling
from dynimo.sdk import http

Make = Callable[[str], Image.Image]
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)

EXAMPLES = {
    "attachment": "a.png", "autojpg": "", "background_color": "red", "bitdepth": "8", "blur": "4,2",
    "brightness": "20", "colorize": "10,20,30,ff0000", "compression": "6", "contrast": "20",
    "convolution": "1;2;1;2;4;2;1;2;1,3,true", "cover": "", "crop": "10,10,50,50",
    "curve": "[(0,0),(128,100),(255,255)],[],[],[(0,50),(255,255)]", "dpi": "72",
    "draw_detections": "", "equalize": "", "expire": "4000000000000", "extract_focal": "",
    "fill": "blur", "focal": "10x10:50x50", "format": "webp", "frame": "pics/logo.png",
    "gifv": "", "grayscale": "", "hue": "90", "image": "/20x20/pics/logo.png,10,10",
    "invert": "", "label": "hello,10,10,20,red", "lossless": "", "max_age": "60",
    "max_bytes": "2000", "max_frames": "1", "modulate": "10,20,30", "no_upscale": "",
    "noise": "20", "orient": "90", "padding": "red,10", "page": "1", "palette": "",
    "pixelate": "5", "preview": "", "proportion": "0.5", "quality": "50", "raw": "",
    "redact": "", "redact_oval": "pixelate", "rgb": "10,-10,20", "rotate": "90",
    "round_corner": "20|10,255,255,255", "saturation": "0.5", "sharpen": "1,1,true",
    "stretch": "", "strip_exif": "", "strip_icc": "", "strip_metadata": "",
    "text": "hello,center,10,sans-20,white", "to_colorspace": "srgb", "trim": "10",
    "upscale": "", "watermark": "pics/logo.png,-5,-5,50",
}  # fmt: skip
"""One good use of every filter."""
NOT_EVERYWHERE = {"draw_detections", "gifv", "label", "redact", "redact_oval", "text"}
"""Filters whose operation needs what may not be installed: that is a 422 that says so."""


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Put a picture into the source, red on the left and blue on the right, and a small logo."""
    picture = Image.new("RGB", (400, 300), RED)
    picture.paste(BLUE, (200, 0, 400, 300))
    picture.save(folder / "a.png")
    picture.save(folder / "a.gif")
    Image.new("RGBA", (40, 20), (0, 255, 0, 255)).save(folder / "logo.png")
    framed = Image.new("RGB", (400, 300), WHITE)
    framed.paste(RED, (50, 40, 350, 260))
    framed.save(folder / "framed.png")
    return folder


@pytest.fixture
def ask(pictures: Path, make: Callable[..., http.Reply]) -> Callable[[str], http.Reply]:
    """Ask for an unsafe path and give the Generator's answer."""
    world = World(
        deployment=deployment.read({"thumbor": {"allow_unsafe": True}}),
        engine="1",
        rules=rules.Rules(),
        sources={"pics": str(pictures)},
        now=time.time,
    )

    def call(path: str) -> http.Reply:
        decision = thumbor.decide(Asked(path=f"unsafe/{path}"), world)
        assert decision.said == ()
        return make(recipe.spell(decision.recipe))

    return call


@pytest.fixture
def picture(ask: Callable[[str], http.Reply], look: Callable[[http.Reply], Image.Image]) -> Make:
    """Ask for an unsafe path and give the picture."""
    return lambda path: look(ask(path))


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("200x100/", (200, 100)),
        ("800x600/", (800, 600)),
        ("333x/", (333, 250)),
        ("x100/", (133, 100)),
        ("800x100/filters:no_upscale()/", (400, 100)),
        ("200x500/filters:no_upscale()/", (200, 300)),
        ("fit-in/200x200/", (200, 150)),
        ("fit-in/1000x1000/", (400, 300)),
        ("fit-in/1000x1000/filters:upscale()/", (1000, 750)),
        ("full-fit-in/200x200/", (267, 200)),
        ("full-fit-in/800x800/", (1067, 800)),
        ("adaptive-fit-in/150x200/", (200, 150)),
        ("adaptive-fit-in/100x200/filters:fill(white)/", (200, 100)),
        ("full-fit-in/100x200/filters:fill(white)/", (267, 200)),
        ("stretch/50x60/", (50, 60)),
        ("origx100/", (400, 100)),
        ("100x50:300x250/", (200, 200)),
        ("0.25x0.5:1.0x1.0/", (300, 150)),
        ("390x290:900x900/", (10, 10)),
        ("fit-in/200x200/filters:fill(white)/", (200, 200)),
        ("fit-in/200x200/10x5/filters:fill(white)/", (220, 210)),
        ("200x100/filters:rotate(90)/", (100, 200)),
        ("filters:orient(90)/", (300, 400)),
        ("filters:proportion(0.25)/", (100, 75)),
        ("filters:padding(red,1,2,3,4)/", (404, 306)),
    ],
)
def test_sizes_are_thumbors(picture: Make, path: str, size: tuple[int, int]) -> None:
    """Of a picture of 400 x 300."""
    assert picture(f"{path}pics/a.png").size == size


@pytest.mark.parametrize(
    ("path", "left", "right"),
    [
        ("100x300/left/", RED, RED),
        ("100x300/right/", BLUE, BLUE),
        ("100x300/", RED, BLUE),
        ("-100x300/", BLUE, RED),
        ("100x300/filters:focal(300x100:320x120)/", BLUE, BLUE),
        ("100x300/filters:focal(0.1,0.5)/", RED, RED),
        ("200x0:400x300/100x300/filters:focal(300x100:320x120)/", BLUE, BLUE),
        ("0x-0/", RED, BLUE),
        ("fit-in/400x400/filters:fill(blue)/", BLUE, BLUE),
    ],
)
def test_what_is_cut_around(picture: Make, path: str, left: object, right: object) -> None:
    """Aligns, mirrors and focal points decide what is left of red and blue."""
    image = picture(f"{path}filters:format(png)/pics/a.png" if "filters" not in path else
                    f"{path}pics/a.png").convert("RGB")  # fmt: skip
    assert image.getpixel((0, 2)) == left
    assert image.getpixel((image.width - 1, 2)) == right


def test_rotation_is_counter_clockwise(picture: Make) -> None:
    """What was on the right is on top."""
    assert picture("filters:rotate(90)/pics/a.png").convert("RGB").getpixel((150, 10)) == BLUE
    assert picture("filters:rotate(270)/pics/a.png").convert("RGB").getpixel((150, 10)) == RED


def test_trim_takes_the_border_off(picture: Make) -> None:
    """By the colour of a corner."""
    assert picture("trim/pics/framed.png").size == (300, 220)
    assert picture("trim:bottom-right:10/100x/pics/framed.png").size == (100, 73)


def test_watermarks_count_from_the_side_that_their_sign_says(picture: Make) -> None:
    """And alpha is how much one sees through."""
    image = picture("filters:watermark(pics/logo.png,-10,20,0)/pics/a.png").convert("RGB")
    boxes = ImageChops.difference(image, picture("pics/a.png").convert("RGB")).getbbox()
    assert boxes == (350, 20, 390, 40)
    image = picture("filters:watermark(pics/logo.png,repeat,-10,0)/pics/a.png").convert("RGB")
    boxes = ImageChops.difference(image, picture("pics/a.png").convert("RGB")).getbbox()
    assert boxes == (0, 270, 400, 290)
    image = picture("90x/filters:watermark(pics/logo.png,repeat,0,0)/pics/a.png").convert("RGB")
    greens = [x for x in range(90) if image.getpixel((x, 1)) == (0, 255, 0)]
    assert greens == [*range(40), *range(50, 90)]
    image = picture("filters:watermark(pics/logo.png,0,0,100)/pics/a.png").convert("RGB")
    assert image.getpixel((5, 5)) == RED


def test_thumbors_blur_is_as_wide_as_thumbors(picture: Make) -> None:
    """Its bell curve ends at the radius, which blurs about half as much as its sigma says."""
    seen = picture("filters:blur(10)/pics/a.png").convert("RGB")
    reds = [pixel[0] for pixel in (seen.getpixel((x, 150)) for x in range(400))]
    kernel = [2.718281828 ** (-x * x / 200) for x in range(-10, 11)]
    line = [255.0 if 0 <= x < 200 else 0.0 for x in range(400)]
    for x in range(170, 230):
        cells = (weight * line[x + at] for at, weight in zip(range(-10, 11), kernel, strict=True))
        assert reds[x] == pytest.approx(sum(cells) / sum(kernel), abs=16)


def test_every_filter_has_an_example() -> None:
    """So that none is forgotten below."""
    assert set(EXAMPLES) == set(compiling.WORK)


@pytest.mark.parametrize(("name", "given"), EXAMPLES.items())
def test_every_filter_is_made(ask: Callable[[str], http.Reply], name: str, given: str) -> None:
    """200, or a 422 that says what is not installed."""
    others = {"extract_focal": "http://h/unsafe/1x2:30x40/pics/a.png", "gifv": "pics/a.gif"}
    image = others.get(name, "pics/a.png")
    reply = ask(f"fit-in/100x100/filters:{name}({given})/{image}")
    if reply.status != 200:
        assert (reply.status, name in NOT_EVERYWHERE) == (422, True), reply.body
        assert json.loads(reply.body)["error"]


def test_curves_and_colorize_are_exact(picture: Make) -> None:
    """Unequal shares of colorize are lines; grey stays where nothing is mixed in."""
    image = picture("filters:colorize(0,50,100,00ff00)/pics/a.png").convert("RGB")
    assert image.getpixel((10, 10)) == pytest.approx((255, 128, 0), abs=1)
    assert ImageStat.Stat(image).extrema[2] == (0, 0)


def test_frames_stretch_where_they_are_marked(pictures: Path, picture: Make) -> None:
    """A nine-patch: corners keep their size, marked parts stretch, content is not covered."""
    green, clear, mark = (0, 255, 0, 255), (0, 0, 0, 0), (0, 0, 0, 255)
    frame = Image.new("RGBA", (12, 12), clear)
    frame.paste(green, (1, 1, 11, 11))
    frame.paste(clear, (4, 4, 8, 8))
    frame.paste(mark, (4, 0, 8, 1))
    frame.paste(mark, (0, 4, 1, 8))
    frame.paste(mark, (4, 11, 8, 12))
    frame.paste(mark, (11, 4, 12, 8))
    frame.save(pictures / "frame.png")
    image = picture("fit-in/100x100/filters:frame(pics/frame.png):format(png)/pics/a.png")
    assert image.size == (106, 81)
    wanted = Image.new("RGB", (106, 81), green[:3])
    wanted.paste(picture("fit-in/100x100/pics/a.png").convert("RGB"), (3, 3))
    inside = (4, 4, 102, 77)  # where nothing is mixed between green and clear
    seen = image.convert("RGB")
    assert ImageChops.difference(seen.crop(inside), wanted.crop(inside)).getbbox() is None
    for edge in ((0, 0, 106, 2), (0, 0, 2, 81), (104, 0, 106, 81), (0, 79, 106, 81)):
        assert ImageStat.Stat(seen.crop(edge)).extrema == [(0, 0), (255, 255), (0, 0)]


def test_an_animation_stays_one(pictures: Path, picture: Make) -> None:
    """In its own format, in every frame's size."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE, WHITE)]
    frames[0].save(pictures / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    image = picture("20x10/pics/moving.gif")
    assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("GIF", (20, 10), 3)
    still = picture("20x10/filters:format(png)/pics/moving.gif")
    assert (still.format, still.size) == ("PNG", (20, 10))
