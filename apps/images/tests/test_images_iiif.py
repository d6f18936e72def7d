"""IIIF addresses: every form of 3.0 and 2.x, what they compile to, and what is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import deployment
import limits
import recipe
import refusals
import rules
from dialects import iiif
from dialects.dialect import Asked, Decision, World
from dynimo.sdk import http

BASE = "3/pics%2Fa.png"


def world(**changed: object) -> World:
    where = deployment.Deployment(
        limits=limits.Limits(), rules=None, private_hosts=frozenset(), iiif=frozenset({"pics"})
    )
    return World(
        deployment=where, engine="1", rules=rules.Rules(), sources={"pics": "/x", "shut": "/y"},
        now=lambda: 0.0, **changed,  # type: ignore[arg-type]
    )  # fmt: skip


def decided(path: str, **headers: str) -> Decision:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = iiif.decide(Asked(path=path, headers=named), world())
    assert isinstance(found, Decision)
    return found


def ops(rest: str, version: str = "3") -> str:
    found = decided(f"{version}/pics%2Fa.png/{rest}").recipe
    return recipe.spell_ops(found.ops)


def status(path: str) -> int:
    with pytest.raises(refusals.Refusal) as caught:
        decided(path)
    return caught.value.status


@pytest.mark.parametrize(
    ("region", "spelled"),
    [
        ("full", ""),
        ("square", "shape:1;"),
        ("10,20,30,40", "crop:10,20,30,40;"),
        ("0,0,999999999,1", "crop:0,0,65500,1;"),
        ("pct:10,20.5,30,40", "crop:0.1r,0.205r,0.3r,0.4r;"),
        ("pct:0,0,200,100", "crop:0r,0r,1r,1r;"),
        ("pct%3A0%2C0%2C50%2C50", "crop:0r,0r,0.5r,0.5r;"),
    ],
)
def test_regions(region: str, spelled: str) -> None:
    """Each form is one operation; what no picture can have is cut off."""
    assert ops(f"{region}/9,9/0/default.png") == f"{spelled}resize:fill,9,9,,,0,0,1"


@pytest.mark.parametrize(
    ("size", "spelled"),
    [
        ("max", "resize:inside,8192,8192,,,0,0,,,40000000"),
        ("^max", "resize:inside,8192,8192,1,,0,0,,,40000000"),
        ("90,", "resize:inside,90,0,,,0,0,1"),
        ("^90,", "resize:inside,90,0,1"),
        (",90", "resize:inside,0,90,,,0,0,1"),
        ("%5E,90", "resize:inside,0,90,1"),
        ("pct:12.5", "resize:inside,0.125r,0,,,0,0,1"),
        ("^pct:150", "resize:inside,1.5r,0,1,,0,0,1"),
        ("90,80", "resize:fill,90,80,,,0,0,1"),
        ("^90,80", "resize:fill,90,80,1"),
        ("!90,80", "resize:inside,90,80,,,0,0,1,,40000000"),
        ("^!90,99999", "resize:inside,90,8192,1,,0,0,,,40000000"),
    ],
)
def test_sizes_of_3(size: str, spelled: str) -> None:
    """Only ``^`` enlarges; without it that is refused once the source's size is known."""
    assert ops(f"full/{size}/0/default.png") == spelled


@pytest.mark.parametrize(
    ("size", "spelled"),
    [
        ("full", "resize:inside,8192,8192,,,0,0,,,40000000"),
        ("max", "resize:inside,8192,8192,,,0,0,,,40000000"),
        ("90,", "resize:inside,90,0,1"),
        ("pct:150", "resize:inside,1.5r,0,1,,0,0,1"),
        ("90,80", "resize:fill,90,80,1"),
        ("!90,80", "resize:inside,90,80,1,,0,0,,,40000000"),
    ],
)
def test_sizes_of_2(size: str, spelled: str) -> None:
    """2 enlarges as asked (sizeAboveFull), and still has ``full``."""
    assert ops(f"full/{size}/0/default.png", "2") == spelled


@pytest.mark.parametrize(
    ("rest", "spelled"),
    [
        ("0/default.png", ""),
        ("360/color.png", ""),
        ("90.0/default.png", ";rotate:90"),
        ("!0/default.png", ";flip:1"),
        ("!22.5/gray.png", ";flip:1;rotate:22.5;grey"),
        ("%21180/bitonal.png", ";flip:1;rotate:180;bitonal"),
    ],
)
def test_rotations_and_qualities(rest: str, spelled: str) -> None:
    """Mirrored first, then turned, then drained of colour."""
    assert ops(f"full/9,9/{rest}") == f"resize:fill,9,9,,,0,0,1{spelled}"


@pytest.mark.parametrize(
    "rest",
    [
        "1,2,3/max/0/default.png", "1,2,3,0/max/0/default.png", "-1,2,3,4/max/0/default.png",
        "70000,0,1,1/max/0/default.png", "1.5,2,3,4/max/0/default.png", "a/max/0/default.png",
        "pct:0,0,0,5/max/0/default.png", "pct:100,0,5,5/max/0/default.png",
        "pct:1e2,0,5,5/max/0/default.png", "pct:NaN,0,5,5/max/0/default.png",
        "/max/0/default.png", "full//0/default.png", "full/full/0/default.png",
        "full/,/0/default.png", "full/0,/0/default.png", "full/,00/0/default.png",
        "full/9000,/0/default.png", "full/8000,8000/0/default.png", "full/^9000,1/0/default.png",
        "full/!90,/0/default.png", "full/pct:0/0/default.png", "full/pct:100.1/0/default.png",
        "full/pct:0.00001/0/default.png", "full/^pct:99999999/0/default.png",
        "full/^^max/0/default.png", "full/!!9,9/0/default.png", "full/pct:1e309/0/default.png",
        "full/max/-1/default.png", "full/max/361/default.png", "full/max/a/default.png",
        "full/max/!/default.png", "full/max/1e1/default.png", "full/max/٣/default.png",
        "full/max/0/native.png", "full/max/0/default", "full/max/0/default.jp2",
        "full/max/0/default.pdf", "full/max/0/default.PNG", "full/max/0/.png",
        "full/max/0/default.%ff", "full/max/%0a0/default.png",
    ],
)  # fmt: skip
def test_what_is_no_parameter_is_400(rest: str) -> None:
    """Both public validators expect that, whatever the parameter."""
    assert status(f"{BASE}/{rest}") == 400


@pytest.mark.parametrize(
    "path",
    [
        "", "3", "3/", "4/pics%2Fa.png/info.json", "3/pics/a.png/full/max/0/default.png",
        "3/pics/info.json", "3/[frob]/full/max/0/default.png", "3/pics%2F..%2Fa/info.json",
        "3/pics%2F%2Fa/info.json", "3/nobody%2Fa.png/info.json", "3/shut%2Fa.png/info.json",
        f"{BASE}/", f"{BASE}/info.xml", f"{BASE}/full/max/0", f"{BASE}/full/max/0/default.png/",
        "3/pics%5Ca/info.json",
    ],
)  # fmt: skip
def test_what_is_no_identifier_is_404(path: str) -> None:
    """So is a source that the deployment has not opened, which looks as if it were not there."""
    assert status(path) == 404


def test_an_identifier_is_decoded_exactly_once() -> None:
    """``%252F`` is the name's own ``%2F``, and a slash is a slash however it is spelled."""
    found = decided("3/pics%2fb%2Fa%252Fb%20%C3%BC.png/info.json").recipe
    assert (found.source, found.path) == ("pics", "b/a%2Fb ü.png")


def test_a_base_address_leads_to_its_description() -> None:
    """303, by a path: right for every scheme and host."""
    found = iiif.decide(Asked(path=BASE), world())
    assert isinstance(found, http.Reply)
    assert (found.status, dict(found.headers)["location"]) == (303, f"/iiif/{BASE}/info.json")


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, ""),
        ({"host": "a.example"}, "http://a.example"),
        ({"x_forwarded_host": "a.example:8080", "x_forwarded_proto": "https", "host": "b"},
         "https://a.example:8080"),
        ({"host": "[::1]:80", "x_forwarded_proto": "gopher"}, "http://[::1]:80"),
    ],
)  # fmt: skip
def test_a_description_names_the_address_that_was_asked_for(
    headers: dict[str, str], base: str
) -> None:
    """Scheme and host as the client sees them, and the identifier as it spelled it."""
    found = decided("3/pics%2fa%2Epng/info.json", **headers)
    assert found.recipe.out.base == f"{base}/iiif/3/pics%2fa%2Epng"
    assert found.vary == ("accept", "x-forwarded-proto")


def test_a_host_that_is_none_is_refused() -> None:
    """It would be printed into what every viewer believes."""
    with pytest.raises(refusals.Refusal, match="host"):
        decided(f"{BASE}/info.json", host='a"><script>')


@pytest.mark.parametrize(
    ("accept", "for_3", "for_2"),
    [
        ("", "iiif3", "iiif2-plain"),
        ("*/*", "iiif3", "iiif2-plain"),
        ("application/json", "iiif3-plain", "iiif2-plain"),
        ("application/ld+json", "iiif3", "iiif2"),
        ('application/ld+json;profile="x"', "iiif3", "iiif2"),
        ("application/ld+json;q=0.2, application/json", "iiif3-plain", "iiif2-plain"),
        ("application/ld+json, application/json;q=0.999", "iiif3", "iiif2"),
        ("application/json;q=0", "iiif3", "iiif2-plain"),
    ],
)
def test_the_media_type_is_negotiated(accept: str, for_3: str, for_2: str) -> None:
    """By weight; who names neither gets what the version has by default."""
    for version, report in (("3", for_3), ("2", for_2)):
        found = decided(f"{version}/pics%2Fa.png/info.json", accept=accept)
        assert found.recipe.out.report == report


def test_spellings_of_one_picture_have_one_recipe() -> None:
    """Zeros, escapes and ``color`` make no other picture."""
    one = decided(f"{BASE}/full/90,/90/default.png").recipe
    for other in ("full/090,/90.0/color.png", "full/%39%30,/090/default.png"):
        assert decided(f"{BASE}/{other}").recipe == one


def test_rules_give_quality_time_and_background() -> None:
    """What IIIF's addresses cannot say, the rule for the file says."""
    rule = rules.Rule(quality={"jpg": 33}, ttl_seconds=7, background=(1, 2, 3, 255))
    there = world()
    there = World(
        deployment=there.deployment, engine="1", rules=rules.Rules(rules=(rule,)),
        sources=there.sources, now=there.now,
    )  # fmt: skip
    found = iiif.decide(Asked(path=f"{BASE}/full/max/0/default.jpg"), there)
    assert isinstance(found, Decision)
    out = found.recipe.out
    assert (out.quality, out.ttl_seconds, out.bg) == (33, 7, (1, 2, 3, 255))


@pytest.mark.parametrize(
    ("opened", "development", "open_"),
    [(None, False, False), (None, True, True), (["*"], False, True), ([], True, False),
     (["pics"], False, True), (["shut"], True, False)],
)  # fmt: skip
def test_sources_are_opened_by_name(
    opened: list[str] | None, *, development: bool, open_: bool
) -> None:
    """Nothing is open to strangers unless that is said; a developer has none."""
    where = deployment.read({} if opened is None else {"iiif": opened})
    there = World(
        deployment=where, engine="1", rules=rules.Rules(), sources={"pics": "/x"},
        now=lambda: 0.0, development=development,
    )  # fmt: skip
    asked = Asked(path=f"{BASE}/info.json")
    if open_:
        assert isinstance(iiif.decide(asked, there), Decision)
    else:
        with pytest.raises(refusals.Refusal) as caught:
            iiif.decide(asked, there)
        assert caught.value.status == 404


def test_a_bad_setting_is_named() -> None:
    """A name alone would open its letters."""
    with pytest.raises(deployment.DeploymentError, match="iiif"):
        deployment.read({"iiif": "pics"})


PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["full", "max", "square", "^max", "pct:5", "0", "default.jpg", "info.json"]),
    st.text(string.digits + ",.:!^pctefull%", max_size=12),
)


@given(st.lists(PIECES, max_size=7), st.sampled_from(["", "3/pics%2Fa.png/", "2/pics%2Fa.png/"]))
@example(["full", "9" * 5000 + ",", "0", "default.jpg"], "3/pics%2Fa.png/")
@example(["pct:0,0,0.00000000001,1", "max", "0", "default.jpg"], "3/pics%2Fa.png/")
def test_any_text_is_a_picture_or_a_refusal(pieces: list[str], start: str) -> None:
    """Nothing else is ever raised, and what is decided can be read back."""
    try:
        found = iiif.decide(Asked(path=start + "/".join(pieces)), world())
    except refusals.Refusal as refusal:
        assert refusal.status in {400, 404}
    else:
        if isinstance(found, Decision):
            assert recipe.parse(recipe.spell(found.recipe)) == found.recipe


NUMBERS = st.decimals(0, 1_000, places=4).map(str)
WHOLES = st.integers(1, 9_000).map(str)


@given(
    st.one_of(
        st.tuples(WHOLES, WHOLES, WHOLES, WHOLES).map(",".join),
        st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS).map(lambda four: "pct:" + ",".join(four)),
    ),
    st.one_of(WHOLES.map(lambda w: f"^!{w},{w}"), NUMBERS.map(lambda n: f"^pct:{n}")),
    NUMBERS,
)
def test_any_numbers_are_a_picture_or_a_refusal(region: str, size: str, turn: str) -> None:
    """The same for what looks right."""
    test_any_text_is_a_picture_or_a_refusal.hypothesis.inner_test(  # type: ignore[attr-defined]
        [region, size, turn, "gray.webp"], "3/pics%2Fa.png/"
    )
