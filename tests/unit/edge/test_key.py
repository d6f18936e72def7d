"""Accept's normal form, and Vary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge import key

OFFERS = ("image/avif", "image/webp")
QUALITIES = st.sampled_from([None, "1", "1.0", "0.9", "0.85", "0.5", "0.001", "0", "0.000"])
SPACE = st.sampled_from(["", " ", "  ", "\t"])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", ""),
        ("*/*", ""),
        ("image/*", ""),
        ("image/webp", "image/webp"),
        ("image/webp,image/avif", "image/avif, image/webp;q=0.999"),
        ("image/avif;q=0.5, image/webp", "image/webp, image/avif;q=0.999"),
        ("image/avif;q=0,image/webp;q=0.1,*/*", "image/webp"),
        ("IMAGE/WebP ; Q=0.3", "image/webp"),
        ("image/webp;q=2", ""),
        ("image/webp;q=x", ""),
        ("image/webp;v=1;q=0.5", "image/webp"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
         "image/avif, image/webp;q=0.999"),
        (";;,,q=1", ""),
        ("image/webp," * 2000, ""),
    ],
)  # fmt: skip
def test_accept_names_what_is_offered(accept: str, expected: str) -> None:
    """Only types that are named, by quality, then in the server's order."""
    assert expected == key.normalise_accept(accept, OFFERS)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Two spellings of one preference."""
    chosen = draw(st.dictionaries(st.sampled_from(OFFERS), QUALITIES))
    texts = []
    for _ in range(2):
        parts = []
        for media, quality in chosen.items():
            name = draw(st.sampled_from([media, media.upper(), media.title()]))
            weight = "" if quality is None else f"{draw(SPACE)};{draw(SPACE)}q={quality}"
            parts.append(draw(SPACE) + name + weight + draw(SPACE))
        noise = draw(st.lists(st.sampled_from(["*/*", "image/*;q=0.1", "text/html", "x", ""])))
        texts.append(",".join(draw(st.permutations(parts + noise))))
    return texts[0], texts[1]


@given(spellings())
def test_many_spellings_one_form(pair: tuple[str, str]) -> None:
    """Case, blanks, order and strangers do not matter."""
    assert key.normalise_accept(pair[0], OFFERS) == key.normalise_accept(pair[1], OFFERS)


@given(st.text(max_size=200) | spellings().map(lambda pair: pair[0]))
def test_normal_form_is_its_own(accept: str) -> None:
    """Anything at all is read without failing, and reading the result changes nothing."""
    once = key.normalise_accept(accept, OFFERS)
    assert once == key.normalise_accept(once, OFFERS)
    assert once.replace(";q=0.999", "") in {
        "", "image/avif", "image/webp", "image/avif, image/webp", "image/webp, image/avif"
    }  # fmt: skip


@given(st.lists(st.sampled_from(["Accept", "accept", " X-A", "x-a ", ""]), max_size=6))
def test_vary_is_a_set(names: list[str]) -> None:
    """Order, case and repetition of Vary's names do not matter."""
    expected = tuple(sorted({name.strip().lower() for name in names} - {""}))
    assert expected == key.vary_names(",".join(names))


def test_vary_star_matches_nothing() -> None:
    """A star anywhere makes the answer unusable for others (RFC 9111 4.1)."""
    assert key.vary_names("Accept, *") is None


def test_merged_vary_names_each_header_once() -> None:
    """The decision's Vary and the object's become one."""
    assert key.merge_vary("accept", "Accept,DPR", "") == "Accept, Dpr"
    assert key.merge_vary("accept", "*") == "*"


@pytest.mark.parametrize(
    ("encodings", "form"),
    [
        ("gzip, deflate, br", "br,deflate,gzip"),
        ("br;q=1.0,  GZIP;q=0.8,deflate", "br,deflate,gzip"),
        ("gzip;q=0, br", "br"),
        ("x-gzip, mine, yours;q=0.5", "gzip"),
        ("identity;q=0, *;q=0, gzip", "*;q=0,gzip,identity;q=0"),
        ("", ""),
    ],
)
def test_encodings_that_mean_the_same_are_one_variant(encodings: str, form: str) -> None:
    """Nobody makes variants by thinking up codings, and each variant is its own form."""
    assert key.normal("accept-encoding", encodings) == form
    assert key.normal("accept-encoding", form) == form
