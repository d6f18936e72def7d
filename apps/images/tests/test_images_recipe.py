"""Recipes: one canonical spelling each, and one recipe for every spelling of a picture."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import colours
import limits
import paths
import query
import recipe
import refusals
import rules
import spelled as short

segments = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\"),
    min_size=1,
    max_size=20,
).filter(lambda text: text not in (".", ".."))
sides = st.none() | st.integers(1, 8192)
recipes = st.builds(
    short.canonical,
    source=segments,
    path=st.lists(segments, min_size=1, max_size=4).map("/".join),
    engine=st.just("8.18.7-1.9.0"),
    fm=st.sampled_from(short.FORMATS),
    w=sides,
    h=sides,
    fit=st.sampled_from(short.FITS),
    q=st.none() | st.integers(1, 100),
    bg=st.tuples(*[st.integers(0, 255)] * 4),
    flat=st.booleans(),
    ttl_seconds=st.integers(0, 10**7),
)


@given(recipes)
def test_printing_and_parsing_give_the_recipe_back(made: recipe.Recipe) -> None:
    """parse(spell(r)) == r, for every recipe."""
    assert recipe.parse(recipe.spell(made)) == made


@given(recipes)
def test_the_spelling_is_a_plain_path(made: recipe.Recipe) -> None:
    """A spelled recipe is ASCII without query, spaces or control characters."""
    spelled = recipe.spell(made)
    assert spelled.isascii()
    assert not set(spelled) & set(" ?#\\\r\n")


@given(recipes, st.integers(0, 200), st.characters(max_codepoint=126, min_codepoint=33))
def test_any_other_spelling_is_unknown(made: recipe.Recipe, at: int, char: str) -> None:
    """A path parses only if it is the canonical spelling of what it parses to."""
    spelled = recipe.spell(made)
    assume(at < len(spelled))
    changed = spelled[:at] + char + spelled[at + 1 :]
    try:
        assert recipe.spell(recipe.parse(changed)) == changed
    except refusals.Refusal as refusal:
        assert refusal.status in (400, 404)


def decided(text: str, accepts: str = "", path: str = "pics/a b.jpg") -> recipe.Recipe:
    source, file = paths.split(path)
    made, _ = rules.decide(
        query.parse(text, limits.Limits()),
        rules.Rule(),
        source=source,
        path=file,
        accepts=accepts,
        engine="1",
        limits=limits.Limits(),
    )
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("w=400&h=300", "h=300&w=400"),
        ("w=400&h=300&fit=inside", "w=400&h=300"),
        ("w=400&dpr=2", "w=800"),
        ("w=401&dpr=1.5", "w=602"),
        ("dpr=3", ""),
        ("fm=jpg&q=80", "fm=jpg"),
        ("fm=png&q=30", "fm=png"),
        ("w=400&fit=cover", "w=400"),
        ("fm=webp&bg=f00", "fm=webp"),
        ("fm=jpg&bg=fff", "fm=jpg"),
        ("fm=jpg&bg=ff0000", "fm=jpg&bg=%23F00"),
        ("fm=jpg&bg=red", "fm=jpg&bg=ff0000ff"),
        ("fm=jpg&bg=transparent", "fm=jpg"),
        ("fm=auto", ""),
        ("%77=400", "w=400"),
        ("w=0400", "w=400"),
    ],
)
def test_spellings_of_one_picture_share_a_recipe(one: str, other: str) -> None:
    """Order, defaults, dpr, colour names and irrelevant parameters make no difference."""
    assert decided(one) == decided(other)


def test_paths_are_decoded_once_and_encoded_canonically() -> None:
    """Different encodings of a path are one recipe; a doubly encoded one is another file."""
    assert decided("", path="pics/%61%20b.jpg") == decided("", path="pics/a%20b.jpg")
    assert decided("", path="pics/%2561.jpg").path == "%61.jpg"


def test_the_engine_is_part_of_the_key() -> None:
    """A new encoder build gives new keys."""
    one = short.canonical(engine="1")
    other = short.canonical(engine="2")
    assert recipe.spell(one) != recipe.spell(other)


@given(st.tuples(*[st.integers(0, 255)] * 4))
def test_colours_have_one_spelling(colour: colours.Colour) -> None:
    """parse(spell(c)) == c."""
    assert colours.parse(colours.spell(colour)) == colour
