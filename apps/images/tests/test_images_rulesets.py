"""Rulesets: which rule holds for a request, what it makes of the picture, and what is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deciding
import explaining
import preprocess
import recipe
import refusals
import steps
from deciding import Book
from dialects.dialect import Asked, Decision
from dynimo.edge import key
from ops.layers import Layer, Words
from rulesets import buckets, reading
from rulesets.facts import plain
from rulesets.mistakes import RulesError

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""


def decided(
    toml: str,
    url: str = "/img/art/titles/7/poster.jpg?w=200&h=300&fit=cover&fm=jpg",
    *,
    facts: Mapping[str, Any] | None = None,
    now: float = NOW,
    **headers: str,
) -> Decision:
    book = Book(ruleset=reading.parse(toml, "f"), look=lambda _: facts)
    path, _, query = url.removeprefix("/").partition("?")
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(path=path, query=query, headers=given)
    found = preprocess.decide_for(asked, deciding.view(asked, book, now), trial=True)
    assert isinstance(found, Decision)
    return found


def ops(found: Decision) -> str:
    return recipe.spell_ops(found.recipe.ops)


TWO = """
{mode}
[[rule]]
name = "one"
path = "titles/**"
effects = "grey"
quality = {{ jpg = 50 }}
tags = "a"
[[rule]]
name = "two"
effects = ["blur:2"]
quality = {{ jpg = 60 }}
tags = ["b", "c"]
"""


def test_the_first_rule_that_matches_holds_alone() -> None:
    """Without a mode, as rule files always were."""
    found = decided(TWO.format(mode=""))
    assert (found.because, found.recipe.out.quality) == (("one",), 50)
    assert ops(found).endswith("cut:200,300;grey")


def test_layered_rules_all_hold_and_later_ones_win() -> None:
    """Effects and tags add up; values are those of the last rule that sets them."""
    found = decided(TWO.format(mode='mode = "layered"'))
    assert (found.because, found.recipe.out.quality) == (("one", "two"), 60)
    assert ops(found).endswith("cut:200,300;grey;blur:2")
    assert [tag for tag in found.tags if tag.startswith("tag:")] == ["tag:a", "tag:b", "tag:c"]


@pytest.mark.parametrize(
    ("when", "headers", "holds", "vary"),
    [
        ("locale = 'de'", {"accept_language": "de-AT, en;q=0.9"}, True, "accept-language"),
        ("locale = 'de'", {"accept_language": "en, de;q=0.9"}, False, "accept-language"),
        ("locale = 'pt-BR'", {"accept_language": "pt"}, False, "accept-language"),
        ("country = ['AT', 'de']", {"x_country": "at"}, True, "x-country"),
        ("country = 'DE'", {}, False, "x-country"),
        ("device = 'phone'", {"sec_ch_ua_mobile": "?1"}, True, "sec-ch-ua-mobile"),
        ("format = 'webp'", {"accept": "image/webp"}, False, None),
        ("dpr = { least = 2 }", {"sec_ch_dpr": "2.5"}, True, "sec-ch-dpr"),
        ("dpr = 1", {"dpr": "x"}, True, "dpr"),
    ],
)
def test_conditions_look_at_headers_and_say_so(
    when: str, headers: dict[str, str], vary: str | None, *, holds: bool
) -> None:
    """What was looked at is in Vary, whether or not the rule then holds."""
    toml = f"request.country_header = 'X-Country'\n[[rule]]\nname='it'\n[rule.when]\n{when}\n"
    found = decided(toml, **headers)
    assert (found.because == ("it",)) == holds
    assert vary is None or vary in found.vary


def test_a_parameter_settles_the_language() -> None:
    """Then the header does not matter, nor vary."""
    url = "/img/art/a.jpg?w=9&fm=jpg&locale=fr-CA"
    found = decided("[[rule]]\nname='it'\nwhen.locale='fr'\n", url, accept_language="de")
    assert (found.because, found.vary) == (("it",), ())


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148", "phone"),
        ("Mozilla/5.0 (iPad; CPU OS 16_0) Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (Linux; Android 13; Pixel 7) Chrome/120 Mobile", "phone"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X900) Chrome/120", "tablet"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0)", "tv"),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/130", "desktop"),
        ("Googlebot/2.1 (+http://www.google.com/bot.html)", "bot"),
    ],
)
def test_a_browsers_name_tells_the_kind_of_device(agent: str, device: str) -> None:
    """And the decision is kept for all of that kind: a device is all that was looked for."""
    found = decided(f"[[rule]]\nname='it'\nwhen.device='{device}'\n", user_agent=agent)
    assert (found.because, found.personal) == (("it",), False)
    assert found.apart["user-agent"] == "device"


WORDS = """
mode = "layered"
[[rule]]
when.locale = ["de", "pt-BR"]
effects = "grey"
[[rule]]
layers = [{ text = { default = "Top", de = "Hit", fr = "Top", "pt-br" = "Melhor", pt = "M" } }]
[[rule]]
when.device = ["phone", "tv"]
effects = "blur:2"
"""
TAGS = st.sampled_from(["de", "de-AT", "fr-CA", "pt", "pt-BR", "pt-br-x", "en", "xx-yy", "und"])
SPOKEN = st.lists(st.tuples(TAGS, st.sampled_from(["", ";q=0.5", ";q=0.1", ";q=0"])), max_size=5)
AGENTS = st.sampled_from(["Firefox/1", "iPhone Mobile", "AFTT", "iPad", "Googlebot", "", "Android"])
HINTS = st.sampled_from(["", "?0", "?1", "?2", '"Windows"', '"Android"', "macOS"])


@given(SPOKEN, AGENTS | HINTS, HINTS, HINTS)
def test_what_the_edge_tells_requests_apart_by_is_all_that_counts(
    spoken: list[tuple[str, str]], agent: str, mobile: str, platform: str
) -> None:
    """Who says no more than what the decision says mattered gets the same picture."""
    said = {
        "accept-language": ",".join(map("".join, spoken)), "user-agent": agent,
        "sec-ch-ua-mobile": mobile, "sec-ch-ua-platform": platform,
    }  # fmt: skip
    found = decided(WORDS, **said)
    apart = ", ".join(f"{name}={how}" for name, how in found.apart.items())
    names = key.selecting(", ".join(found.vary), apart)
    assert names is not None
    assert all("=" in name for name in names)
    little = dict(zip(map(key.bare, names), key.variant(names, said), strict=True))
    assert decided(WORDS, **little).recipe == found.recipe
    assert key.variant(names, little) == key.variant(names, said)


def test_what_is_looked_at_whole_is_told_apart_whole() -> None:
    """An operator's own header is believed as it is, whatever it is called."""
    found = decided(
        "request.device_header = 'User-Agent'\n[[rule]]\nwhen.device='phone'\n", user_agent="x"
    )
    assert (found.vary, found.apart) == (("user-agent",), {})


def test_client_hints_tell_it_in_few_values() -> None:
    """Then the decision is kept for all who say the same."""
    hints = {"sec_ch_ua_mobile": "?0", "sec_ch_ua_platform": '"macOS"', "user_agent": "x"}
    found = decided("[[rule]]\nname='it'\nwhen.device='desktop'\n", **hints)
    assert (found.because, found.personal) == (("it",), False)
    assert found.vary == ("sec-ch-ua-mobile", "sec-ch-ua-platform")


LAUNCH = """
[[rule]]
name = "launched"
when.from = 2027-01-15T08:00:10Z
when.until = 2027-01-16T00:00:00+01:00
"""


@pytest.mark.parametrize(
    ("now", "holds", "until"),
    [
        (NOW, False, NOW + 10), (NOW + 9.9, False, NOW + 10), (NOW + 10, True, NOW + 54_000),
        (NOW + 54_000, False, None),
    ],
)  # fmt: skip
def test_a_rule_begins_and_ends_to_the_second(
    now: float, until: float | None, *, holds: bool
) -> None:
    """A decision says when the next boundary comes, so that the edge keeps it no longer."""
    found = decided(LAUNCH, now=now)
    assert ((found.because == ("launched",)), found.until) == (holds, until)


FACTS = """
mode = "layered"
[[rule]]
name = "top"
path = "titles/{title}/**"
when.facts = { rank = { most = 10 }, kind = ["series", "film"] }
tags = "rank-{rank}"
[[rule.layers]]
text = { default = "Top {rank}", de = "Platz {rank}" }
gravity = "soea~2%~2%"
size = "8%"
[[rule.layers]]
file = "brand/{kind}.png"
w = 40
[[rule.layers]]
file = "brand/{nothing}.png"
"""


def test_facts_of_the_title_decide_and_fill_holes() -> None:
    """The title is a named part of the path; a layer with an empty hole is left out."""
    found = decided(FACTS, facts={"rank": 3, "kind": "film"}, accept_language="de-CH")
    words, logo = found.recipe.ops[-2:]
    assert isinstance(words, Words)
    assert isinstance(logo, Layer)
    assert (words.text, str(words.gravity), str(words.size)) == (
        "Platz 3", "soea~0.02r~0.02r", "0.08r",
    )  # fmt: skip
    assert (logo.file, str(logo.w)) == ("brand/film.png", "40")
    assert {"title:7", "tag:rank-3", "layer:brand/film.png"} <= set(found.tags)
    assert "accept-language" in found.vary


@pytest.mark.parametrize("facts", [{}, {"rank": 11, "kind": "film"}, {"rank": "3", "kind": "film"}])
def test_a_title_without_the_facts_gets_no_badge(facts: Mapping[str, Any]) -> None:
    """Numbers are compared with numbers only."""
    assert decided(FACTS, facts=facts).because == ()


def test_facts_that_are_not_there_yet_make_a_short_decision() -> None:
    """Nobody waits for them; a second later it is decided anew."""
    found = decided(FACTS, facts=None)
    assert (found.because, found.until) == ((), NOW + 1)


@pytest.mark.parametrize("kind", ["../../etc/passwd", "a/../b", "", "a\\b", "a\0b", "x" * 2_000])
def test_facts_lead_out_of_no_source(kind: str) -> None:
    """A layer whose file would is left out."""
    toml = "[[rule]]\npath='titles/{title}/*'\nlayers=[{file='brand/{kind}'}]\n"
    assert "layer" not in ops(decided(toml, facts={"kind": kind}))


CANVAS = "[[rule]]\ncanvas = {{ {canvas} }}\ngravity = 'face'\n"


@pytest.mark.parametrize(
    ("canvas", "query", "made"),
    [
        ("ratio = '2:3'", "w=200", "resize:outside,200,300,1;cut:200,300,face"),
        ("ratio = '2:3'", "h=300&fit=cover&w=1", "resize:outside,1,2,1;cut:1,2,face"),
        ("ratio = '16:9'", "h=90", "resize:outside,160,90,1;cut:160,90,face"),
        ("w = 64, h = 64", "w=300", "resize:outside,64,64,1;cut:64,64,face"),
        ("w = 64, h = 64, fit = 'fill'", "w=300&h=2&fit=contain", "resize:fill,64,64,1"),
        ("w = 50", "", "resize:inside,50"),
        ("ratio = '2:3'", "", ""),
    ],
)
def test_a_canvas_is_the_last_word_on_the_shape(canvas: str, query: str, made: str) -> None:
    """In place of what the URL asks for; a gravity says what is kept."""
    found = decided(CANVAS.format(canvas=canvas), f"/img/art/a.jpg?fm=jpg&{query}".rstrip("&"))
    assert ops(found) == made


def test_a_canvas_stays_within_the_limits() -> None:
    """A ratio cannot make a side longer than pictures may be."""
    with pytest.raises(refusals.Refusal, match="8192"):
        decided(CANVAS.format(canvas="ratio = '1:100'"), "/img/art/a.jpg?w=100&fm=jpg")


ARTWORKS = """
[[rule]]
path = "titles/{{title}}/poster.jpg"
fallback = "art/titles/{{title}}/plain.jpg"
[rule.artworks]
by = "{by}"
files = {{ "art/titles/{{title}}/a.jpg" = 75, "art/titles/{{title}}/b.jpg" = 25 }}
"""


def test_artworks_are_dealt_by_weight_and_stay_with_their_viewer() -> None:
    """The same viewer sees the same picture; of many, each as many as its weight says."""
    toml = ARTWORKS.format(by="cookie:viewer")
    seen = [decided(toml, cookie=f"x=1; viewer={n}").recipe.path for n in range(400)]
    assert seen == [decided(toml, cookie=f"viewer={n}").recipe.path for n in range(400)]
    assert 250 < seen.count("titles/7/a.jpg") < 350
    found = decided(toml, cookie="viewer=1")
    assert (found.personal, found.vary) == (True, ("cookie",))
    assert decided(toml).recipe.path == "titles/7/a.jpg"


def test_artworks_by_address_are_the_same_for_all() -> None:
    """Then the decision is everybody's."""
    found = decided(ARTWORKS.format(by="url"))
    assert (found.personal, found.vary) == (False, ())
    assert found.recipe.path in {"titles/7/a.jpg", "titles/7/b.jpg"}
    assert found.fallback is not None
    assert found.fallback.path == "titles/7/plain.jpg"
    assert found.fallback.ops == found.recipe.ops
    assert found.recipe.out.instead == "art/titles/7/plain.jpg"
    assert found.fallback == steps.instead(found.recipe)


def test_a_fallback_that_would_not_fit_into_recipes_is_only_linked() -> None:
    """A recipe that is too long to be read back would be no picture at all."""
    path = "/".join(["ä" * 100] * 3)
    found = decided(f"[[rule]]\nfallback = 'art/{path}'\n", "/img/art/a.jpg?fm=jpg")
    assert not found.recipe.out.instead
    assert found.fallback is not None
    assert found.fallback.path == path
    assert recipe.parse(recipe.spell(found.recipe)) == found.recipe


def test_buckets_divide_viewers_and_stay() -> None:
    """Half of them are in the half, none without a key; the numbers are the same for ever."""
    toml = "[[rule]]\nname='b'\nwhen.bucket = { by='header:X-Viewer', salt='s', from=50 }\n"
    inside = sum(decided(toml, x_viewer=str(n)).because == ("b",) for n in range(400))
    assert 160 < inside < 240
    assert decided(toml).because == ()
    assert round(buckets.per_cent("viewer-1", "s"), 3) == 80.933  # by b2sum -l 64


def test_every_decision_bears_the_tags_to_purge_it_by() -> None:
    """All, the file, the ruleset and the rule."""
    found = decided("version = '2026-11'\n[[rule]]\nname = 'the rule'\n")
    assert found.tags == (
        "images", "asset:art/titles/7/poster.jpg", "ruleset:2026-11", "rule:the%20rule",
    )  # fmt: skip


def test_many_rules_cost_little() -> None:
    """A file meets only the rules on its way."""
    rules = "".join(f"[[rule]]\nsource='s{n}'\npath='a{n}/**'\n" for n in range(300))
    ruleset = reading.parse(rules + "[[rule]]\nsource='s*'\npath='*/x'\n", "f")
    near = [number for number, *_ in ruleset.places.near("s7", "a7/b/c.jpg")]
    assert near == [7, 300]
    assert [number for number, *_ in ruleset.places.near("other", "a7/b")] == [300]
    assert list(ruleset.places.match("other", "a7/x")) == []
    assert list(ruleset.places.match("s", "a7/x")) == [(300, {})]


KEYS = (
    *reading.KEYS,
    "from",
    "until",
    "facts",
    "url",
    "file",
    "expect",
    "w",
    "by",
    "files",
    "text",
)
VALUES: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(
        ["1", "-1", "1e309", "nan", "true", "'x'", "'url'", "'{a}/**'", "'{a}{a}'", "'2:3'", "'%'",
         "2026-01-01T00:00:00Z", "2026-01-01", "9999-12-31T23:59:59-23:00", "'blur:nan'", "'de'"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: f"[{', '.join(some)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3).map(
            lambda some: "{ " + ", ".join(f"{name} = {each}" for name, each in some.items()) + " }"
        )
    ),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_table_is_a_ruleset_or_a_mistake_with_its_line(table: dict[str, str]) -> None:
    """And what is a ruleset decides requests, or refuses them."""
    toml = "[[rule]]\n" + "".join(f"{name} = {value}\n" for name, value in table.items())
    try:
        decided(toml, facts={"a": 1}, cookie="x")
    except RulesError as error:
        assert int(str(error).split(":")[1]) >= 1
    except refusals.Refusal:
        pass


HOSTILE = """
mode = "layered"
request.country_header = "x-country"
[[rule]]
path = "{title}/**"
tags = "{a}"
fallback = "{a}/{b}"
layers = [{ text = { default = "{a}", de = "{b}" } }, { file = "{b}/{a}" }]
artworks = { files = ["{a}/{b}", "s/{title}"], by = "cookie:v" }
[[rule]]
when = { country = "DE", locale = "de", device = "tv", format = "avif", dpr = 2 }
[[rule]]
when = { device = "bot" }
[[rule]]
when = { dpr = { least = 0.5 }, format = "x" }
[[rule]]
when = { bucket = { by = "header:v" } }
"""
HEADERS = ("accept", "accept-language", "cookie", "user-agent", "sec-ch-dpr", "dpr", "v")
ODD = st.text(max_size=30) | st.sampled_from(
    ["nan", "1e309", "de;q=nan", "-,;=", "v=;v=\ud800", "*;q=0.0001", "\u202e", "99.99", "😀" * 9]
)


@given(
    st.dictionaries(st.sampled_from(HEADERS), ODD, max_size=5),
    st.dictionaries(st.sampled_from("ab"), ODD | st.none() | st.floats() | st.booleans()),
    ODD,
)
def test_any_request_and_any_facts_give_a_picture_or_a_refusal(
    headers: dict[str, str], facts: dict[str, Any], odd: str
) -> None:
    """And the recipe of a picture can be read back by whoever makes it."""
    known = plain(facts)
    book = Book(ruleset=reading.parse(HOSTILE, "f"), look=lambda _: known)
    query = f"w=9&fm=jpg&dpr={odd}&locale={odd}".encode("ascii", "replace").decode()
    for query_too in (query, "w=9&fm=jpg"):
        asked = Asked(path="img/s/7/a.jpg", query=query_too, headers=headers)
        seen = deciding.view(asked, book, NOW)
        try:
            found = preprocess.decide_for(asked, seen, trial=True)
        except refusals.Refusal as refusal:
            assert query_too == query
            assert refusal.status == 400
            continue
        assert isinstance(found, Decision)
        assert recipe.parse(recipe.spell(found.recipe)) == found.recipe
        assert " ".join(found.tags).isascii()
        explaining.text(explaining.account(found, seen))


@pytest.mark.parametrize(
    "url",
    [
        "/img/art/titles/7/a.jpg?w=200&h=300&fit=cover&fm=jpg",
        "/imgproxy/unsafe/rs:fill:200:300/plain/local:///art/titles/7/a.jpg@jpg",
        "/thumbor/unsafe/200x300/filters:format(jpeg)/art/titles/7/a.jpg",
    ],
)
def test_rules_finish_what_any_language_drafts(url: str) -> None:
    """Lifetime, layers, effects, tags and another file, whoever asked."""
    toml = (
        "version='5'\n[[rule]]\npath='titles/{title}/*'\nttl_seconds=77\ntags='t'\n"
        "effects='grey'\nlayers=[{text='{rank}'}]\nartworks={files=['art/titles/{title}/b.jpg']}\n"
    )
    found = decided(toml, url, facts={"rank": 3})
    assert found.recipe.path == "titles/7/b.jpg"
    assert found.recipe.out.ttl_seconds == 77
    assert [op.op_name for op in found.recipe.ops[-2:]] == ["grey", "words"]
    assert {"ruleset:5", "tag:t", "title:7", "asset:art/titles/7/b.jpg"} <= set(found.tags)


def test_parts_of_a_described_picture_are_left_as_they_are() -> None:
    """IIIF: tiles fit together, and what info.json tells; quality and tags hold all the same."""
    toml = TWO.format(mode='mode = "layered"') + 'canvas = { w = 90, h = 90, fit = "cover" }\n'
    found = decided(toml, "/iiif/3/art%2Ftitles%2F7%2Fposter.jpg/0,0,512,512/256,256/0/default.jpg")
    assert ops(found) == "crop:0,0,512,512;resize:fill,256,256,,,0,0,1"
    assert (found.recipe.out.quality, found.because) == (60, ("one", "two"))
    assert {"tag:a", "tag:b", "tag:c"} <= set(found.tags)
