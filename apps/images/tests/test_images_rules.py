"""Business rules: what they do, and how mistakes in their file are reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import limits
import query
import recipe
import refusals
import rules
from rulesets import choosing, reading, ruleset, watching
from rulesets.mistakes import RulesError
from rulesets.situation import Situation

GOOD = """\
[[rule]]
source = "artwork"
path = "posters/**"
sizes = [400, "300x200", "original"]
quality = { jpg = 70, avif = 40 }
background = "#102030"
ttl_seconds = 600
formats = ["jpg", "webp"]

[[rule]]
path = "*.png"
[rule.defaults]
w = 640
fm = "webp"
dpr = 1.5
"""


def find(given: ruleset.Ruleset, source: str, path: str) -> rules.Rule:
    seen = Situation(query="", headers={}, now=0.0, ruleset=given, look=lambda _: {})
    return choosing.choose(given, seen, source, path).policy


def decide(
    toml: str, text: str, *, file: str = "artwork/posters/a/b.jpg", accepts: str = ""
) -> recipe.Recipe:
    source, _, path = file.partition("/")
    found = find(reading.parse(toml, "rules.toml"), source, path)
    limit = limits.Limits()
    wanted = query.parse(text, limit)
    made, _ = rules.decide(
        wanted, found, source=source, path=path, accepts=accepts, engine="1", limits=limit
    )
    return made


def test_a_rule_sets_quality_background_formats_and_lifetime() -> None:
    """The values of the matching rule are in the recipe."""
    made = decide(GOOD, "w=400&bg=f00", accepts="image/avif,image/webp")
    out = made.out
    assert (out.fm, out.quality, out.bg) == ("webp", 78, (0x10, 0x20, 0x30, 255))
    assert (out.flat, out.ttl_seconds) == (True, 600)
    assert decide(GOOD, "w=400&fm=jpg").out.quality == 70


def test_the_url_wins_over_defaults() -> None:
    """Defaults hold only where the URL says nothing."""
    assert decide(GOOD, "", file="x/a.png").box == (960, 0)
    assert decide(GOOD, "", file="x/a.png").out.fm == "webp"
    assert decide(GOOD, "h=10&fm=png&dpr=1", file="x/a.png").box == (0, 10)


def test_other_sizes_are_refused_with_those_allowed() -> None:
    """A size that is not listed is 400 and the answer lists them."""
    with pytest.raises(refusals.Refusal) as caught:
        decide(GOOD, "w=401")
    assert "400x, 300x200, original" in caught.value.facts["allowed"]
    assert decide(GOOD, "w=300&h=200&dpr=2").box == (600, 400)
    assert decide(GOOD, "").box == (0, 0)


def test_other_formats_are_refused() -> None:
    """A format that a rule does not list is 400."""
    with pytest.raises(refusals.Refusal) as caught:
        decide(GOOD, "w=400&fm=avif")
    assert caught.value.facts["parameter"] == "fm"


@pytest.mark.parametrize(
    ("source", "path", "matches"),
    [
        ("artwork", "posters/a.jpg", True),
        ("artwork", "posters/a/b.jpg", True),
        ("artwork", "logos/a.jpg", False),
        ("Artwork", "posters/a.jpg", False),
        ("other", "posters/a.jpg", False),
    ],
)
def test_globs_match_sources_and_paths(source: str, path: str, *, matches: bool) -> None:
    """One star stays in a segment, two cross them."""
    assert (find(reading.parse(GOOD, "f"), source, path).ttl_seconds == 600) == matches


def test_one_star_stays_in_its_segment() -> None:
    """``*.png`` does not reach into folders."""
    found = find(reading.parse(GOOD, "f"), "x", "deep/a.png")
    assert found == rules.Rule()


@pytest.mark.parametrize(
    ("toml", "place", "reason"),
    [
        ("[[rule]]\nsizes = [\n", "f:", ""),
        ("x = 1\n", "f:1: ", "unknown key 'x'"),
        ("\n[rule]\n", "f:2: ", "[[rule]]"),
        ("[[rule]]\n[[rule]]\ncolour = 1\n", "f:3: ", "unknown key 'colour'"),
        ("[[rule]]\nttl_seconds = -1\n[[rule]]\n", "f:2: ", "ttl_seconds"),
        ("[[rule]]\nttl_seconds = true\n", "f:2: ", "ttl_seconds"),
        ("[[rule]]\nsource = 3\n", "f:2: ", "text"),
        ("[[rule]]\n\nsizes = ['4x4x4']\n", "f:3: ", "4x4x4"),
        ("[[rule]]\nsizes = [0]\n", "f:2: ", "widths"),
        ("[[rule]]\nsizes = []\n", "f:2: ", "list"),
        ("[[rule]]\nformats = ['psd']\n", "f:2: ", "jpg, png, webp, avif"),
        ("[[rule]]\nformats = [{}]\n", "f:2: ", "jpg, png, webp, avif"),
        ("[[rule]]\nbackground = '#11223344'\n", "f:2: ", "opaque"),
        ("[[rule]]\n[rule.quality]\njpg = 80\nwebp = 101\n", "f:4: ", "webp = 101"),
        ("[[rule]]\nquality.png = 80\n", "f:2: ", "png"),
        ("[[rule]]\n[rule.defaults]\nfit = 'crop'\n", "f:3: ", "inside, cover"),
        ("[[rule]]\n[rule.defaults]\nw = '12'\n", "f:3: ", "a number"),
        ("[[rule]]\n[rule.defaults]\nwidth = 12\n", "f:3: ", "unknown key 'width'"),
        ("[[rule]]\ndefaults = { q = 0 }\n", "f:2: ", "1 to 100"),
        ("[[rule]]\n[rule.defaults]\nw=1\n[[rule]]\n[rule.defaults]\nw=0\n", "f:6: ", "8192"),
        ("rule = [1]\n", "f:1: ", "table"),
    ],
)
def test_mistakes_are_reported_with_file_line_and_reason(
    toml: str, place: str, reason: str
) -> None:
    """A refusal begins FILE:LINE: and says what is wrong."""
    with pytest.raises(RulesError) as caught:
        reading.parse(toml, "f")
    assert str(caught.value).startswith(place)
    assert reason in str(caught.value)


@given(st.text(max_size=200) | st.text(alphabet='[]rule ={}"\n1xwq.', max_size=100))
def test_any_text_is_rules_or_a_mistake_with_its_line(text: str) -> None:
    """Nothing else than RulesError comes of a bad file."""
    try:
        reading.parse(text, "f")
    except RulesError as error:
        assert int(str(error).split(":")[1]) >= 1


class Watch:
    """A watched file with a clock that the test moves."""

    def __init__(self, path: Path) -> None:
        self.now = 0.0
        self.complaints: list[str] = []
        self.watched = watching.Watched(
            path,
            clock=lambda: self.now,
            check=lambda _, __: None,
            complain=self.complaints.append,
        )

    def ttl(self) -> int:
        return find(self.watched.current().ruleset, "s", "p").ttl_seconds


def rewrite(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_change_comes_into_force_within_a_second(tmp_path: Path) -> None:
    """The file is looked at again after a second, not before."""
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\nttl_seconds = 1\n")
    watch = Watch(path)
    rewrite(path, "[[rule]]\nttl_seconds = 22\n")
    watch.now = 0.9
    assert watch.ttl() == 1
    watch.now = 1.0
    assert watch.ttl() == 22


def test_a_bad_change_is_refused_once_and_the_old_rules_stay(tmp_path: Path) -> None:
    """One complaint for each change of the file; a missing file is one too."""
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\nttl_seconds = 7\n")
    watch = Watch(path)
    rewrite(path, "[[rule]]\nttl = 7\n")
    for watch.now in (1.0, 2.0, 3.0):
        assert watch.ttl() == 7
    assert len(watch.complaints) == 1
    assert f"{path}:2: unknown key 'ttl'" in watch.complaints[0]
    path.unlink()
    for watch.now in (4.0, 5.0):
        assert watch.ttl() == 7
    assert len(watch.complaints) == 2


def test_the_first_version_must_be_right(tmp_path: Path) -> None:
    """An app does not start on bad rules."""
    with pytest.raises(RulesError, match=r"rules\.toml:1: "):
        Watch(tmp_path / "rules.toml")
