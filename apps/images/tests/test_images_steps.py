"""What stands in for a picture: links that lead to less work, and the small picture in a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import limits
import preview
import recipe as recipes
import refusals
import spelled
import steps
from dynimo.sdk import http
from ops import effects, geometry, values
from ops.base import Op
from ops.output import Output

Ask = Callable[..., http.Reply]
SIDES = st.one_of(st.none(), st.integers(1, 8192))


def _recipe(**given: object) -> recipes.Recipe:
    defaults = {"source": "pics", "path": "a b.jpg", "engine": "e1", "fm": "avif", "q": 55}
    return spelled.canonical(**{**defaults, **given})  # type: ignore[arg-type]


@given(SIDES, SIDES, st.sampled_from(spelled.FITS), st.sampled_from(spelled.FORMATS))
def test_cheaper_is_less_work_of_the_same_shape(
    w: int | None, h: int | None, fit: str, fm: str
) -> None:
    """A JPEG of the same fit, never larger, never enlarged; and its path says it all."""
    wanted = _recipe(w=w, h=h, fit=fit, fm=fm)
    made = steps.cheaper(wanted)
    assert (made.out.fm, made.path) == ("jpg", wanted.path)
    if w or h:
        assert [type(op) for op in made.ops] == [type(op) for op in wanted.ops]
    assert 0 < max(made.box) <= steps.SIDE_MAX
    assert made.box[0] <= (w or steps.SIDE_MAX)
    assert 0 < made.out.quality <= steps.QUALITY
    links = steps.links(wanted)
    assert list(links) == ["cheaper", "preview"]
    assert [steps.parse(path) for path in links.values()] == [
        (steps.CHEAPER, made),
        (steps.PREVIEW, made),
    ]


def _of(*ops: Op) -> recipes.Recipe:
    out = Output(fm="jpg")
    return recipes.canonical(source="pics", path="a.jpg", engine="e1", ops=ops, out=out)


@pytest.mark.parametrize(
    "hiding",
    [
        effects.Detections("pixelate"),
        effects.Region("colour", values.ZERO, values.ZERO, values.pixels(9), values.pixels(9)),
    ],
    ids=str,
)
def test_nothing_stands_in_that_would_show_what_is_hidden(hiding: Op) -> None:
    """Neither the cheaper picture, nor the preview, nor a stored form without the same hidden."""
    plain, hidden = _of(effects.Blur(Decimal(2)), effects.Detections("frame")), _of(hiding)
    assert steps.links(plain)
    assert not steps.links(hidden)
    assert steps.group(plain) == "pics/a.jpg"
    assert steps.group(hidden) != steps.group(plain)
    assert steps.group(hidden) == steps.group(_of(effects.Blur(Decimal(2)), hiding))
    assert steps.group(hidden) != steps.group(_of(hiding, hiding))


def test_a_cheaper_picture_has_all_of_the_geometry_smaller() -> None:
    """From the first resize on, lengths, offsets and least sides; shares and the rest stay."""
    px = values.pixels
    wanted = _of(
        geometry.Crop(px(100), px(100), px(900), px(900)),
        geometry.Resize("outside", px(1280), px(1280), enlarge=True, least_w=1280),
        geometry.Cut(
            px(1280), px(1280), values.Gravity("noea", px(20), values.share(Decimal("0.1")))
        ),
        geometry.Rotate(Decimal(90)),
        geometry.Pad(px(10), px(20), px(1), values.share(Decimal("0.5"))),
    )
    assert recipes.spell_ops(steps.cheaper(wanted).ops) == (
        "crop:100,100,900,900;resize:outside,640,640,1,,640;cut:640,640,noea~10~0.1r;rotate:90;"
        "pad:5,10,1,0.5r"
    )


@pytest.mark.parametrize("path", ["/_spare/cheaper/2/x", "/_spare/", "/_images/2/e/as:jpg/a/b"])
def test_other_paths_are_none(path: str) -> None:
    """404, as for recipes."""
    with pytest.raises(refusals.Refusal):
        steps.parse(path)


def test_a_decision_says_what_may_stand_in(folder: Path, decide: Ask) -> None:
    """Group, rank and links; what is not known yet of the size is a star."""
    headers = dict(decide("pics/a%20b.jpg", "w=400").headers)
    assert headers[http.GROUP_HEADER] == "pics/a%20b.jpg"
    assert headers[http.RANK_HEADER] == "400x*"
    assert headers[http.FALLBACK_HEADER].startswith("cheaper=/_spare/cheaper/2/")
    assert headers["cache-control"] == "max-age=30, stale-if-error=86400"


def test_a_picture_says_which_form_it_is(folder: Path, ask: Ask) -> None:
    """By its real size."""
    Image.new("RGB", (80, 40)).save(folder / "a.png")
    headers = dict(ask("pics/a.png", "w=40").headers)
    assert (headers[http.GROUP_HEADER], headers[http.RANK_HEADER]) == ("pics/a.png", "40x20")


def test_a_source_that_fails_leaves_nothing_to_try(
    make: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs the same source is no help; nor is a second try at it."""
    monkeypatch.setenv("DYNIMO_SOURCES", '{"pics": "http://127.0.0.1:1/"}')
    reply = make(recipes.spell(_recipe(w=10)))
    assert reply.status == 502
    assert dict(reply.headers)[http.FALLBACK_HEADER] == "none"


def _photo(size: tuple[int, int], small: tuple[int, int], orientation: int = 1) -> bytes:
    """A red JPEG with a small blue one in its Exif block, as cameras make them."""
    inner = io.BytesIO()
    Image.new("RGB", small, "blue").save(inner, "JPEG")
    exif = Image.Exif()
    exif[0x0112] = orientation
    head = exif.tobytes()[6:]  # big or little: whatever Pillow writes
    order = "little" if head[:2] == b"II" else "big"
    entries = int.from_bytes(head[8:10], order)
    after = 10 + 12 * entries
    second = len(head)
    offset = second + 2 + 24 + 4

    def entry(tag: int, value: int) -> bytes:
        return b"".join(
            [tag.to_bytes(2, order), (4).to_bytes(2, order), (1).to_bytes(4, order),
             value.to_bytes(4, order)]
        )  # fmt: skip

    body = inner.getvalue()
    tiff = head[:after] + second.to_bytes(4, order) + head[after + 4 :]
    tiff += (2).to_bytes(2, order) + entry(0x0201, offset) + entry(0x0202, len(body)) + bytes(4)
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "JPEG", exif=b"Exif\0\0" + tiff + body)
    return out.getvalue()


@pytest.mark.parametrize(
    ("orientation", "query", "size"),
    [
        (1, {"w": 300}, (300, 200)),
        (6, {"w": 300}, (300, 450)),
        (1, {"w": 200, "h": 200, "fit": "cover"}, (200, 200)),
        (1, {"w": 5000}, (600, 400)),
    ],
)
def test_the_small_picture_takes_the_place_of_the_real_one(
    folder: Path, orientation: int, query: dict[str, int], size: tuple[int, int],
    make_spare: Ask, look: Callable[[http.Reply], Image.Image],
) -> None:  # fmt: skip
    """Of exactly its size, upright, without the bars; and no form of it for the edge."""
    (folder / "a b.jpg").write_bytes(_photo((600, 400), (160, 120), orientation))
    path = steps.links(_recipe(**query))["preview"]
    reply = make_spare(path)
    picture = look(reply)
    assert picture.size == size
    assert picture.getpixel((size[0] // 2, size[1] // 2))[2] > 200
    assert http.GROUP_HEADER not in dict(reply.headers)


def test_the_spare_makes_the_cheaper_picture(
    folder: Path, make_spare: Ask, look: Callable[[http.Reply], Image.Image]
) -> None:
    """And that is a form of the artwork, which may stand in again."""
    Image.new("RGB", (2000, 1000)).save(folder / "a b.jpg")
    reply = make_spare(steps.links(_recipe(w=1000))["cheaper"])
    assert look(reply).size == (640, 320)
    headers = dict(reply.headers)
    assert (headers["content-type"], headers[http.RANK_HEADER]) == ("image/jpeg", "640x320")


def test_only_the_beginning_is_needed() -> None:
    """However long the rest is, and whatever is in it."""
    whole = _photo((600, 400), (160, 120))
    assert preview.render(whole[: len(whole) - 300], _recipe(w=100), limits.Limits())


@given(st.binary(max_size=400), st.integers(0, 2000), st.binary(max_size=3))
def test_a_damaged_file_has_none(noise: bytes, at: int, strange: bytes) -> None:
    """Whatever the bytes: a small JPEG, nothing, or a refusal; never another error."""
    whole = bytearray(_photo((60, 40), (16, 12)))
    whole[at : at + len(strange)] = strange
    for data in (noise, bytes(whole), b"\xff\xd8\xff\xe1" + noise):
        small = preview.embedded(data)
        assert small == b"" or small.startswith(b"\xff\xd8")
        try:
            preview.render(data, _recipe(w=20), limits.Limits())
        except refusals.Refusal as refusal:
            assert refusal.status == 422
