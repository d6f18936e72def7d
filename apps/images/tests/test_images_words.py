"""Words over pictures: the ink lies where it should, in the script's own way, every time."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

import fonts
import generate
import limits
import recipe
import refusals
import render
import sfnt
import wording
from dynimo.sdk import http
from looking import faces
from ops.base import Text
from ops.layers import Words
from ops.output import Output
from ops.values import ZERO, Gravity, pixels, share
from pixels import calm, canvas, words

Make = Callable[..., http.Reply]
PAPER = (240, 240, 240)
INK = (0, 0, 0)
NOWE = Gravity("nowe")


def drawn(*ops: Any, paper: Any = PAPER, size: tuple[int, int] = (300, 200)) -> np.ndarray:
    """Write on a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, paper).save(file, "png")
    made = recipe.canonical(source="s", path="p", engine="1", ops=ops, out=Output(fm="png"))
    made = recipe.parse(recipe.spell(made))
    out = render.render(file.getvalue(), made, limits.Limits()).pixels
    return np.frombuffer(out.data, np.uint8).reshape(out.height, out.width, out.bands)


def ink(picture: np.ndarray, paper: Any = PAPER) -> np.ndarray:
    """Say where something was written."""
    return np.abs(picture[..., :3].astype(int) - paper).max(axis=2) > 60


def box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Give left, top, right, bottom of the ink."""
    down, across = np.nonzero(ink(picture))
    return across.min(), down.min(), across.max() + 1, down.max() + 1


def write(text: str, **arguments: Any) -> np.ndarray:
    return drawn(Words(Text(text), **{"size": pixels(40), **arguments}))


PLACES = {"nowe": (0, 0), "no": (0.5, 0), "ea": (1, 0.5), "ce": (0.5, 0.5), "soea": (1, 1)}


@pytest.mark.parametrize("place", PLACES)
def test_ink_lies_where_the_gravity_says(place: str) -> None:
    """Edges are the ink's own, within the softness of its rim."""
    left, top, right, bottom = box(write("Hello", gravity=Gravity(place)))
    across, down = PLACES[place]
    assert abs(left - across * (300 - (right - left))) <= 2
    assert abs(top - down * (200 - (bottom - top))) <= 2


def test_letters_have_the_size_that_was_asked_for() -> None:
    """As tall as FreeType draws them through Pillow, within a pixel."""
    left, top, right, bottom = box(write("HxH", size=pixels(60)))
    font = ImageFont.truetype(fonts.BUNDLED / "NotoSans-Regular.ttf", 60)
    wanted = font.getmask("HxH").getbbox()
    assert abs((bottom - top) - (wanted[3] - wanted[1])) <= 2
    assert abs((right - left) - (wanted[2] - wanted[0])) <= 3


@pytest.mark.parametrize("text", ["A", "Lorem ipsum dolor sit amet " * 3, "Ω\nΨ"])
@pytest.mark.parametrize(("w", "h"), [(200, 100), (60, 150)])
def test_text_without_a_size_fills_its_box(text: str, w: int, h: int) -> None:
    """Never over its edge, and a tenth more would not fit."""
    arguments = {"w": pixels(w), "h": pixels(h), "gravity": NOWE, "size": ZERO}
    left, top, right, bottom = box(write(text, **arguments))
    assert right <= w
    assert bottom <= h
    assert (right - left) > 0.7 * w or (bottom - top) > 0.7 * h


def test_a_size_is_the_most_in_a_box() -> None:
    """Small words keep their size; long ones shrink until they fit."""
    room = {"w": pixels(280), "h": pixels(60), "gravity": NOWE}
    small, free = write("Hi", **room), write("Hi", gravity=NOWE)
    assert box(small)[3] - box(small)[1] == box(free)[3] - box(free)[1]
    right, bottom = box(write("Words " * 30, **room))[2:]
    assert (right <= 280, bottom <= 60) == (True, True)


def test_lines_wrap_at_the_width() -> None:
    """At words, at letters, or not at all."""
    lines = {}
    for wrap in ("word", "char", "none"):
        picture = write("abcdefghij kl", size=pixels(30), w=pixels(100), wrap=wrap, gravity=NOWE)
        rows = ink(picture).any(axis=1)
        lines[wrap] = int((np.diff(rows.astype(int)) == 1).sum() + rows[0])
    assert lines["none"] == 1
    assert lines["char"] >= lines["word"] >= 2


ALIGNED = [
    ("Hello", "start", 0), ("Hello", "centre", 0.5), ("Hello", "end", 1),
    ("שלום", "start", 1), ("שלום", "end", 0), ("سلام", "start", 1), ("سلام", "centre", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "align", "at"), ALIGNED)
def test_lines_begin_where_the_script_begins(text: str, align: Any, at: float) -> None:
    """In a box of 260 at the left; what is read from the right starts at the right."""
    left, _, right, _ = box(write(text, w=pixels(260), align=align, gravity=NOWE))
    assert abs(left - at * (260 - (right - left))) <= 3


def pieces(picture: np.ndarray) -> int:
    """Count runs of columns that have ink."""
    columns = ink(picture).any(axis=0)
    return int((np.diff(columns.astype(int)) == 1).sum() + columns[0])


def test_arabic_is_joined() -> None:
    """Letters that join are one run of ink; apart, they are as many as letters."""
    assert pieces(write("ببب")) == 1
    assert pieces(write("ب ب ب")) == 3


def test_right_to_left_is_drawn_from_the_right() -> None:
    """The first letter is the rightmost: what is added comes to its left."""
    one, two = write("א", gravity=Gravity("noea")), write("אב", gravity=Gravity("noea"))
    width = box(one)[2] - box(one)[0]
    assert np.array_equal(ink(one)[:60, 300 - width :], ink(two)[:60, 300 - width :])


SCRIPTS = ["Ünïcödé", "Ελληνικά", "Кириллица", "Tiếng Việt", "العربية", "עברית", "हिन्दी"]


@pytest.mark.parametrize("text", SCRIPTS)
def test_every_bundled_script_has_its_own_letters(text: str) -> None:
    """Different from what a font draws that has no glyph, and from other letters."""
    assert ink(write(text)).sum() > 200
    assert not np.array_equal(write(text), write(text[::-1]))


@pytest.mark.parametrize(
    ("text", "script"), [("日本", "Chinese"), ("ok 한글", "Hangul"), ("🎉", "emoji"), ("ก", "Thai")]
)
def test_a_script_without_a_font_is_refused_by_name(text: str, script: str) -> None:
    """Never boxes."""
    with pytest.raises(refusals.Refusal) as caught:
        write(text)
    assert (caught.value.status, caught.value.code) == (422, "missing_glyph")
    assert caught.value.facts["script"] == script


def test_a_font_that_is_not_there_is_refused_with_those_that_are() -> None:
    """400; nothing stands in for it."""
    with pytest.raises(refusals.Refusal, match="Noto Sans Hebrew") as caught:
        write("a", font=Text("Comic Sans Bold"))
    assert (caught.value.status, caught.value.facts["value"]) == (400, "Comic Sans Bold")


def test_fonts_are_named_in_any_case_with_their_style() -> None:
    """Bold is bolder, sans is what we have."""
    plain, bold = (write("Hill", font=Text(font)) for font in ("sans", "noto sans BOLD"))
    assert np.array_equal(bold, write("Hill", font=Text("Sans semi bold")))
    assert ink(bold).sum() > 1.2 * ink(plain).sum()
    assert np.array_equal(plain, write("Hill"))


@pytest.fixture
def own_fonts(tmp_path: Path) -> Path:
    """A folder of the deployment's own: a font with another name, and things that are none."""
    data = (fonts.BUNDLED / "NotoSansHebrew-Bold.ttf").read_bytes()
    old, new = (name.encode("utf-16-be") for name in ("Noto Sans Hebrew", "Brand Sans Heavy"))
    assert old in data
    (tmp_path / "brand.ttf").write_bytes(data.replace(old, new))
    (tmp_path / "broken.ttf").write_bytes(data[:300])
    (tmp_path / "empty.otf").write_bytes(b"")
    return tmp_path


def in_process(folder: Path, code: str) -> list[str]:
    """Run code with a folder of fonts, in a process of its own: fonts are the process's."""
    here = Path(__file__).parent
    start = (
        "import sys, pathlib; sys.path[:0] = sys.argv[1:3]; import fonts, hashlib\n"
        "import test_images_words as t\n"
        "fonts.use(pathlib.Path(sys.argv[3]))\n"
        "def mark(text, **how): return hashlib.sha256(t.write(text, **how).tobytes()).hexdigest()\n"
    )
    run = [sys.executable, "-c", start + code, here, here.parent, folder]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_a_folder_of_fonts_is_used(own_fonts: Path) -> None:
    """By its own names, beside the bundled ones; what is no font is left out."""
    said = in_process(
        own_fonts,
        "print(*(mark('\u05d0', font=t.Text(name)) for name in ('brand sans heavy',"
        " 'noto sans hebrew bold', 'noto sans hebrew')))",
    )
    assert said[0] == said[1] != said[2]


def test_chinese_characters_have_the_form_of_their_language() -> None:
    """As the language says, or the letters beside them; Chinese without either."""
    said = in_process(
        Path(__file__).parent / "fonts",
        "print(*(mark('\u76f4', language=tag) for tag in ('ja', 'zh', '', 'zh-Hans', 'en')))\n"
        "print(*(mark(text) == mark(text, language=tag) for text, tag in"
        " (('\u76f4\u304b', 'ja'), ('\u76f4', 'zh'), ('\ud55c', ''))))\n"
        "print(t.ink(t.write('\u65e5\u672c\u8a9e')).sum() > 500)",
    )
    japanese, chinese, unsaid, simplified = said[:4]
    assert japanese != chinese == unsaid == simplified
    assert said[5:] == ["True"] * 4


def test_drawings_have_our_fonts_too() -> None:
    """Text in an SVG, and words after it: librsvg has not brought the machine's fonts."""
    drawing = (
        '\'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40"><text y="30"'
        ' font-family="Noto Sans Hebrew" font-size="30">\u05d0\u05d1</text></svg>\''
    )
    said = in_process(
        fonts.BUNDLED,
        "import decode, limits, render, recipe; from ops.output import Output\n"
        "made = recipe.canonical(source='s', path='p', engine='1', out=Output(fm='png'))\n"
        f"out = render.render({drawing}.encode(), made, limits.Limits()).pixels\n"
        "print(sum(bytes(out.data)[3::4]) > 20000, mark('\u05d0\u05d1'))",
    )
    assert said == ["True", hashlib.sha256(write("אב").tobytes()).hexdigest()]


def test_without_room_it_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next environment may have some."""

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fonts, "_private", [])
    monkeypatch.setattr(fonts.tempfile, "TemporaryDirectory", full)
    with pytest.raises(refusals.Refusal) as caught:
        fonts.ready()
    assert caught.value.status == 503


def test_a_folder_without_fonts_is_a_mistake(tmp_path: Path) -> None:
    """The app does not start with it."""
    with pytest.raises(fonts.FontsError, match="no font files"):
        fonts.use(tmp_path)
    fonts.use(None)
    assert "noto sans" in fonts.known().families


def test_the_same_text_is_the_same_bytes_in_any_process() -> None:
    """Whatever fonts the machine has, and whatever was written before."""
    digest = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import hashlib, test_images_words as t\n"
        "print(hashlib.sha256(t.write('Ag ب ש ह', stroke=t.Decimal(3)).tobytes()).hexdigest())"
    )
    here = Path(__file__).parent
    run = [sys.executable, "-c", digest, here, here.parent]
    told = {
        subprocess.run(run, capture_output=True, text=True, check=True, env=env).stdout
        for env in ({"LANG": "C", "HOME": "/nowhere"}, {"LANG": "tr_TR.UTF-8"})
    }
    assert len(told) == 1
    first = write("Ag ب ש ह", stroke=Decimal(3))
    write("something else")
    assert np.array_equal(first, write("Ag ب ש ह", stroke=Decimal(3)))


def test_markup_is_text() -> None:
    """What looks like markup is written as it stands."""
    plain = write("<b>x</b> &amp;", size=pixels(20))
    assert pieces(plain) > 10
    write("<span foreground='red'>", size=pixels(20))
    assert box(write("a&b"))[2] > box(write("ab"))[2] - 300


def test_a_stroke_is_as_wide_as_it_says() -> None:
    """All around, and round at corners."""
    plain, edged = write("I"), write("I", stroke=Decimal(10), stroke_colour=(255, 0, 0, 255))
    grown = np.array(box(edged)) - box(plain)
    assert np.abs(grown - (-10, -10, 10, 10)).max() <= 1
    left, top = box(edged)[:2]
    assert not ink(edged)[top + 1, left + 1]
    red = (edged[..., 0] > 200) & (edged[..., 1] < 60)
    assert red.sum() > 1_000


@pytest.mark.parametrize("radius", ["0.5", "2.5", "20", "50"])
def test_strokes_of_all_widths_grow_the_ink(radius: str) -> None:
    """Fractions too, and wide ones that are made smaller."""
    plain = box(write("o", size=pixels(30)))
    grown = np.array(
        box(write("o", size=pixels(30), stroke=Decimal(radius), stroke_colour=(*INK, 255)))
    )
    assert np.abs((plain - grown) * (1, 1, -1, -1) - float(radius)).max() <= 2


def test_a_shadow_is_soft_lower_and_takes_no_place() -> None:
    """The letters stay where they are."""
    plain, shaded = write("H"), write("H", shadow=Decimal(4))
    rows = [np.nonzero((picture < 40).all(axis=2))[0] for picture in (plain, shaded)]
    assert abs(rows[0].min() - rows[1].min()) <= 1
    grey = (shaded < 235).all(axis=2)
    down = np.nonzero(grey)[0]
    assert down.max() - rows[0].max() > rows[0].min() - down.min()


@pytest.mark.parametrize(("paper", "wanted"), [((20, 20, 60), 255), ((250, 240, 90), 0)])
def test_contrast_takes_what_can_be_read(paper: tuple[int, int, int], wanted: int) -> None:
    """Black or white, by WCAG's ratio with what lies below."""
    picture = drawn(
        Words(Text("H"), size=pixels(60), contrast=True, colour=(255, 0, 0, 255)), paper=paper
    )
    seen = picture[ink(picture, paper)]
    assert (seen == wanted).all(axis=1).sum() > 100


def test_contrast_looks_only_where_the_words_are() -> None:
    """And at the background where there is one."""
    halves = [
        Words(Text("H"), gravity=Gravity(at), size=pixels(60), contrast=True) for at in ("we", "ea")
    ]
    file = io.BytesIO()
    picture = Image.new("RGB", (300, 200), (255, 255, 255))
    picture.paste((0, 0, 0), (150, 0, 300, 200))
    picture.save(file, "png")
    made = recipe.canonical(source="s", path="p", engine="1", ops=halves, out=Output(fm="png"))
    out = render.render(file.getvalue(), made, limits.Limits()).pixels
    seen = np.frombuffer(out.data, np.uint8).reshape(200, 300, 3)
    assert (seen[:, :150] == 0).any()
    assert (seen[:, 150:] == 255).any()
    dark = write("H", contrast=True, background=(0, 0, 0, 255))
    assert (dark == 255).all(axis=2).sum() > 50


def restless(calm_at: tuple[int, int, int, int]) -> Image.Image:
    """Noise, but in one part."""
    noise = Image.effect_noise((300, 200), 90).convert("RGB")
    noise.paste(PAPER, calm_at)
    return noise


CALM = [((190, 0, 300, 70), "noea"), ((0, 130, 110, 200), "sowe"), ((90, 60, 210, 140), "ce")]


@pytest.mark.parametrize(("part", "place"), CALM)
def test_words_may_look_for_a_calm_place(part: tuple[int, int, int, int], place: str) -> None:
    """The one of nine with the least detail below, a little inside the edge."""
    file = io.BytesIO()
    restless(part).save(file, "png")
    op = Words(Text("Hi"), size=pixels(40), gravity=Gravity("entropy"), colour=(255, 0, 0, 255))
    made = recipe.canonical(source="s", path="p", engine="1", ops=(op,), out=Output(fm="png"))
    out = render.render(file.getvalue(), made, limits.Limits()).pixels
    seen = np.frombuffer(out.data, np.uint8).reshape(out.height, out.width, 3).astype(int)
    red = (seen[..., 0] - seen[..., 1] > 150) & (seen[..., 0] - seen[..., 2] > 150)
    down, across = np.nonzero(red)
    left, top, right, bottom = part
    assert (left <= across).all(), place
    assert (across < right).all()
    assert ((top <= down) & (down < bottom)).all()


def test_calm_places_hide_no_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detail counts less than what is covered."""
    found = (faces.Find(0.0, 0.6, 0.5, 0.4), faces.Find(0.5, 0.6, 0.5, 0.4))
    monkeypatch.setattr(calm.faces, "find", lambda *_: found)
    image = pyvips.Image.black(300, 200)
    at = [
        calm.settled(canvas.Canvas(image=image, size=(300, 200)), Gravity(place), (80, 40)).place
        for place in ("entropy", "face")
    ]
    assert at == ["sowe", "nowe"]


def test_a_background_lies_around_the_words() -> None:
    """A quarter of the size on every side; in a box, all of the box."""
    left, top, right, bottom = box(write("H", background=(*INK, 255), colour=(255, 255, 255, 255)))
    plain = box(write("H"))
    assert (right - left) - (plain[2] - plain[0]) == pytest.approx(20, abs=2)
    assert (bottom - top) - (plain[3] - plain[1]) == pytest.approx(20, abs=2)
    boxed = write("H", background=(*INK, 255), w=pixels(200), h=pixels(90), size=ZERO, gravity=NOWE)
    assert box(boxed) == (0, 0, 200, 90)


def test_opacity_blend_rotation_and_tiles_are_those_of_layers() -> None:
    """Half black on 240 is 120; lighten shows no black; a quarter turn stands; tiles repeat."""
    assert write("H", opacity=Decimal("0.5")).min() == pytest.approx(120, abs=2)
    assert not ink(write("H", blend="lighten")).any()
    left, top, right, bottom = box(write("Hello", degrees=Decimal(90)))
    assert bottom - top > 2 * (right - left)
    assert ink(write("H", tile=True)).sum() > 8 * ink(write("H")).sum()


def test_shares_are_of_the_picture() -> None:
    """A size of a fifth of its height, a box of half its width."""
    assert np.array_equal(write("H", size=share(Decimal("0.2"))), write("H", size=pixels(40)))
    assert box(write("Hello", size=ZERO, w=share(Decimal("0.5")), gravity=NOWE))[2] <= 150


@pytest.mark.parametrize("box", [{}, {"w": pixels(200), "h": pixels(90)}])
@pytest.mark.parametrize("text", ["\u200b", "\u00ad\u2060", " \n ", "\u2067\u2069"])
def test_words_without_ink_leave_the_picture_as_it_is(text: str, box: dict[str, Any]) -> None:
    """Joiners, direction marks and spaces are no fault of the source's."""
    assert not ink(write(text, background=(255, 0, 0, 255), **box)).any()


def test_a_line_longer_than_can_be_drawn_is_refused_as_words() -> None:
    """Cairo draws up to 32,767 pixels; the reason is the words, not the source."""
    with pytest.raises(refusals.Refusal) as caught:
        write("W" * 1_000, size=pixels(38))
    assert (caught.value.status, caught.value.code) == (422, "words_too_large")


def test_words_that_would_be_too_large_are_refused() -> None:
    """Before a pixel of them is made."""
    with pytest.raises(refusals.Refusal) as caught:
        write("W" * 900, size=pixels(4096), wrap="none")
    assert (caught.value.status, caught.value.code) == (422, "words_too_large")


def test_nothing_to_write_is_nothing() -> None:
    """Blanks and controls leave the picture."""
    for text in ("", " ", "\n\n", "\u202e", "\0\x1b"):
        assert not ink(write(text)).any()


CLEANED = [
    ("a\r\nb\u2028c\x85d", "a\nb\nc\nd"),
    ("\u202etxt.exe\u202c", "txt.exe"),
    ("a\u2068b\u2069c", "a\u2068b\u2069c"),
    ("e\u0301", "é"),
    ("a\tb\x00c\ue000", "a bc"),
    (" \n a \n", "a"),
]


@pytest.mark.parametrize(("text", "wanted"), CLEANED)
def test_text_is_cleaned(text: str, wanted: str) -> None:
    """One kind of line end, composed, no controls; overrides go, isolates stay."""
    assert wording.clean(text) == wanted


@pytest.mark.parametrize(
    "text", ["a" + "\u0335" * 9, "\n".join("x" * 101), "Z" + "\u0337\u0322" * 40]
)
def test_towers_of_marks_and_lines_are_refused(text: str) -> None:
    """400, before anything is set."""
    with pytest.raises(refusals.Refusal) as caught:
        wording.clean(text)
    assert caught.value.status == 400


@pytest.mark.parametrize("language", ["ja", "zh-Hant-TW", "sr-Latn"])
def test_a_language_may_be_named(language: str) -> None:
    """A tag; what is none is a 400."""
    assert ink(write("ж", language=language)).any()
    with pytest.raises(refusals.Refusal, match="language tag"):
        write("ж", language=language + "-")


def test_a_font_without_outlines_is_not_used(tmp_path: Path) -> None:
    """Fonts of pictures are no shapes that could be filled."""
    data = bytearray((fonts.BUNDLED / "NotoSansHebrew-Bold.ttf").read_bytes())
    at = data.index(b"glyf")
    data[at : at + 4] = b"CBDT"
    (tmp_path / "a.ttf").write_bytes(data)
    assert sfnt.read(tmp_path / "a.ttf") == ()


def test_a_font_cannot_make_one_read_its_table_over_and_over() -> None:
    """Segments that lie in each other give each character once; a name that is a book is none."""
    count = 50
    ends = struct.pack(f">{count}H", *[0xFFFE] * count)
    starts, offsets = bytes(2 * count), struct.pack(f">{count}H", *[2] * count)
    head = struct.pack(">HHHHHHH", 4, 0, 0, 2 * count, 0, 0, 0)
    table = head + ends + b"\0\0" + starts + bytes(2 * count) + offsets + b"\0\1" * 0x10000
    assert sum(1 for _ in sfnt._segments(table, 0)) <= 0xFFFF
    names = struct.pack(">HHH", 0, 2, 30) + b"".join(
        struct.pack(">HHHHHH", 3, 1, 0x409, 1, size, 0) for size in (8, 60_000)
    )
    assert list(sfnt._families(names + "Name".encode("utf-16-be") * 9_000)) == ["Name"]


@given(at=st.integers(0, 3_000), junk=st.binary(min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_damaged_fonts_are_faces_or_none(tmp_path_factory: Any, at: int, junk: bytes) -> None:
    """Never another error."""
    path = tmp_path_factory.getbasetemp() / "damaged.ttf"
    data = bytearray((fonts.BUNDLED / "NotoSansHebrew-Bold.ttf").read_bytes())
    data[at : at + len(junk)] = junk
    path.write_bytes(data)
    try:
        faces = sfnt.read(path)
    except sfnt.NotAFont:
        return
    for face in faces:
        face.covers.has(0x5D0)


@given(
    text=st.text(max_size=60) | st.text("aب\u0301\u202e\u200d\u2066\n<&>\0\t", max_size=60),
    font=st.text(max_size=20) | st.just("Noto Sans"),
    size=st.integers(0, 200), w=st.integers(0, 300), wrap=st.sampled_from(["word", "char", "none"]),
    align=st.sampled_from(["start", "centre", "end", "justify"]),
    stroke=st.sampled_from([0, 3]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_words_give_a_picture_or_a_refusal(
    text: str, font: str, size: int, w: int, wrap: Any, align: Any, stroke: int
) -> None:
    """Whatever a stranger writes."""
    op = Words(
        Text(text), font=Text(font), size=pixels(size), w=pixels(w), wrap=wrap, align=align,
        stroke=Decimal(stroke),
    )  # fmt: skip
    try:
        assert drawn(op, size=(60, 40)).shape[:2] == (40, 60)
    except refusals.Refusal as refusal:
        assert refusal.status in (400, 422)


def test_half_a_character_is_a_400() -> None:
    """It could not be spelled."""
    with pytest.raises(refusals.Refusal) as caught:
        write("a\ud800b")
    assert caught.value.status == 400


def test_fonts_are_part_of_the_validator(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other fonts, another picture; only where there are words."""
    Image.new("RGB", (50, 40), PAPER).save(folder / "a.png")
    tags = []
    for revision in ("one", "two"):
        monkeypatch.setattr(generate.fonts, "revision", lambda found=revision: found)
        for ops in ((Words(Text("a")),), ()):
            made = recipe.canonical(
                source="pics", path="a.png", engine="1", ops=ops, out=Output(fm="png")
            )
            tags.append(dict(make(recipe.spell(made)).headers)["etag"])
    assert len(set(tags)) == 3
    assert tags[1] == tags[3]


def test_frames_have_the_same_words(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set once, in the colour that the first frame asks for, so that nothing flickers."""
    frames = [Image.new("RGB", (80, 60), (grey, grey, grey)) for grey in (0, 90, 250)]
    frames[0].save(folder / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    found: list[int] = []
    real = words._set
    monkeypatch.setattr(words, "_set", lambda *given: found.append(1) or real(*given))
    op = Words(Text("H"), size=pixels(30), contrast=True)
    out = Output(fm="webp", frames=0, lossless=True)
    made = recipe.canonical(source="pics", path="a.webp", engine="1", ops=(op,), out=out)
    reply = make(recipe.spell(made))
    assert reply.status == 200
    with Image.open(io.BytesIO(reply.body)) as image:
        assert image.n_frames == 3
        for number, grey in enumerate((0, 90, 250)):
            image.seek(number)
            lowest, highest = image.convert("L").getextrema()
            assert (lowest >= grey - 6, highest >= 250) == (True, True)
    assert len(found) == 1


def test_a_refusal_is_told(folder: Path, make: Make) -> None:
    """With the script, as JSON."""
    Image.new("RGB", (50, 40), PAPER).save(folder / "a.png")
    made = recipe.canonical(
        source="pics", path="a.png", engine="1", ops=(Words(Text("한")),), out=Output(fm="png")
    )
    reply = make(recipe.spell(made))
    assert (reply.status, json.loads(reply.body)["script"]) == (422, "Hangul")
