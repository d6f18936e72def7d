"""imgproxy's options → operations: every name, the order, the sizes, the formats."""

from __future__ import annotations

import itertools
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imgproxy_urls as asking
import limits
import query
import recipe as recipes
import rules
import shapes
from dialects.imgproxy import configured, options, pro_options, reading
from ops import base

SIZES = [(300, 200), (200, 300), (800, 600), (1000, 1000), (123, 77), (1, 9)]


def size_of(spelled: str, size: tuple[int, int]) -> tuple[int, int]:
    """Walk operations on paper."""
    for op in asking.recipe(spelled).ops:
        size = shapes.after(size, op)
    return size


@pytest.mark.parametrize(
    ("spelled", "made"),
    [
        ("rs:fit:40:30", "resize:inside,40,30"),
        ("rs:fill:40:30", "resize:outside,40,30;cut:40,30"),
        ("rs:fill:40:30:1/g:noea:3:0.1", "resize:outside,40,30,1;cut:40,30,noea~3~0.1r"),
        ("rs:fill-down:40:30", "resize:outside,40,30;cut:40,30,ce,1"),
        ("rs:force:40:30", "resize:fill,40,30,,,0,0,,1"),
        ("rs:force:40:30:t", "resize:fill,40,30,1"),
        ("rs:auto:40:30", "resize:auto,40,30;cut:40,30"),
        ("s:40:30:true:1:so:5/bg:00f", "resize:inside,40,30,1;extend:40,30,so~5~0,0000ff"),
        ("rs::40", "resize:inside,40"),
        ("rs:fill:40/h:30", "resize:outside,40,30;cut:40,30"),
        ("w:40/w:50/h:0", "resize:inside,50"),
        ("w:40/dpr:1.5", "resize:inside,60"),
        ("w:33/dpr:1.5", "resize:inside,50"),
        ("w:40/h:30/z:2:3", "resize:inside,40,30;resize:fill,2r,3r,,,0,0,,1"),
        ("z:0.5", "resize:inside,0.5r,0.5r"),
        ("dpr:2", ""),
        ("dpr:2/el:1", "resize:inside,2r,2r,1"),
        ("mw:50/mh:60/dpr:2", "resize:inside,0,0,,,100,120"),
        ("w:40/mw:50", "resize:inside,40,0,,,50;cut:40,0"),
        ("c:100:0.5", "cut:100,0.5r"),
        ("c:0:80:nowe:10:0.2/g:sm/rs:fill:9:9", ("cut:0,80,nowe~10~0.2r;resize:outside,9,9;"
         "cut:9,9,attention")),
        ("g:fp:0.25:1/c:10:10", "cut:10,10,fp~0.25r~1r"),
        ("c:10:10/car:2", "cut:10,5,ce,1"),
        ("c:10:10/car:2:1", "cut:20,10,ce,1"),
        ("car:1.5/g:no", "shape:1.5,no"),
        ("t:10", "trim"),
        ("t:20:f0f:1:0/t:20:f0f::1", "trim:20,1,ff00ff,top-left,1,1"),
        ("rot:-90/fl:1:0/w:5", "rotate:270;flip:1;resize:inside,5"),
        ("ar:0/rot:360", ""),
        ("pd:1:2:3:4", "pad:1,2,3,4"),
        ("pd:5:6/dpr:2/bg:1:2:3", "pad:10,12,10,12,010203"),
        ("pd:5", "pad:5,5,5,5"),
        ("exar:1/s:4:3", "resize:inside,4,3;extend:4,3,ce,ffffff00,1"),
        ("bl:2.50/sh:.5/pix:4", "blur:2.08;sharpen:0.5;pixelate:4"),
        ("bl:0/sh:0/pix:1", ""),
        ("bl:0.5", ""),
        ("a:51:0.5:2", "brightness:20;contrast:-50;saturation:2"),
        ("a::0.5", "contrast:-50"),
        ("mc:1/dt:0.5:111:222222/col:0.2:f00:1", ("monochrome;duotone:0.5,111111,222222;"
         "colourise:0.2,ff0000")),
        ("gr:0.5:fff:left:0.1:0.9", "gradient:0.5,ffffff,left,0.1,0.9"),
        ("gr:0.5::-90", "gradient:0.5,000000,down,0,1,270"),
        ("ba:9:0:0.1:0.2:0.3:0.5:0.5:0.5:0.5", ("region:blur,0r,0.1r,0.2r,0.3r,9;"
         "region:blur,0.5r,0.5r,0.5r,0.5r,9")),
        ("pbl:9:up:0.5", "blurred:9,up,0.5"),
        ("ush:always:2", "unsharp:1,2"),
        ("ush:none:2", ""),
        ("bd:9:face/dd:1:face", "detections:blur,9;detections:frame"),
        ("bga:0.5/bg:f00", "background:ff000080"),
        ("w:9/-/bl:1/w:3", "resize:inside,9;resize:inside,3;blur:0.74"),
        ("w:9/bg:f00/-/bg:00f/w:3", "resize:inside,9;background:ff0000;resize:inside,3"),
        ("wm:0.5", ""),
        ("g:obj:face/s:2:2/rt:fill", "resize:outside,2,2;cut:2,2,face"),
        ("g:objw:all:2/s:2:2/rt:fill", "resize:outside,2,2;cut:2,2,object"),
    ],
)  # fmt: skip
def test_options_come_to_operations(spelled: str, made: str) -> None:
    """In the order of imgproxy's pipeline, whatever the order of the URL."""
    assert asking.ops(spelled) == made


def test_the_order_of_the_url_is_not_that_of_the_work() -> None:
    """Any order of options gives the one recipe."""
    given = ("w:40", "t:10", "bl:2", "pd:5", "rot:90", "c:50:50")
    made = {recipes.spell(asking.recipe("/".join(each))) for each in itertools.permutations(given)}
    assert len(made) == 1


def test_the_watermark_is_last_and_by_reference() -> None:
    """The deployment's file, one of the URL's own, or text; opacities multiply."""
    where = asking.world(
        {"IMGPROXY_WATERMARK_PATH": "pics/mark.png", "IMGPROXY_WATERMARK_OPACITY": "0.5"}
    )
    mark = base._spell_text("pics/mark.png")
    assert asking.ops("wm:0.5:soea:10:0.1:0.2/pd:1/dpr:2", where) == (
        f"pad:2,2,2,2;layer:{mark},soea~20~0.1r,0.2r,0.2r,0.25"
    )
    assert asking.ops("wm:1:re:5:5/wmr:-30", where) == (f"layer:{mark},ce,0,0,0.5,over,1,330")
    own = asking.base64("local:///pics/own.png")
    assert base._spell_text("pics/own.png") in asking.ops(f"wmu:{own}/wm:1/wms:30:0", where)
    away = asking.base64("https://elsewhere.example/own.png")
    assert asking.refused(f"_/wmu:{away}/wm:1/{asking.FILE}", where)
    text = asking.ops(f"wm:1/wmt:{asking.base64('Grüße')}/wms:100", where)
    assert text.startswith(f"words:{base._spell_text('Grüße')},ce,")
    assert asking.refused(f"_/wm:1/wmt:{asking.base64('<b>x</b>')}/{asking.FILE}", where)


@pytest.mark.parametrize(
    ("spelled", "made"),
    [
        ("f:jpg", "as:jpg,80"),
        ("f:webp", "as:webp,79"),
        ("f:avif/q:0", "as:avif,63"),
        ("f:jxl", "as:jxl,77"),
        ("ext:gif", "as:gif"),
        ("f:png/q:5", "as:png"),
        ("f:webp/fq:jpg:1:webp:2", "as:webp,2"),
        ("f:webp/fq:webp:2/q:3", "as:webp,3"),
        ("f:jpg/mb:5000", "as:jpg,80,ffffff,,3600,5000"),
        ("f:jpg/aq:size:5000", "as:jpg,80,ffffff,,3600,5000"),
        ("f:jpg/aq:dssim:0.02", "as:jpg,0,ffffff,,3600,0,80"),
        ("f:png/bg:f00", "as:png,0,ff0000,1"),
        ("f:jpg/bg:f00", "as:jpg,80,ff0000"),
        ("f:png/bg:f00/bg:", "as:png"),
        ("f:jpg/sm:0", "as:jpg,80,ffffff,,3600,0,0,1,0,all"),
        ("f:jpg/kcr:1", "as:jpg,80,ffffff,,3600,0,0,1,0,copyright"),
        ("f:jpg/scp:0", "as:jpg,80,ffffff,,3600,0,0,1,0,none,keep"),
        ("f:jpg/jpgo:1:1", "as:jpg,80,ffffff,,3600,0,0,1,0,none,srgb,,1,0,0,off"),
        ("f:png/pngo:0:1:16", "as:png,0,ffffff,,3600,0,0,1,0,none,srgb,,,16"),
        ("f:webp/webpo:lossless", "as:webp,0,ffffff,,3600,0,0,1,0,none,srgb,1"),
        ("f:gif/pgs:5/pg:2", "as:gif,0,ffffff,,3600,0,0,5,2"),
        ("f:gif/pgs:5/da:1", "as:gif"),
        ("raw:1/w:5/f:png", "as:original"),
        ("skp:jpg:png/w:5", "as:original"),
        ("skp:jpeg/f:png", "as:png"),
        ("f:best", "as:best,0,ffffff,,3600,0,0,1,0,none,srgb,,,0,0,auto,avif.webp.jpg.png"),
    ],
)
def test_options_come_to_an_output(spelled: str, made: str) -> None:
    """Defaults are imgproxy's: 80, and 79, 63 and 77 for WebP, AVIF and JPEG XL."""
    assert base.spell(asking.recipe(spelled).out) == made


def test_another_cachebuster_is_another_picture_and_a_name_is_kept() -> None:
    """Both are part of the recipe, and of nothing else."""
    first, again, other = (asking.recipe(f"cb:{text}/f:jpg") for text in ("1", "1", "2"))
    assert first == again != other
    named = asking.recipe(f"fn:{asking.base64('ä b.jpg')}:1/att:1/raw:1").out
    assert (named.name, named.attach) == ("ä b.jpg", True)
    assert asking.refused(f"_/fn:{asking.base64(chr(10))}:1/{asking.FILE}")


@pytest.mark.parametrize(
    ("spelled", "size", "made"),
    [
        ("rs:fit:400:400", (300, 200), (300, 200)),
        ("rs:fit:400:400:1", (300, 200), (400, 267)),
        ("rs:fill:400:100/dpr:2", (300, 200), (300, 100)),
        ("rs:fill:600:300/dpr:2", (800, 600), (800, 400)),
        ("rs:fill:600:300/dpr:2", (2000, 2000), (1200, 600)),
        ("rs:fill-down:400:100", (300, 200), (300, 75)),
        ("rs:force:600:100", (300, 200), (300, 50)),
        ("rs:force:600:500/dpr:2", (800, 600), (720, 600)),
        ("rs:force:300:0/dpr:2", (800, 600), (300, 600)),
        ("rs:auto:100:100", (300, 200), (100, 100)),
        ("rs:auto:100:100", (200, 300), (67, 100)),
        ("rs:auto:100:50", (300, 200), (100, 50)),
        ("w:150", (300, 200), (150, 100)),
        ("h:150:/dpr:2".replace(":/", "/"), (300, 200), (300, 200)),
        ("w:100/mw:150", (300, 200), (100, 100)),
        ("w:100/mh:150", (300, 200), (100, 150)),
        ("rot:90/w:100", (300, 200), (100, 150)),
        ("z:2", (300, 200), (300, 200)),
        ("z:2/el:1", (300, 200), (600, 400)),
        ("dpr:0.5", (300, 200), (150, 100)),
    ],
)
def test_sizes_are_those_of_imgproxy(
    spelled: str, size: tuple[int, int], made: tuple[int, int]
) -> None:
    """Worked out by its rules: a dpr, a zoom or a fill never enlarges unless asked to."""
    assert size_of(spelled, size) == made


def calculated(
    size: tuple[int, int], mode: str, w: int, h: int, dpr: float, *, enlarge: bool
) -> tuple[float, float]:
    """Imgproxy's own arithmetic of sizes, in floats, without rounding: the oracle."""
    across, down = size[0] / w, size[1] / h
    if mode == "fit":
        across = down = max(across, down)
    elif mode in ("fill", "fill-down"):
        across = down = min(across, down)
    scale = dpr
    if not enlarge:
        least = min(across, down)
        if least < 1:
            across, down, scale = across / least, down / least, scale / least
        scale = min(scale, across, down)
    across, down = across / scale, down / scale
    made = size[0] / across, size[1] / down
    box = w * scale, h * scale
    if mode == "fill-down":
        if box[0] / made[0] > max(1, box[1] / made[1]):
            box = made[0], made[0] * box[1] / box[0]
        elif box[1] / made[1] > max(1, box[0] / made[0]):
            box = made[1] * box[0] / box[1], made[1]
    return min(made[0], box[0]), min(made[1], box[1])


@given(
    size=st.tuples(st.integers(20, 3000), st.integers(20, 3000)),
    mode=st.sampled_from(["fit", "fill", "fill-down", "force"]),
    w=st.integers(20, 3000),
    h=st.integers(20, 3000),
    dpr=st.sampled_from(["1", "2", "3"]),
    enlarge=st.booleans(),
)
def test_sizes_follow_its_arithmetic(
    *, size: tuple[int, int], mode: str, w: int, h: int, dpr: str, enlarge: bool
) -> None:
    """For every mode, both sides and any whole dpr: within a pixel of rounding."""
    if mode == "fill-down" and not enlarge and dpr != "1":
        return  # where the source is too small its box shrinks by itself, ours by its shape
    made = size_of(f"rs:{mode}:{w}:{h}:{int(enlarge)}/dpr:{dpr}", size)
    wanted = calculated(size, mode, w, h, float(dpr), enlarge=enlarge)
    assert abs(made[0] - wanted[0]) <= 1.01
    assert abs(made[1] - wanted[1]) <= 1.01


NATIVE = {"inside": "fit:{}:{}:0", "cover": "fill:{}:{}:1", "contain": "fit:{}:{}:1:1",
          "fill": "force:{}:{}:1"}  # fmt: skip
sides = st.integers(1, 2000)


@given(
    fit=st.sampled_from(sorted(NATIVE)),
    w=sides,
    h=sides,
    dpr=st.sampled_from(["1", "1.5", "2.25"]),
    fm=st.sampled_from(["jpg", "webp", "avif"]),
    q=st.integers(1, 100),
    bg=st.sampled_from(["ff0000", "010203"]),
)
def test_one_picture_has_one_recipe_in_both_languages(
    *, fit: str, w: int, h: int, dpr: str, fm: str, q: int, bg: str
) -> None:
    """The sizes and fits that the native URL can say too."""
    fm = "jpg" if fit == "contain" else fm  # elsewhere a background is behind alpha too
    ground = f"&bg={bg}" if fit == "contain" else ""
    wanted = query.parse(f"w={w}&h={h}&fit={fit}&dpr={dpr}&fm={fm}&q={q}{ground}", limits.Limits())
    native, _ = rules.decide(
        wanted, rules.Rule(), source="pics", path="a.jpg", accepts="", engine="0",
        limits=limits.Limits(),
    )  # fmt: skip
    behind = f"/bg:{bg}" if ground else ""
    asked = f"rs:{NATIVE[fit].format(w, h)}/dpr:{dpr}/q:{q}/f:{fm}{behind}"
    if fit == "inside" and Decimal(dpr) != 1:
        asked = asked.replace(":0/", "/")
    assert recipes.spell(asking.recipe(asked)) == recipes.spell(native)


def test_every_option_answers_to_all_its_names() -> None:
    """No name stands for two things, and the documented ones are all known."""
    tables = (options.TABLE, pro_options.TABLE, pro_options.ABSENT, pro_options.SECURITY)
    names = [name for table in tables for names in table for name in names]
    assert len(names) == len(set(names)) == len(reading.APPLY)
    for alias in itertools.chain.from_iterable(pro_options.ABSENT):
        refusal = asking.refused(f"_/{alias}:1/{asking.FILE}")
        assert refusal is not None
        assert (refusal.status, refusal.code) == (404, "unsupported_option")
    for alias in itertools.chain.from_iterable(pro_options.SECURITY):
        refusal = asking.refused(f"_/{alias}:1/{asking.FILE}")
        assert refusal is not None
        assert refusal.status == 403


@pytest.mark.parametrize(
    "spelled",
    [
        "w:", "w:-1", "w:1.5", "w:NaN", "w:1e3", "w:99999", "w:1:2", "rs:nope:1:1", "q:101",
        "dpr:0", "dpr:-1", "dpr:inf", "dpr:1e309", "z:0", "z:1:2:3", "g:nope", "g:sm:1:1",
        "g:fp:0.5", "g:fp:2:0", "g:no:1:2:3", "c:-1:2", "t:-1", "t:1:zzz", "rot:45", "bg:ffff",
        "bg:1:2", "bg:256:0:0", "ex:1:sm", "bl:-1", "bl:1e9", "sh:11", "pix:-1", "wm:2", "wm:1:xx",
        "wm:1:ch", "fq:jpg", "fq:nope:1", "mb:-1", "f:nope", "f:", "exp:soon", "fn:a%2Fb",
        "pr:nope",
        "pd:-1", "br:256", "co:-1", "a:1:1:1:1", "mc:2", "gr:1:000:sideways", "ba:1",
        "ba:1:0:0:0", "bd:1:dog", "aq:magic:1", "webpo:best", "avifo:x", "dpi:5000", "vts:-1",
        "hs:md5:00", "fiu:!", "x:1", ":1", "W:1",
    ],
)  # fmt: skip
def test_what_is_wrong_is_404_and_named(spelled: str) -> None:
    """As imgproxy answers; the name is in the facts or the message."""
    refusal = asking.refused(f"_/{spelled}/{asking.FILE}")
    assert refusal is not None
    assert refusal.status == 404
    assert refusal.code in ("bad_option", "unknown_option", "unsupported_option")


ACCEPT = "image/avif;q=0.5,image/webp"


@pytest.mark.parametrize(
    ("environment", "spelled", "fm", "varies"),
    [
        ({}, "", "webp", True),
        ({}, "f:png", "png", False),
        ({"IMGPROXY_AUTO_AVIF": "true"}, "", "avif", True),
        ({"IMGPROXY_AUTO_AVIF": "true"}, "f:png", "png", False),
        ({"IMGPROXY_AUTO_JXL": "true"}, "", "source", True),
        ({"IMGPROXY_AUTO_WEBP": "false"}, "", "source", False),
        ({"IMGPROXY_ENFORCE_WEBP": "1"}, "f:png", "webp", True),
        ({"IMGPROXY_ENFORCE_WEBP": "1", "IMGPROXY_AUTO_AVIF": "1"}, "", "avif", True),
    ],
)
def test_formats_are_negotiated_as_natively_or_as_the_environment_says(
    environment: dict[str, str], spelled: str, fm: str, *, varies: bool
) -> None:
    """By weight where nothing is set; with AUTO and ENFORCE in imgproxy's order of formats."""
    where = asking.world(environment)
    found = asking.decision(f"_/{spelled or 'w:0'}/{asking.FILE}", where, accept=ACCEPT)
    assert found.recipe.out.fm == fm
    assert found.vary == (("accept",) if varies else ())


def test_client_hints_count_where_they_are_switched_on() -> None:
    """The screen's density and width, in place of what the URL leaves out; and Vary says so."""
    where = asking.world({"IMGPROXY_ENABLE_CLIENT_HINTS": "true"})
    hints = {"sec_ch_dpr": "2", "sec_ch_width": "800"}
    found = asking.decision(f"_/f:jpg/{asking.FILE}", where, **hints)
    assert recipes.spell_ops(found.recipe.ops) == "resize:inside,800"
    assert {"sec-ch-dpr", "sec-ch-width"} <= set(found.vary)
    for bad in ("9", "nan", "-1", "1e9"):
        assert asking.decision(f"_/w:5/{asking.FILE}", where, sec_ch_dpr=bad).recipe.box == (5, 0)
    assert asking.decision(f"_/f:jpg/{asking.FILE}", **hints).recipe.ops == ()


def test_variables_say_for_all_urls_what_options_say_for_one() -> None:
    """The URL may say otherwise; what the deployment does not allow is 403, but in presets."""
    where = asking.world(
        {
            "IMGPROXY_KEEP_COPYRIGHT": "true",
            "IMGPROXY_AUTO_ROTATE": "false",
            "IMGPROXY_SKIP_PROCESSING_FORMATS": "svg, gif",
            "IMGPROXY_MAX_ANIMATION_FRAMES": "9",
        }
    )
    out = asking.recipe("f:webp", where).out
    assert (out.meta, out.upright, out.frames) == ("copyright", False, 9)
    assert asking.recipe("kcr:0/ar:1/f:webp", where).out.meta == "none"
    assert asking.recipe("w:5", where, "plain/local:///pics/a.gif").out.fm == "original"
    few = asking.world({"IMGPROXY_ALLOWED_PROCESSING_OPTIONS": "w,pr", "IMGPROXY_PRESETS": "a=h:3"})
    assert asking.ops("w:2/pr:a", few) == "resize:inside,2,3"
    refusal = asking.refused(f"_/width:2/{asking.FILE}", few)
    assert refusal is not None
    assert refusal.status == 403


def test_the_rules_of_the_deployment_hold() -> None:
    """Qualities, background, lifetime and formats, below what the URL says itself."""
    rule = rules.Rule(
        quality={"webp": 33}, background=(1, 2, 3, 255), ttl_seconds=60, formats=("webp", "jpg")
    )
    where = asking.world(rule=rule)
    assert base.spell(asking.recipe("f:webp", where).out) == "as:webp,33,010203,1,60"
    assert asking.recipe("f:webp/q:44", where).out.quality == 44
    assert asking.refused(f"_/f:png/{asking.FILE}", where)
    assert asking.recipe("f:jpg", asking.world({"IMGPROXY_TTL": "120"})).out.ttl_seconds == 120


def test_every_option_and_every_variable_is_documented() -> None:
    """The page has each name, and each default of a quality."""
    page = (Path(__file__).parents[3] / "docs/reference/images-imgproxy.md").read_text("utf-8")
    assert [name for name in reading.APPLY if f"`{name}`" not in page] == []
    variables = [configured.PREFIX + name.upper() for name in configured.NAMES]
    flags = ("IMGPROXY_AUTO_", "IMGPROXY_ENFORCE_")
    named = [each for each in variables if not each.startswith(flags)]
    assert [each for each in named if f"`{each}`" not in page] == []
    qualities = ",".join(f"{fm}={quality}" for fm, quality in configured.QUALITIES.items())
    assert f"80, `{qualities}`" in page
    manifest = tomllib.loads((Path(__file__).parents[1] / "app.toml").read_text("utf-8"))
    assert set(variables) <= set(manifest["functions"]["preprocess"]["inherit"])
