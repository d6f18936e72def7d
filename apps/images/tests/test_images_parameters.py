"""The native parameters: what each becomes, in one order, and that nothing else can come of it."""

from __future__ import annotations

import random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import limits
import query
import recipe
import refusals
import rules
from parameters import table

LIMITS = limits.Limits()

CASES = {
    # geometry
    "w=400": "resize:inside,400;as:jpg,80",
    "w=400&h=300&fit=cover": "resize:outside,400,300,1;cut:400,300;as:jpg,80",
    "w=400&h=300&fit=cover&enlarge=0": "resize:outside,400,300;cut:400,300,ce,1;as:jpg,80",
    "w=400&h=300&fit=contain": "resize:inside,400,300,1;extend:400,300,ce,ffffff;as:jpg,80",
    "w=400&h=300&fit=contain&align=top,left&fill=blur":
        "resize:inside,400,300,1;extend:400,300,nowe,ffffff00,,blur;as:jpg,80",
    "w=400&h=300&fit=fill": "resize:fill,400,300,1;as:jpg,80",
    "w=400&h=300&fit=outside": "resize:outside,400,300;as:jpg,80",
    "w=400&h=300&fit=auto": "resize:auto,400,300;cut:400,300;as:jpg,80",
    "w=400&h=300&enlarge=1": "resize:inside,400,300,1;as:jpg,80",
    "w=400&h=300&swap=1": "resize:inside,400,300,,1;as:jpg,80",
    "w=400&ar=16:9": "resize:outside,400,225,1;cut:400,225;as:jpg,80",
    "h=300&ar=1.5&fit=inside": "resize:inside,450,300;as:jpg,80",
    "ar=16:9&crop=top": "shape:1.777778,no;as:jpg,80",
    "w=100&min-h=300&dpr=2": "resize:inside,200,0,,,0,600;as:jpg,80",
    "h=100&max-w=150": "resize:inside,0,100;resize:inside,150;as:jpg,80",
    "w=90&h=90&fit=cover&crop=faces": "resize:outside,90,90,1;cut:90,90,face;as:jpg,80",
    "w=90&h=90&fit=cover&crop=bottom,right": "resize:outside,90,90,1;cut:90,90,soea;as:jpg,80",
    "w=90&h=90&fit=cover&fp-x=0.25&fp-y=1":
        "resize:outside,90,90,1;cut:90,90,fp~0.25r~1r;as:jpg,80",
    "w=90&h=90&fit=cover&fp-x=0.1&zoom=2":
        "cut:0.5r,0.5r,fp~0.1r~0.5r;resize:outside,90,90,1;cut:90,90,fp~0.2r~0.5r;as:jpg,80",
    "trim=auto": "trim;as:jpg,80",
    "trim=auto&trim-color=fff&trim-tol=30&trim-equal=xy":
        "trim:30,1,ffffff,top-left,1,1;as:jpg,80",
    "rect=10,20,30p,40%25": "crop:10,20,0.3r,0.4r;as:jpg,80",
    "rot=90": "rotate:90;as:jpg,80",
    "rot=12.5&bg=000&fm=png": "rotate:12.5,000000;as:png",
    "flip=vh": "flip:1,1;as:jpg,80",
    "extend=400x300": "extend:400,300,ce,ffffff;as:jpg,80",
    "extend=1.5": "extend:3,2,ce,ffffff,1;as:jpg,80",
    "pad=10,5p&dpr=2": "pad:20,0.05r,20,0.05r,ffffff;as:jpg,80",
    # effects
    "bri=10&con=-20&sat=50&hue=90&gam=1.8":
        "brightness:10;contrast:-20;saturation:1.5;hue:90;gamma:1.8;as:jpg,80",
    "gray=1&invert=true&bitonal=0": "invert;grey;as:jpg,80",
    "duotone=000080,fa0&duotone-alpha=50": "duotone:0.5,000080,ffaa00;as:jpg,80",
    "monochrome=red": "monochrome:1,ff0000;as:jpg,80",
    "tint=f80": "tint:ff8800;as:jpg,80",
    "levels=10,0,-10": "levels:10,0,-10;as:jpg,80",
    "curve=0,0,255,200": "curve:,,,MCAwIDI1NSAyMDA;as:jpg,80",
    "blur=2.5&dpr=2": "blur:5;as:jpg,80",
    "blur=20&blur-dir=up&blur-from=50": "blurred:20,up,0.5;as:jpg,80",
    "sharp=1": "sharpen:1;as:jpg,80",
    "usm=150": "unsharp:2.5,1.5;as:jpg,80",
    "px=12": "pixelate:12;as:jpg,80",
    "redact=faces&redact-how=blur": "detections:blur;as:jpg,80",
    "redact=1,2,3,4;10p,10p,5p,5p":
        "region:pixelate,1,2,3,4;region:pixelate,0.1r,0.1r,0.05r,0.05r;as:jpg,80",
    "colorize=f00&colorize-alpha=25": "colourise:0.25,ff0000;as:jpg,80",
    "gradient=000&gradient-from=40": "gradient:0.5,000000,down,0.4;as:jpg,80",
    "vignette=70": "vignette:0.7;as:jpg,80",
    "noise=5&noise-seed=3": "noise:5,3;as:jpg,80",
    "convolve=0,-1,0,-1,5,-1,0,-1,0": "convolve:MCAtMSAwIC0xIDUgLTEgMCAtMSAw,3;as:jpg,80",
    "border=4,f00&radius=12&mask=circle&shadow=0,4,8":
        "border:4,ff0000;round:12;mask:circle;shadow:0,4,8;as:jpg,80",
    "mask=pics/m.png": "mask:file,cGljcy9tLnBuZw;as:jpg,80",
    # layers
    "mark=pics/logo.png": "layer:cGljcy9sb2dvLnBuZw,soea~10~10;as:jpg,80",
    "mark=pics/logo.png&mark-align=center&mark-w=25p&mark-alpha=40&mark-blend=multiply":
        "layer:cGljcy9sb2dvLnBuZw,ce,0.25r,0,0.4,multiply;as:jpg,80",
    "mark2=pics/b.png&mark=pics/a.png&mark-pad=0":
        "layer:cGljcy9hLnBuZw,soea;layer:cGljcy9iLnBuZw,soea~10~10;as:jpg,80",
    "mark=pics/a.png&mark-edit=w%3D90%26h%3D90%26fit%3Dcover%26radius%3D50p":
        "layer:cGljcy9hLnBuZw,soea~10~10,0,0,1,over,,0,inside,"
        "cmVzaXplOm91dHNpZGUsOTAsOTAsMTtjdXQ6OTAsOTA7cm91bmQ6MC41cg;as:jpg,80",
    "mark=pics/a.png&mark-tile=x":
        "layer:cGljcy9hLnBuZw,soea~10~10,0,0,1,over,1,0,inside,,across;as:jpg,80",
    "txt=Hi": "words:SGk,sowe~10~10,Tm90byBTYW5z,24;as:jpg,80",
    "txt=Hi&txt-size=20p": "words:SGk,sowe~10~10,Tm90byBTYW5z,0.2r;as:jpg,80",
    "txt64=SGk&txt-width=80p": "words:SGk,sowe~10~10,Tm90byBTYW5z,0,000000,0.8r;as:jpg,80",
    # output
    "fm=png&q=70": "as:png",
    "max-bytes=20000&fm=webp": "as:webp,78,ffffff,,3600,20000",
    "fm=png&v=7": "as:png,0,ffffff,,3600,0,0,1,0,none,srgb,,,0,0,auto,,,,,,0,0,,0,1,0,7",
    "page=3&frames=all": "as:jpg,80,ffffff,,3600,0,0,0,2",
    "dl=a%20b.jpg": "as:jpg,80,ffffff,,3600,0,0,1,0,none,srgb,,,0,0,auto,,,,YSBiLmpwZw,1",
}  # fmt: skip


def spelled(text: str) -> str:
    if "fm=" not in text:
        text += "&fm=jpg"
    made, _ = rules.decide(
        query.parse(text, LIMITS),
        rules.Rule(),
        source="s",
        path="p",
        accepts="",
        engine="1",
        limits=LIMITS,
    )
    assert recipe.parse(recipe.spell(made)) == made
    return recipe.spell_ops((*made.ops, made.out))


@pytest.mark.parametrize("text", CASES)
def test_parameters_become_operations(text: str) -> None:
    """Each parameter means exactly these operations, and a recipe can be read back."""
    assert spelled(text) == CASES[text]


@given(st.lists(st.sampled_from(sorted(CASES)), min_size=1, max_size=4), st.randoms())
def test_the_order_of_parameters_means_nothing(texts: list[str], chance: random.Random) -> None:
    """Every order of the same parameters gives the same recipe."""
    one = dict(piece.split("=", 1) for text in texts for piece in text.split("&"))
    pieces = [f"{name}={text}" for name, text in one.items()]
    found = spelled("&".join(pieces))
    chance.shuffle(pieces)
    assert spelled("&".join(pieces)) == found


NAMES = st.sampled_from(sorted(table.rows(LIMITS)))
TEXTS = st.sampled_from(
    ["1", "0", "-1", "1e309", "nan", "inf", "10p", "50%", "400x300", "16:9", "0:0", "1,2,3,4",
     "f00", "f00,0f0", "auto", "top,top", "pics/../a.png", "a/b", "faces", "\u202e\u0316", "٤",
     "all", "0.000001", "99999999999", "1;2", "", " ", "\x00", "1,2,3,4;" * 9, "5," * 300]
) | st.text(max_size=12)  # fmt: skip


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=8))
def test_any_query_is_a_recipe_or_a_refusal(pieces: list[tuple[str, str]]) -> None:
    """No value of any parameter does anything but be read or be refused with 400."""
    text = "&".join(f"{name}={quote(value)}" for name, value in pieces)
    try:
        spelled(text)
    except refusals.Refusal as refusal:
        assert refusal.status == 400
        assert refusal.facts["allowed"]


@given(NAMES, TEXTS)
def test_what_one_value_is_taken_for_is_never_wrong_inside(name: str, value: str) -> None:
    """A value that its reader takes makes operations whose arguments are allowed, but for dpr."""
    row = table.rows(LIMITS)[name]
    if row.reader.take(value) is None or name == "fm":
        return
    needed = {"mark": "pics/a.png", "txt": "x", "trim": "auto", "redact": "1,2,3,4"}
    text = f"{name}={quote(value)}"
    if row.needs:
        text += f"&{row.needs}={needed.get(row.needs.rstrip('234'), '1')}"
    try:
        spelled(text)
    except refusals.Refusal as refusal:
        assert row.needs or name in ("shadow", "curve"), refusal.message


@pytest.mark.parametrize(
    ("text", "name", "allowed"),
    [
        ("trim-tol=3", "trim-tol", "given together with trim"),
        ("mark-w=3", "mark-w", "given together with mark"),
        ("mark=../x", "mark", "NAME/path"),
        ("mark=a/../x", "mark", "NAME/path"),
        ("txt=%00", "txt", "a text"),
        ("txt=a&txt-size=0p", "txt-size", "percents"),
        ("txt=" + "a" * 1001, "txt", "1000 characters"),
        ("txt64=*", "txt64", "base64url"),
        ("w64=NDAw&w=400", "w", "once"),
        ("shadow=0,0,-1", "shadow.sigma", "a number from 0 to 250"),
        ("blur=200&dpr=5", "blur.sigma", "from 0 to 250"),
        ("crop=top,bottom", "crop", "focalpoint"),
        ("duotone=f00", "duotone", "dark,light"),
        ("convolve=1,2,3,4", "convolve", "1, 9, 25"),
        ("rect=0,0,0,1", "rect", "above 0"),
        ("mark=a/b&mark-edit=mark%3Da/b", "mark-edit", "shape, colours, detail and edges"),
        ("mark=a/b&mark-edit=w%3D0", "mark-edit", "shape"),
        ("mark=a/b&mark-edit=blur%3D200%26dpr%3D5", "mark-edit", "shape"),
        ("convolve=" + ",".join(["-0.123456"] * 169), "convolve.matrix", "1000 characters"),
        ("dl=" + "%C3%BC" * 76, "dl", "150 bytes"),
        ("nonsense=1", "nonsense", "images-native.md"),
        ("width=3", "width", "w"),
    ],
)
def test_refusals_say_what_is_allowed(text: str, name: str, allowed: str) -> None:
    """The parameter by its name, and what it may be."""
    with pytest.raises(refusals.Refusal) as caught:
        spelled(text)
    assert caught.value.status == 400
    assert caught.value.facts["parameter"] == name
    assert allowed in caught.value.facts["allowed"]


def test_nothing_is_done_to_an_original() -> None:
    """Whatever else is asked for: its bytes are one file."""
    rule = rules.Rule(formats=("original",))
    asked = query.parse("fm=original&w=90&blur=3", LIMITS)
    made, _ = rules.decide(asked, rule, source="s", path="p", accepts="", engine="1", limits=LIMITS)
    assert made.ops == ()
