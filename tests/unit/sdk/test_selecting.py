"""Few values for headers that have thousands: what is told apart, and that nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.sdk import selecting

TAGS = ["de", "de-at", "fr", "pt", "pt-br", "und"]
ELEMENTS = st.tuples(
    st.sampled_from([*TAGS, "en-GB", "DE-at-1996", "x", "*", "", "de_AT", "ø"]),
    st.sampled_from(["", ";q=0.9", " ; Q=0.2", ";q=0", ";q=x", ";v=1"]),
)
HEADERS = st.lists(ELEMENTS.map("".join), max_size=12).map(",".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", ""),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en,de;q=0.5", "und,de"),
        ("en;q=0.4,pt-PT;q=0.5", "pt"),
        ("en,sv", "und"),
        ("pt-BR,de", "pt-br,de"),
        ("pt,pt-BR", "pt,pt-br"),
        ("de;q=0, fr", "fr"),
        ("x-klingon,,;q=1", "und"),
        ("en," * 3_000 + "de", "und"),
    ],
)
def test_languages_are_told_apart_by_those_named(header: str, told: str) -> None:
    """Best first, the narrowest that has a name; whether the best of all has one."""
    assert selecting.reduced("accept-language", "de fr pt pt-br", header) == told


@given(HEADERS, st.sets(st.sampled_from(TAGS)))
def test_a_reduced_header_says_what_the_whole_one_did(header: str, named: set[str]) -> None:
    """To whoever asks for fewer languages too; and it is its own reduction."""
    how = " ".join(sorted(named))
    little = selecting.reduced("accept-language", how, header)
    assert selecting.reduced("accept-language", how, little) == little
    for fewer in (named, named - {"de"}, {"pt"} & named):
        assert selecting.languages(little, fewer) == selecting.languages(header, fewer)


@given(st.text(max_size=60))
def test_devices_are_few(text: str) -> None:
    """Whatever a client says, and each is its own reduction."""
    assert set(selecting.told_apart(text)) <= {"accept-language", "user-agent"}
    for name, forms in (
        ("user-agent", set(selecting.DEVICES)),
        ("sec-ch-ua-mobile", {"?0", "?1", ""}),
        ("sec-ch-ua-platform", {"desktop", ""}),
    ):
        for value in (text, *forms, "Windows", "?1 "):
            told = selecting.reduced(name, selecting.BY_DEVICE, value)
            assert told in forms
            assert selecting.reduced(name, selecting.BY_DEVICE, told) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", {}),
        ("accept-language=de PT-br de", {"accept-language": "de pt-br"}),
        ("Accept-Language=de,user-agent=device",
         {"accept-language": "de", "user-agent": "device"}),
        ("accept-language=", {"accept-language": ""}),
        ("accept-language=*, user-agent=kind, cookie=device, x", {}),
        ("accept-language=" + " ".join(f"a{n}" for n in range(65)), {}),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_left_out(text: str, told: dict[str, str]) -> None:
    """Then the whole header counts, which is never wrong."""
    assert selecting.told_apart(text) == told
