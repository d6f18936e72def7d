"""Pictures over pictures: places, boxes, blending, tiling, nesting; and what is refused.

Pillow and the formulas of the modes are the oracle: neither shares code with libvips.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import generate
import limits
import recipe
import refusals
import render
import used
from dynimo.sdk import http
from ops import effects, geometry, values
from ops import layers as declared
from ops.base import Text
from ops.layers import Layer
from ops.output import Output
from ops.values import Gravity, pixels, share

Make = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
BELOW, ABOVE = (200, 60, 90), (40, 180, 120)
ENGINE = "1"


def path_of(*ops: Any, file: str = "a.png") -> str:
    made = recipe.canonical(source="pics", path=file, engine=ENGINE, ops=ops, out=Output(fm="png"))
    return recipe.spell(made)


@pytest.fixture
def pics(folder: Path) -> Path:
    """Put a picture of 100 x 80 and a badge of 20 x 10 in the source."""
    Image.new("RGB", (100, 80), BELOW).save(folder / "a.png")
    Image.new("RGBA", (20, 10), (*ABOVE, 255)).save(folder / "badge.png")
    return folder


def layer(**arguments: Any) -> Layer:
    return Layer(Text("pics/badge.png"), **arguments)


def placed(place: tuple[int, int], size: tuple[int, int] = (20, 10)) -> np.ndarray:
    """Say what Pillow makes of it."""
    wanted = Image.new("RGB", (100, 80), BELOW)
    wanted.paste(Image.new("RGB", size, ABOVE), place)
    return np.asarray(wanted)


TEN = pixels(10)
PLACES = [
    (Gravity(), (40, 35)),
    (Gravity("nowe"), (0, 0)),
    (Gravity("soea"), (80, 70)),
    (Gravity("noea", TEN, pixels(5)), (70, 5)),
    (Gravity("sowe", share(Decimal("0.1")), TEN), (10, 60)),
    (Gravity("ce", TEN, pixels(-5)), (50, 30)),
    (Gravity("nowe", pixels(-15), pixels(-4)), (-15, -4)),
    (Gravity("soea", pixels(-10), pixels(-5)), (90, 75)),
    (values.focal(Decimal("0.5"), Decimal("0.25")), (40, 15)),
    (Gravity("nowe", pixels(500)), (500, 0)),
]


@pytest.mark.parametrize(("gravity", "place"), PLACES)
def test_a_layer_lies_where_its_gravity_says(
    pics: Path, make: Make, look: Look, gravity: Gravity, place: tuple[int, int]
) -> None:
    """Offsets push away from the named edge, also out of the picture, whose size stays."""
    image = look(make(path_of(layer(gravity=gravity))))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), placed(place))


BOXES = [
    ({"w": share(Decimal("0.4"))}, (40, 20)),
    ({"h": pixels(5)}, (10, 5)),
    ({"w": pixels(60), "h": pixels(60)}, (60, 30)),
    ({"w": pixels(60), "h": pixels(60), "fit": "fill"}, (60, 60)),
    ({"w": share(Decimal(1)), "h": share(Decimal(1)), "fit": "outside"}, (160, 80)),
    ({"degrees": Decimal(90)}, (10, 20)),
]


@pytest.mark.parametrize(("arguments", "size"), BOXES)
def test_a_layer_is_brought_into_its_box(
    pics: Path, make: Make, look: Look, arguments: dict[str, Any], size: tuple[int, int]
) -> None:
    """Shares are of the picture below; one side follows the other; it may grow."""
    got = np.asarray(look(make(path_of(layer(gravity=Gravity("nowe"), **arguments)))))
    off = np.abs(got.astype(int) - placed((0, 0), size)).max(axis=2)
    assert (off > 2).sum() <= 30  # a turned edge may be soft


def test_opacity_mixes(pics: Path, make: Make, look: Look) -> None:
    """A quarter of the one and three of the other."""
    image = look(make(path_of(layer(opacity=Decimal("0.25")))))
    wanted = [0.25 * top + 0.75 * low for top, low in zip(ABOVE, BELOW, strict=True)]
    assert np.allclose(image.getpixel((50, 40)), wanted, atol=1.5)
    assert image.getpixel((5, 5)) == BELOW


def lit(cb: float, cs: float) -> float:
    """PDF 1.7, 11.3.5.2: hard light."""
    return 2 * cb * cs if cs <= 0.5 else 1 - 2 * (1 - cb) * (1 - cs)


def softly(cb: float, cs: float) -> float:
    d = ((16 * cb - 12) * cb + 4) * cb if cb <= 0.25 else cb**0.5
    return cb - (1 - 2 * cs) * cb * (1 - cb) if cs <= 0.5 else cb + (2 * cs - 1) * (d - cb)


BLENDS: dict[str, Callable[[float, float], float]] = {
    "over": lambda cb, cs: cs,
    "atop": lambda cb, cs: cs,
    "multiply": lambda cb, cs: cb * cs,
    "screen": lambda cb, cs: cb + cs - cb * cs,
    "overlay": lambda cb, cs: lit(cs, cb),
    "darken": min,
    "lighten": max,
    "colour-dodge": lambda cb, cs: min(1, cb / (1 - cs)),
    "colour-burn": lambda cb, cs: 1 - min(1, (1 - cb) / cs),
    "hard-light": lit,
    "soft-light": softly,
    "difference": lambda cb, cs: abs(cb - cs),
    "exclusion": lambda cb, cs: cb + cs - 2 * cb * cs,
    "dest-over": lambda cb, cs: cb,
    "dest": lambda cb, cs: cb,
    "saturate": lambda cb, cs: cb,
    "add": lambda cb, cs: min(1, cb + cs),
}
COVERAGE = {
    # mode → alpha under the layer, and beside it, on an opaque picture
    "xor": (0, 255), "in": (255, 0), "out": (0, 0), "dest-in": (255, 0), "dest-out": (0, 255),
    "dest-atop": (255, 0), "clear": (0, 0), "source": (255, 0),
}  # fmt: skip


def test_every_mode_is_tried() -> None:
    """No blend mode is without its formula."""
    assert set(get_args(declared.Blend)) == BLENDS.keys() | COVERAGE.keys()


@pytest.mark.parametrize("blend", BLENDS)
def test_modes_follow_their_formulas(pics: Path, make: Make, look: Look, blend: str) -> None:
    """Opaque over opaque, within two steps; beside the layer nothing changes."""
    image = look(make(path_of(layer(blend=blend))))
    wanted = [
        255 * BLENDS[blend](low / 255, top / 255) for low, top in zip(BELOW, ABOVE, strict=True)
    ]
    assert np.allclose(image.getpixel((50, 40)), wanted, atol=2), (image.getpixel((50, 40)), wanted)
    assert (image.mode, image.getpixel((5, 5))) == ("RGB", BELOW)


@pytest.mark.parametrize("blend", COVERAGE)
@pytest.mark.parametrize("gravity", [Gravity(), Gravity("nowe", pixels(900))])
def test_modes_that_cut_work_on_all_of_the_picture(
    pics: Path, make: Make, look: Look, blend: str, gravity: Gravity
) -> None:
    """Porter and Duff: what the layer is clear for goes, where the mode says so."""
    image = look(make(path_of(layer(blend=blend, gravity=gravity)))).convert("RGBA")
    under, beside = COVERAGE[blend]
    assert image.getpixel((5, 5))[3] == beside
    assert image.getpixel((50, 40))[3] == (under if gravity == Gravity() else beside)


def test_a_layer_may_look_for_a_calm_place(pics: Path, make: Make, look: Look) -> None:
    """Beside what there is to see."""
    picture = Image.open(pics / "a.png").copy()
    picture.paste(Image.effect_noise((100, 80), 90).crop((0, 0, 100, 60)), (0, 20))
    picture.paste(Image.effect_noise((70, 20), 90), (0, 0))
    picture.save(pics / "busy.png")
    image = look(make(path_of(layer(gravity=Gravity("entropy")), file="busy.png")))
    assert (image.getpixel((90, 8)), image.getpixel((74, 8))) == (ABOVE, BELOW)


def test_tiles_cover_everything(pics: Path, make: Make, look: Look) -> None:
    """Repeated from where it lies; spacing is padding of its own."""
    spaced = Text(str(geometry.Pad(pixels(0), pixels(5), pixels(6), pixels(0))))
    one = Gravity("nowe", pixels(7), pixels(3))
    got = np.asarray(look(make(path_of(layer(tile=True, gravity=one, made=spaced)))))
    across = (np.arange(100) - 7) % 25 < 20
    down = (np.arange(80) - 3) % 16 < 10
    wanted = np.where((down[:, None] & across)[..., None], ABOVE, BELOW)
    assert np.array_equal(got, wanted)


def test_a_layer_has_its_own_operations_and_layers(pics: Path, make: Make, look: Look) -> None:
    """A badge on a badge: the inner one's shares are of the outer one."""
    Image.new("RGB", (8, 8), (1, 2, 3)).save(pics / "dot.png")
    dot = Layer(Text("pics/dot.png"), w=share(Decimal("0.5")), gravity=Gravity("nowe"), fit="fill")
    badge = layer(gravity=Gravity("nowe"), made=Text(f"flip:1;{dot}"))
    image = look(make(path_of(badge)))
    assert [image.getpixel(at) for at in ((3, 3), (9, 7), (12, 3), (25, 3))] == [
        (1, 2, 3), (1, 2, 3), ABOVE, BELOW,
    ]  # fmt: skip


def test_below_that_has_alpha_keeps_it(pics: Path, make: Make, look: Look) -> None:
    """A layer on nothing shows itself; the rest stays clear."""
    Image.new("RGBA", (100, 80), (0, 0, 0, 0)).save(pics / "clear.png")
    image = look(make(path_of(layer(), file="clear.png")))
    assert image.getpixel((50, 40)) == (*ABOVE, 255)
    assert image.getpixel((5, 5))[3] == 0


def test_grey_takes_colour(pics: Path, make: Make, look: Look) -> None:
    """A grey picture becomes a coloured one."""
    Image.new("L", (100, 80), 77).save(pics / "grey.png")
    image = look(make(path_of(layer(), file="grey.png")))
    assert (image.getpixel((50, 40)), image.getpixel((5, 5))) == (ABOVE, (77, 77, 77))


def test_a_mask_keeps_where_its_file_is_light(pics: Path, make: Make, look: Look) -> None:
    """Stretched over the picture; dark and clear parts go, what has alpha keeps the lesser."""
    light = Image.new("LA", (10, 8), (255, 255))
    light.paste((0, 255), (0, 0, 5, 4))
    light.paste((255, 0), (5, 4, 10, 8))
    light.paste((128, 255), (0, 4, 5, 8))
    light.save(pics / "mask.png")
    image = look(make(path_of(effects.Mask("file", Text("pics/mask.png")))))
    at = [(10, 10), (90, 10), (10, 70), (90, 70)]
    assert [image.getpixel(one)[3] for one in at] == pytest.approx([0, 255, 128, 0], abs=2)
    assert image.getpixel((90, 10))[:3] == BELOW
    gone = make(path_of(effects.Mask("file", Text("pics/gone.png"))))
    assert (gone.status, json.loads(gone.body)["layer"]) == (404, "pics/gone.png")


def nested(levels: int) -> Layer:
    op = layer()
    for _ in range(levels - 1):
        op = layer(made=Text(str(op)))
    return op


def test_layers_lie_three_deep_and_no_deeper(pics: Path, make: Make) -> None:
    """A layer in a layer without end is refused before anything is fetched."""
    assert make(path_of(nested(declared.NESTED_MAX))).status == 200
    with pytest.raises(refusals.Refusal, match="nested at most") as caught:
        path_of(nested(declared.NESTED_MAX + 1))
    assert caught.value.status == 400


def test_layers_are_counted_with_those_inside() -> None:
    """Sixteen in all."""
    two = layer(made=Text(str(layer())))
    path_of(*[two] * (declared.LAYERS_MAX // 2))
    with pytest.raises(refusals.Refusal, match="at most 16"):
        path_of(*[two] * (declared.LAYERS_MAX // 2), layer())


@pytest.mark.parametrize(
    "op",
    [
        Layer(Text("")), Layer(Text("pics")), Layer(Text("pics/../b")), Layer(Text("pics/a\n")),
        layer(made=Text("nonsense")), layer(made=Text("as:png")), layer(made=Text("pixelate:0")),
        layer(made=Text("blur:2;")), effects.Mask("file", Text("pics/../../etc/passwd")),
        layer(w=pixels(-1)), layer(opacity=Decimal(2)), layer(blend="burn"), layer(fit="cover"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_400(op: Any) -> None:
    """Said when the URL is read, before a file is."""
    with pytest.raises(refusals.Refusal) as caught:
        path_of(op)
    assert caught.value.status == 400


def test_a_recipe_that_is_too_long_is_a_400() -> None:
    """Better than one that cannot be read back."""
    with pytest.raises(refusals.Refusal, match="short enough") as caught:
        path_of(*[Layer(Text("pics/" + "x" * 200))] * 12)
    assert caught.value.status == 400


def test_a_layer_that_is_not_there_is_named(pics: Path, make: Make) -> None:
    """With its status and its reference, never with where the source is; nested ones too."""
    gone = Layer(Text("pics/gone.png"))
    for op in (gone, layer(made=Text(str(gone)))):
        reply = make(path_of(op))
        said = json.loads(reply.body)
        assert (reply.status, said["layer"]) == (404, "pics/gone.png")
        assert str(pics).encode() not in reply.body


def test_a_layer_that_is_broken_is_named(pics: Path, make: Make) -> None:
    """422, as for a picture of its own."""
    (pics / "badge.png").write_bytes((pics / "badge.png").read_bytes()[:60])
    Image.effect_noise((200, 200), 50).save(pics / "noise.png")
    (pics / "noise.png").write_bytes((pics / "noise.png").read_bytes()[:9_000])
    for name in ("badge", "noise"):
        reply = make(path_of(Layer(Text(f"pics/{name}.png"))))
        assert reply.status == 422
        assert json.loads(reply.body)["layer"] == f"pics/{name}.png"


@pytest.mark.parametrize("limit", ["output_pixels", "source_bytes"])
def test_layers_that_are_too_large_together_are_refused(
    pics: Path, make: Make, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """No more pixels than a picture may have, no more bytes than a source may have."""
    for name in ("one", "two"):
        Image.effect_noise((100, 80), 50).save(pics / f"{name}.png")
    path = path_of(*[Layer(Text(f"pics/{name}.png")) for name in ("one", "two")])
    assert make(path).status == 200
    room = replace(generate._DEPLOYMENT.limits, **{limit: 12_000})
    monkeypatch.setattr(generate, "_DEPLOYMENT", replace(generate._DEPLOYMENT, limits=room))
    reply = make(path)
    assert (reply.status, json.loads(reply.body)["error"]) == (422, "layers_too_large")


def test_a_layer_is_read_and_decoded_once(
    pics: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a picture names it."""
    opened: list[str] = []
    real = used.Used.fetch
    monkeypatch.setattr(
        used.Used, "fetch", lambda self, name: opened.append(name) or real(self, name)
    )
    corners = [layer(gravity=Gravity(place)) for place in ("nowe", "noea", "sowe", "soea")]
    assert make(path_of(*corners)).status == 200
    assert opened == ["pics/badge.png"]


def test_the_validator_speaks_of_every_file(
    pics: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed layer, even in a layer, is another picture; an unchanged one costs no read."""
    path = path_of(layer(made=Text(str(Layer(Text("pics/dot.png"))))))
    for name in ("a", "badge", "dot"):
        Image.new("RGB", (8, 8), ABOVE).save(pics / f"{name}.png")
        os.utime(pics / f"{name}.png", (1_000, 1_000))
    first = dict(make(path).headers)
    with monkeypatch.context() as blind:
        blind.setattr(used.Used, "read", None)
        again = make(path, {"if-none-match": first["etag"]})
    assert (again.status, dict(again.headers)["etag"]) == (304, first["etag"])
    for seconds, name in ((2_000, "badge"), (3_000, "dot")):
        Image.new("RGB", (8, 8), BELOW).save(pics / f"{name}.png")
        os.utime(pics / f"{name}.png", (seconds, seconds))
        then = make(path, {"if-none-match": first["etag"]})
        headers = dict(then.headers)
        assert then.status == 200
        assert headers["etag"] != first["etag"]
        assert headers["last-modified"] != first["last-modified"]
        first = headers


@given(file=st.text(max_size=60), made=st.text(alphabet="abflur:;,019.-_ \n🎉", max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_recipe_or_a_refusal(file: str, made: str) -> None:
    """And what is a recipe reads back as itself."""
    try:
        path = path_of(Layer(Text(file), made=Text(made)))
    except refusals.Refusal as refusal:
        assert refusal.status == 400
        return
    assert recipe.spell(recipe.parse(path)) == path


LENGTHS = st.integers(-40, 90).map(pixels) | st.integers(-50, 150).map(
    lambda part: share(Decimal(part) / 100)
)
SIDES = st.integers(0, 90).map(pixels)
LAID = st.builds(
    Layer,
    st.sampled_from(["s/a", "s/b", "s/broken", "s/gone"]).map(Text),
    st.builds(Gravity, st.sampled_from(values.SIDES), LENGTHS, LENGTHS)
    | st.sampled_from([Gravity(place) for place in ("entropy", "attention")]),
    SIDES, SIDES, st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(1)]),
    st.sampled_from(get_args(declared.Blend)), st.booleans(),
    st.sampled_from([Decimal(0), Decimal(90), Decimal(33)]),
    st.sampled_from(["inside", "outside", "fill"]),
)  # fmt: skip
SAID = st.builds(
    declared.Words,
    st.text("aB \nשن<é\u0301", max_size=20).map(Text),
    st.builds(Gravity, st.sampled_from(values.SIDES), LENGTHS, LENGTHS),
    size=SIDES, w=SIDES, h=SIDES, blend=st.sampled_from(get_args(declared.Blend)),
    stroke=st.sampled_from([Decimal(0), Decimal("1.5"), Decimal(20)]),
    shadow=st.sampled_from([Decimal(0), Decimal(5)]), tile=st.booleans(), contrast=st.booleans(),
    degrees=st.sampled_from([Decimal(0), Decimal(45)]),
    background=st.sampled_from([(0, 0, 0, 0), (9, 9, 9, 99)]),
)  # fmt: skip
SHAPED = st.sampled_from(
    [geometry.Rotate(Decimal(30)), geometry.Flip(x=True), geometry.Resize("inside", pixels(31))]
)


def png(mode: str, size: tuple[int, int], colour: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "png")
    return file.getvalue()


FILES = {
    "s/a": png("RGB", (40, 30), BELOW), "s/b": png("LA", (13, 1), (0, 99)), "s/broken": b"GIF89a",
}  # fmt: skip


def fetched(reference: str) -> bytes:
    if reference not in FILES:
        raise refusals.not_found()
    return FILES[reference]


@given(ops=st.lists(LAID | SAID | SHAPED, min_size=1, max_size=4), inner=st.lists(LAID, max_size=1))
@settings(max_examples=40, deadline=None)
def test_chains_of_anything_give_a_picture_or_a_refusal(ops: list[Any], inner: list[Any]) -> None:
    """Odd places, empty boxes, one pixel, nothing there: never another error."""
    around = [Layer(Text("s/a"), made=Text(str(one))) for one in inner]
    made = recipe.canonical(
        source="s", path="p", engine="1", ops=(*ops, *around), out=Output(fm="png")
    )
    for file in ("s/a", "s/b"):
        try:
            rendered = render.render(FILES[file], made, limits.Limits(), fetched)
        except refusals.Refusal as refusal:
            assert refusal.status in (400, 404, 422)
        else:
            assert rendered.pixels.width > 0
