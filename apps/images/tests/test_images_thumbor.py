"""thumbor's dialect: which recipe a path means, who may ask, and what is left out by name."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deployment
import recipe
import refusals
import rules
import thumbor_terms
from dialects import imgproxy, native, thumbor
from dialects.dialect import Asked, Decision, World
from dialects.thumbor import compiling, path, signature
from ops.base import OPS_MAX

KEY = "my-security-key"
IMAGE = "my.server.com/some/path/to/image.jpg"
VECTORS = {
    "300x200/": "8ammJH8D-7tXy6kU3lTvoXlhu4o=",
    "meta/": "Ps3ORJDqxlSQ8y00T29GdNAh2CY=",
    "smart/": "-2NHpejRK2CyPAm61FigfQgJBxw=",
    "fit-in/": "uvLnA6TJlF-Cc-L8z9pEtfasO3s=",
    "filters:brightness(10):contrast(20)/": "ZZtPCw-BLYN1g42Kh8xTcRs0Qls=",
}
"""thumbor's own, from its documentation."""


def world(**settings: Any) -> World:
    return World(
        deployment=deployment.read({"thumbor": {"allow_unsafe": True, **settings}}),
        engine="1",
        rules=rules.Rules(),
        sources={"pics": "/pics", "my.server.com": "/other"},
        now=time.time,
    )


OPEN = world()


def decided(text: str, here: World = OPEN, **headers: str) -> Decision:
    found = thumbor.decide(Asked(path=text, headers=headers), here)
    assert isinstance(found, Decision)
    return found


def ops(text: str) -> str:
    """Give the operations of an unsafe path to pics/a.jpg, as spelled, without the output."""
    return recipe.spell_ops(decided(f"unsafe/{text}pics/a.jpg").recipe.ops)


def out(text: str) -> str:
    return recipe.spell_ops([decided(f"unsafe/{text}pics/a.jpg").recipe.out])


@pytest.mark.parametrize(("prefix", "hashed"), VECTORS.items())
def test_thumbors_vectors_are_accepted(prefix: str, hashed: str) -> None:
    """HMAC-SHA1 over everything behind the hash."""
    here = world(security_key=KEY, allow_unsafe=False)
    found = decided(f"{hashed}/{prefix}{IMAGE}", here).recipe
    assert (found.source, found.path) == ("my.server.com", "some/path/to/image.jpg")


def test_imagors_vector_is_accepted() -> None:
    """The same signature; and its variants: another digest, cut short."""
    signed = "500x500/top/raw.githubusercontent.com/cshum/imagor/master/testdata/gopher.png"
    assert signature.sign("mysecret", signed) == "cST4Ko5_FqwT3BDn-Wf4gO3RFSk="
    for signer in thumbor_terms.SIGNERS:
        for truncate in (0, 28, 40):
            here = world(
                security_key="k", signer=signer, truncate=truncate, allow_unsafe=False
            )  # fmt: skip
            made = signature.sign("k", "pics/a.jpg", signer=signer, truncate=truncate)
            assert decided(f"{made}/pics/a.jpg", here).recipe.path == "a.jpg"


@pytest.mark.parametrize(
    "text",
    [
        "AAmmJH8D-7tXy6kU3lTvoXlhu4o=/300x200/" + IMAGE,
        "8ammJH8D-7tXy6kU3lTvoXlhu4o=/300x201/" + IMAGE,
        "8ammJH8D/300x200/" + IMAGE,
        "unsafe/300x200/" + IMAGE,
        "300x200/" + IMAGE,
        "",
        "%80/" + IMAGE,
    ],
)
def test_what_is_not_signed_is_refused(text: str) -> None:
    """400, as thumbor: another hash, another path, half a hash, none."""
    with pytest.raises(refusals.Refusal) as caught:
        decided(text, world(security_key=KEY, allow_unsafe=False))
    assert (caught.value.status, caught.value.code) == (400, "bad_signature")
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("said", "unsigned", "key", "allowed"),
    [
        ({}, True, "", True),
        ({}, False, "", False),
        ({}, True, "k", False),
        ({"allow_unsafe": True}, False, "k", True),
        ({"allow_unsafe": False}, True, "", False),
    ],
)
def test_unsafe_needs_a_word_or_development_without_a_key(
    said: Mapping[str, bool], *, unsigned: bool, key: str, allowed: bool
) -> None:
    """Thumbor allows it by default, which has cost many a deployment: here it must be said."""
    read = deployment.read({"thumbor": {"security_key": key, **said}, "unsigned": unsigned})
    here = replace(OPEN, deployment=read)
    if allowed:
        assert decided("unsafe/pics/a.jpg", here).recipe.path == "a.jpg"
    else:
        with pytest.raises(refusals.Refusal):
            decided("unsafe/pics/a.jpg", here)


def test_existing_deployments_bring_their_environment() -> None:
    """SECURITY_KEY and ALLOW_UNSAFE_URL hold where our own settings say nothing."""
    brought = {"SECURITY_KEY": "k", "ALLOW_UNSAFE_URL": "False"}
    assert thumbor_terms.read({}, brought) == thumbor_terms.Terms(keys=("k",), allow_unsafe=False)
    own = {"security_key": ["new", "old"], "allow_unsafe": True}
    assert thumbor_terms.read(own, brought).keys == ("new", "old")
    for wrong in ({"key": "x"}, {"signer": "md5"}, {"truncate": 4}, {"allow_unsafe": 1}, []):
        with pytest.raises(thumbor_terms.TermsError):
            thumbor_terms.read(wrong, {})


def test_a_path_may_be_signed_before_it_is_encoded() -> None:
    """Clients differ in that; and either key of a rotation is right."""
    here = world(security_key=["new", KEY], allow_unsafe=False)
    signed = signature.sign(KEY, "300x200/filters:text(a b,1,1)/pics/ä b.jpg")
    found = decided(f"{signed}/300x200/filters:text(a%20b,1,1)/pics/%C3%A4%20b.jpg", here).recipe
    assert found.path == "ä b.jpg"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("300x200/", "resize:outside,300,200,1;cut:300,200"),
        ("300x200/left/top/", "resize:outside,300,200,1;cut:300,200,nowe"),
        ("300x200/right/", "resize:outside,300,200,1;cut:300,200,ea"),
        ("300x200/smart/", "resize:outside,300,200,1;cut:300,200,attention"),
        ("300x0/", "resize:inside,300,0,1"),
        ("x200/", "resize:inside,0,200,1"),
        ("0x0/", ""),
        ("origxorig/", ""),
        ("fit-in/300x200/", "resize:inside,300,200"),
        ("fit-in/300x200/filters:upscale()/", "resize:inside,300,200,1"),
        ("full-fit-in/300x200/", "resize:outside,300,200,1"),
        ("adaptive-fit-in/300x200/", "resize:inside,300,200,,1"),
        ("adaptive-full-fit-in/300x200/", "resize:outside,300,200,1,1"),
        ("stretch/300x200/", "resize:fill,300,200,1"),
        ("300x200/filters:stretch()/", "resize:fill,300,200,1"),
        ("300x200/filters:no_upscale()/", "resize:outside,300,200;cut:300,200"),
        ("-300x-200/", "resize:outside,300,200,1;cut:300,200;flip:1,1"),
        ("-x/", "flip:1"),
        ("10x20:110x220/", "crop:10,20,100,200"),
        ("0.1x0.1:0.9x1.0/", "crop:0.1r,0.1r,0.8r,0.9r"),
        ("20x20:10x10/", ""),
        ("trim/", "trim:0"),
        ("trim/1x2:3x4/", "crop:1,2,2,2;trim:0"),
        ("trim:bottom-right:50/", "trim:50,,ffffff,bottom-right"),
        ("debug/", ""),
        ("fit-in/100x100/5x6:7x8/", "resize:inside,100,100;pad:6,7,8,5"),
    ],
)
def test_the_parts_of_a_path(text: str, expected: str) -> None:
    """In thumbor's order, imagor's parts where imagor has them."""
    assert ops(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fit-in/9x8/filters:fill(red)/", "resize:inside,9,8;extend:9,8,ce,ff0000"),
        ("fit-in/9x8/filters:fill(auto)/", "resize:inside,9,8;extend:9,8,ce,ffffff00,,auto"),
        ("fit-in/9x8/filters:fill(fff,1)/", ("resize:inside,9,8;background:ffffff;"
         "extend:9,8,ce,ffffff")),
        (
            "adaptive-fit-in/9x8/filters:fill(0f0)/",
            "resize:inside,9,8,,1;extend:9,8,ce,00ff00,,colour,1",
        ),
        ("fit-in/9x8/2x1/filters:fill(0f0)/", ("resize:inside,9,8;extend:9,8,ce,00ff00;"
         "pad:1,2,1,2,00ff00")),
        ("filters:background_color(RebeccaPurple)/", "background:663399"),
        ("filters:rotate(90)/", "rotate:270"),
        ("filters:rotate(-90):rotate(360)/", "rotate:90"),
        ("300x0/filters:orient(90)/", "rotate:270;resize:inside,300,0,1"),
        ("filters:blur(4)/", "blur:2.38"),
        ("filters:blur(4,2)/", "blur:1.85"),
        ("filters:blur(0)/", ""),
        ("filters:brightness(10):contrast(-20)/", "brightness:10;contrast:-36"),
        ("filters:rgb(1,-2,3):grayscale()/", "levels:1,-2,3;grey"),
        ("filters:brightness(150):rgb(0,-200,3)/", "brightness:100;levels:0,-100,3"),
        ("filters:saturation(0.5):saturation(-50)/", "saturation:0.5;saturation:0.5"),
        ("filters:round_corner(20|10,255,0,0)/", "round:20,10,ff0000"),
        ("filters:round_corner(20,255,0,0,1)/", "round:20"),
        ("filters:round_corner(20,20,blue)/", "round:20,0,0000ff"),
        ("filters:sharpen(1.5,0.5,true)/", "unsharp:2.21,1.2,0,1"),
        ("filters:sharpen(1,2,false):sharpen(1)/", "unsharp:8.75,0.5;sharpen:3,2"),
        ("filters:colorize(50,50,50,ff0000)/", "colourise:0.5,ff0000"),
        ("filters:noise(40):equalize():pixelate(5)/", "noise:40;equalise;pixelate:5"),
        ("filters:proportion(0.5):proportion(25)/", ("resize:fill,0.5r,0.5r,1;"
         "resize:fill,0.25r,0.25r,1")),
        ("filters:hue(-90):modulate(10,20,30)/", "hue:-90;brightness:10;saturation:1.2;hue:30"),
        ("filters:crop(10,20,0.5,50p)/", "crop:10,20,0.5r,0.5r"),
        ("filters:redact():redact(pixelate,12):redact(black)/",
         "detections:blur,15;detections:pixelate,12;detections:colour"),
    ],
)  # fmt: skip
def test_filters_are_operations(text: str, expected: str) -> None:
    """In the order in which they are written."""
    assert ops(text) == expected


def test_encoded_arguments_are_the_same() -> None:
    """Brackets, bars and quotes, as some clients send them; also within a layer's path."""
    plain = "filters:curve([(0,0),(255,200)],[],[],[(0,9),(255,255)])/"
    assert ops(plain).startswith("curve:,,")
    for text in (plain.replace("[", "%5B").replace("]", "%5d"), plain.replace("(0", "(%30")):
        assert ops(text) == ops(plain)
    assert ops("1x2%3a3x4/filters%3Ablur(3)%3Agrey()/") == ops("1x2:3x4/filters:blur(3):grey()/")
    assert ops("filters:blur%283%29%3Agrayscale%28%29/") == ops("filters:blur(3):grayscale()/")
    nested = f"filters:image(/{plain}pics/l.png,0,0)/"
    assert encoded(ops(plain)) in ops(nested)
    assert ops("filters:round_corner(20%7C10,255,0,0)/") == "round:20,10,ff0000"
    assert ops("filters:fill('red')/pics/") == ops("filters:fill(red)/pics/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filters:format(webp):quality(40)/", "as:webp,40"),
        ("filters:format(jpeg)/", "as:jpg,80"),
        ("filters:format(jpg):max_bytes(9000):max_age(5)/", "as:jpg,80,ffffff,,5,9000"),
        ("filters:format(jpg):strip_exif():strip_icc():preview()/", "as:jpg,80"),
        ("filters:raw()/", "as:original"),
        ("filters:autojpg()/", "as:best,80,ffffff,,3600,0,0,1,0,none,srgb,,,0,0,auto,jpg"),
        ("filters:autojpg():format(png)/", "as:png"),
        ("", "as:source,80"),
    ],
)
def test_some_filters_are_about_the_file(text: str, expected: str) -> None:
    """Format, quality, size in bytes, freshness."""
    assert out(text) == expected


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("pics/a.gif", 0),
        ("pics/A.GIF", 0),
        ("filters:format(webp)/pics/a.gif", 0),
        ("filters:format(jpeg)/pics/a.gif", 1),
        ("filters:max_frames(5)/pics/a.gif", 5),
        ("filters:cover()/pics/a.gif", 1),
        ("pics/a.jpg", 1),
    ],
)
def test_animations_stay_animations(text: str, frames: int) -> None:
    """By the file's name, so that stills have the recipe that they have everywhere."""
    assert decided(f"unsafe/{text}").recipe.out.frames == frames


def test_only_an_unsaid_format_is_negotiated() -> None:
    """Accept decides as in the native URL, and the answer says so."""
    said = decided("unsafe/filters:format(png)/pics/a.jpg", accept="image/avif")
    unsaid = decided("unsafe/pics/a.jpg", accept="image/avif")
    assert (said.recipe.out.fm, said.vary) == ("png", ())
    assert (unsaid.recipe.out.fm, unsaid.vary) == ("avif", ("accept",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("300x200/filters:focal(100x100:200x300)/", "shape:1.5,fp~150~200;resize:fill,300,200,1"),
        ("50x50/filters:focal(0x0:10x10):focal(10x0:40x10)/",
         "shape:1,fp~20~5;resize:fill,50,50,1"),
        ("10x10:110x210/50x50/filters:focal(20x20:30x30)/",
         "crop:10,10,100,200;shape:1,fp~15~15;resize:fill,50,50,1"),
        ("10x10:20x20/50x50/filters:focal(90x90:99x99)/",
         "crop:10,10,10,10;resize:outside,50,50,1;cut:50,50"),
        ("50x50/filters:focal(0.2,0.4)/", "resize:outside,50,50,1;cut:50,50,fp~0.2r~0.4r"),
        ("fit-in/50x50/filters:focal(0.2,0.4)/", "resize:inside,50,50"),
    ],
)  # fmt: skip
def test_focal_boxes_and_points(text: str, expected: str) -> None:
    """The centre of mass, by area, counted from the crop; what lies outside it is dropped."""
    assert ops(text) == expected


def test_the_crop_of_another_url_is_a_focus() -> None:
    """extract_focal() takes the picture behind a thumbor URL, and its crop as what matters."""
    inner = "http://thumbs.example/unsafe/10x10:50x50/200x200/pics/a.jpg"
    found = decided(f"unsafe/300x200/filters:extract_focal()/{inner}").recipe
    assert recipe.spell_ops(found.ops) == "shape:1.5,fp~30~30;resize:fill,300,200,1"
    assert (found.source, found.path) == ("pics", "a.jpg")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("pics/w.png,10,20,0", "nowe~10~20"),
        ("pics/w.png,-10,-0,50", "soea~10~0,0,0,0.5"),
        ("pics/w.png,center,5p,25,20,none", "no~0~0.05r,0.2r,0,0.75"),
        ("pics/w.png,repeat,repeat,0", "nowe,0,0,1,over,1,0,inside,,both,1"),
        ("pics/w.png,repeat,bottom,0", "sowe,0,0,1,over,1,0,inside,,across,1"),
        ("b64:" + encoded("pics/w.png") + ",center,center,100", "ce,0,0,0"),
        ("pics%2Fw.png,right,bottom,0,50,50", "soea,0.5r,0.5r"),
    ],
)
def test_watermarks_are_layers(text: str, rest: str) -> None:
    """Negative numbers count from right and bottom; alpha is transparency, ratios percent."""
    assert ops(f"filters:watermark({text})/") == f"layer:{encoded('pics/w.png')},{rest}"


def test_a_layers_path_has_operations_of_its_own() -> None:
    """They are spelled within the layer; its parent's sides are the layer's box."""
    nested = "/fit-in/fullxfull/filters:blur(2.5):grayscale()/pics/l.png"
    made = ops(f"filters:image({nested},l-5,b,50,multiply):quality(50)/")
    assert made == (
        f"layer:{encoded('pics/l.png')},sowe~-5~0,1r,1r,0.5,multiply,,0,inside,"
        + encoded("blur:1.11;grey")
    )
    made = ops("filters:image(20x20/pics/l.png)/")
    assert made == f"layer:{encoded('pics/l.png')},nowe,0,0,1,over,,0,inside," + encoded(
        "resize:outside,20,20,1;cut:20,20"
    )


def test_layers_have_limits() -> None:
    """16 of them, nested ones included, three deep."""
    one = "image(pics/l.png,0,0)"
    assert ops(f"filters:{':'.join([one] * 16)}/").count("layer") == 16
    deep = "pics/l.png"
    for _ in range(4):
        deep = f"/filters:image({deep},0,0)/pics/l.png"
    for text in (":".join([one] * 17), f"image({deep})", f"image({'/filters:' * 50}x)"):
        with pytest.raises(refusals.Refusal) as caught:
            ops(f"filters:{text}/")
        assert caught.value.status in (400, 404)


def test_words_are_set_by_pango() -> None:
    """Text in base64 or percent-encoded; a Pango font with hyphens and points."""
    made = ops("filters:text(b64:SGkg8J-Yig,center,-10p,sans-bold-24,white,25,,80p,high)/")
    text, font = encoded("Hi 😊"), encoded("sans bold")
    assert made == f"words:{text},so~0~0.1r,{font},24,ffffff,0.8r,0,end,word,0.75"
    made = ops("filters:label(a%20b,10,20,30,red)/")
    assert made.startswith(f"words:{encoded('a b')},nowe~10~20,")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("foo(1):grayscale()", "foo"),
        ("brightness(abc):brightness(1e3):brightness()", "brightness"),
        ("rotate(45):format(jp2):quality(101):focal(a)", "rotate, format, quality, focal"),
        ("image(/full-20xfull-20/pics/l.png,0,0):image(/fx20/pics/l.png)", "image"),
        ("red_eye():blurhash(3,3):f%C3%B6(1)", "red_eye, blurhash, ?"),
        ("gifv():blur(x)", "blur, gifv"),
        ("convolution(1;2,2,true):curve([(5,1),(1,5)],[],[],[])", "convolution, curve"),
    ],
)
def test_what_cannot_be_done_is_left_out_by_name(text: str, names: str) -> None:
    """As thumbor does; but the answer says which filters."""
    assert decided(f"unsafe/filters:{text}/pics/a.jpg").said == (("skipped-filters", names),)


def test_every_filter_of_thumbor_is_known() -> None:
    """The thirty that are built in."""
    builtin = """
        brightness colorize contrast rgb round_corner quality noise watermark equalize fill
        sharpen strip_exif strip_icc frame grayscale rotate format max_bytes convolution blur
        extract_focal focal no_upscale saturation max_age curve background_color upscale
        proportion stretch
    """
    known = set(builtin.split())
    assert len(known) == 30
    assert known <= set(compiling.WORK)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pics/a%20b.jpg", ("pics", "a b.jpg")),
        ("pics%2Fc%2Fa.jpg", ("pics", "c/a.jpg")),
        ("b64:" + encoded("pics/ä.jpg") + "==/", ("pics", "ä.jpg")),
        ("color:FF0000", ("~color", "ff0000")),
        ("color:none", ("~color", "ffffff00")),
        ("https://host.example/a.jpg%3Fv=1", ("~https", "host.example/a.jpg?v=1")),
        ("https:/host.example/a.jpg", ("~https", "host.example/a.jpg")),
        ("host.example/a.jpg", ("~https", "host.example/a.jpg")),
    ],
)
def test_how_pictures_are_named(text: str, place: tuple[str, str]) -> None:
    """A source's file, encoded or not, in base64; a colour; an address that is allowed."""
    read = deployment.read(
        {"thumbor": {"allow_unsafe": True}, "url_sources": ["https://host.example"]}
    )
    found = decided(f"unsafe/{text}", replace(OPEN, deployment=read)).recipe
    assert (found.source, found.path) == place


@pytest.mark.parametrize(
    "text",
    ["nowhere/a.jpg", "pics/../a.jpg", "pics/", "pics", "https://host.example/a.jpg",
     "pics%2F%2E%2E%2Fa.jpg", "b64:" + encoded("pics/../../etc"), "~color/ff0000", "~https/h/a"],
)  # fmt: skip
def test_what_is_not_there_is_404(text: str) -> None:
    """Unknown sources, ways out of them, and addresses that nobody has allowed look alike."""
    with pytest.raises(refusals.Refusal) as caught:
        decided(f"unsafe/{text}")
    assert caught.value.status == 404


def test_a_source_may_be_left_out() -> None:
    """As with thumbor's file loader; a first segment that is a source is one all the same."""
    here = world(source="pics")
    found = [decided(f"unsafe/9x9/{text}", here).recipe for text in ("a/b.jpg", "pics/b.jpg")]
    assert [(one.source, one.path) for one in found] == [("pics", "a/b.jpg"), ("pics", "b.jpg")]
    for text in ("a/../b.jpg", "https://host.example/a.jpg", "a//b.jpg"):
        with pytest.raises(refusals.Refusal):
            decided(f"unsafe/{text}", here)


def test_a_url_may_be_good_for_a_time() -> None:
    """expire() is in milliseconds; afterwards it is 410."""
    here = replace(OPEN, now=lambda: 1_000.0)
    assert decided("unsafe/filters:expire(1000001)/pics/a.jpg", here).until == 1_000.001
    with pytest.raises(refusals.Refusal) as caught:
        decided("unsafe/filters:expire(1000000)/pics/a.jpg", here)
    assert caught.value.status == 410


def test_too_many_filters_are_refused() -> None:
    """64 filters, or 63 operations and an output."""
    most = ":".join(["blur(1)"] * (path.FILTERS_MAX - 1))
    assert len(decided(f"unsafe/filters:{most}/pics/a.jpg").recipe.ops) == OPS_MAX - 1
    for count in (path.FILTERS_MAX + 1, 10_000):
        with pytest.raises(refusals.Refusal) as caught:
            decided(f"unsafe/filters:{':'.join(['blur(1)'] * count)}/pics/a.jpg")
        assert caught.value.status == 400


PAIRS = (
    ("{w}x{h}/filters:format(jpeg)/", "w={w}&h={h}&fit=cover&fm=jpg"),
    ("{w}x0/filters:no_upscale():format(webp):quality(60)/", "w={w}&fm=webp&q=60"),
    ("fit-in/{w}x{h}/", "w={w}&h={h}"),
    ("fit-in/{w}x{h}/filters:upscale():fill(fff)/", "w={w}&h={h}&fit=contain&bg=fff"),
    ("stretch/{w}x{h}/filters:format(png)/", "w={w}&h={h}&fit=fill&fm=png"),
    ("filters:format(avif)/", "fm=avif"),
    ("", ""),
)
"""The same picture in two languages."""


@given(st.sampled_from(PAIRS), st.integers(1, 4000), st.integers(1, 4000))
def test_one_picture_has_one_recipe(pair: tuple[str, str], w: int, h: int) -> None:
    """Whichever language it is asked for in."""
    foreign, query = (text.format(w=w, h=h) for text in pair)
    here = replace(OPEN, development=True)
    one = decided(f"unsafe/{foreign}pics/a.jpg", here, accept="image/webp")
    asked = Asked(path="pics/a.jpg", query=query, headers={"accept": "image/webp"})
    other = native.decide(asked, here)
    assert isinstance(other, Decision)
    assert (one.recipe, one.vary) == (other.recipe, other.vary)


THIRD = (
    ("{w}x{h}/filters:quality(60)/", "rs:fill:{w}:{h}:1/q:60"),
    ("{w}x{h}/smart/", "rs:fill:{w}:{h}:1/g:sm"),
    ("{w}x{h}/left/top/", "rs:fill:{w}:{h}:1/g:nowe"),
    ("fit-in/{w}x{h}/filters:format(webp):quality(50)/", "rs:fit:{w}:{h}/f:webp/q:50"),
    ("stretch/{w}x{h}/", "rs:force:{w}:{h}:1"),
    ("{w}x/", "w:{w}/el:1"),
)
"""The same picture in thumbor's and in imgproxy's language."""


@given(st.sampled_from(THIRD), st.integers(1, 4000), st.integers(1, 4000))
def test_imgproxys_urls_meet_in_the_same_recipe(pair: tuple[str, str], w: int, h: int) -> None:
    """What is rendered for one is stored for the other."""
    foreign, options = (text.format(w=w, h=h) for text in pair)
    read = deployment.read({"thumbor": {"allow_unsafe": True}, "unsigned": True})
    here = replace(OPEN, deployment=read)
    one = decided(f"unsafe/{foreign}pics/a.jpg", here)
    other = imgproxy.decide(Asked(path=f"_/{options}/plain/local:///pics/a.jpg"), here)
    assert isinstance(other, Decision)
    assert one.recipe == other.recipe


pieces = st.sampled_from(
    ["unsafe/", "debug/", "meta/", "trim:top-left:5/", "trim/", "1x2:3x4/", "0.1x.2:.3x.4/",
     "adaptive-full-fit-in/", "fit-in/", "stretch/", "-300x200/", "0x0/", "origx9/", "fxf-20/",
     "9x9:1x1/", "left/", "top/", "smart/", "filters:", "%", "%2F", "/", "pics/a.jpg", "b64:",
     "color:red", "color:", "https://", "999999999x999999999/", "é", "nan", "1e309", "", "\x00"]
)  # fmt: skip
names = st.sampled_from(sorted(compiling.WORK)) | st.text(max_size=5)
values = st.sampled_from(
    ["", "0", "1", "-1", "50", "0.5", "-0.5", ".", "1e309", "nan", "inf", "red", "none", "auto",
     "blur", "true", "pics/l.png", "center", "repeat", "20p", "r-10", "b64:", "b64:w6Q", "1;2;1",
     "[(0,0),(255,255)]", "[]", "10x10:20x20", "sans-bold-24", "999999999", "\u0661",
     "\u202e", "%ff", "'a'", "fxf/pics/l.png", "filters:blur(1)/pics/l.png"]
) | st.text(max_size=6)  # fmt: skip
filters = st.builds(
    lambda name, given: f"{name}({','.join(given)})", names, st.lists(values, max_size=14)
)
texts = st.builds(
    lambda head, many, tail: "".join(head) + "filters:" + ":".join(many) + "/" + "".join(tail),
    st.lists(pieces, max_size=6), st.lists(filters, max_size=6), st.lists(pieces, max_size=3),
)  # fmt: skip


@given(texts | st.lists(pieces, max_size=12).map("".join) | st.text(max_size=60))
def test_any_path_is_a_decision_or_a_refusal(text: str) -> None:
    """Whatever it says: nothing else is raised, and the recipe can be read back."""
    for start in ("unsafe/", "unsafe/20x20/", ""):
        try:
            made = decided(f"{start}{text}").recipe
        except refusals.Refusal as refusal:
            assert 400 <= refusal.status < 500
        else:
            assert recipe.parse(recipe.spell(made)) == made
