"""Few values for headers that have thousands: what is told apart, and that nothing else is."""

from __future__ import annotations

from decimal import Decimal

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
    assert selecting.reduced("save-data", "on", text) == (
        "on" if text.strip().lower() == "on" else ""
    )
    for name, forms in (
        ("user-agent", set(selecting.DEVICES)),
        ("sec-ch-ua-mobile", {"?0", "?1", ""}),
        ("sec-ch-ua-platform", {"desktop", ""}),
    ):
        for value in (text, *forms, "Windows", "?1 "):
            told = selecting.reduced(name, selecting.BY_DEVICE, value)
            assert told in forms
            assert selecting.reduced(name, selecting.BY_DEVICE, told) == told


NUMBERS = st.decimals("0", "120", places=4).map(str) | st.text(max_size=9)
STEPS = st.lists(st.decimals("0.001", "110", places=3), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("how", "hint", "told"),
    [
        ("1 1.5 2 3", "2.0", "2"),
        ("1 1.5 2 3", "2.0004999", "2"),
        ("1 1.5 2 3", "2.0005", "3"),
        ("1 1.5 2 3", "0.2", "1"),
        ("1 1.5 2 3", "77", "3"),
        ("number", "1.100000023841858", "1.1"),
        ("number", " 002.50 ", "2.5"),
        ("number", "100", "100"),
        ("number", "0.0001", ""),
        ("number", "1e3", ""),
        ("number", "-1", ""),
        ("number", "٣", ""),
    ],
)
def test_numbers_are_told_apart_by_steps(how: str, hint: str, told: str) -> None:
    """By the step that they come to from below, the last for what is larger; or in thousandths."""
    assert selecting.reduced("dpr", how, hint) == told


@given(NUMBERS, STEPS, STEPS)
def test_a_step_says_what_the_number_did(
    hint: str, some: list[Decimal], more: list[Decimal]
) -> None:
    """It is its own reduction; and what is told apart together is at least as fine as each."""
    how, other = selecting.steps(some), selecting.steps(more)
    assert selecting.told_apart(f"dpr={how}") == {"dpr": how}
    both = selecting.together("dpr", how, other)
    for each in (how, both, selecting.BY_NUMBER):
        little = selecting.reduced("dpr", each, hint)
        assert selecting.reduced("dpr", each, little) == little
    for fine in (both, selecting.together("dpr", how, selecting.BY_NUMBER)):
        little = selecting.reduced("dpr", fine, hint)
        for each, steps in ((how, some), (other, more)):
            if fine == both or each == how:
                assert selecting.reduced("dpr", each, little) == selecting.reduced(
                    "dpr", each, hint
                )
            assert selecting.reduced("dpr", each, hint) in {"", *selecting.steps(steps).split()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", {}),
        ("DPR=3 1 2.50 1, width=number, save-data=ON", {"dpr": "1 2.5 3", "width": "number",
         "save-data": "on"}),
        ("accept=Image/avif image/webp image/avif", {"accept": "image/avif image/webp"}),
        ("accept=, save-data=", {}),
        ("accept=image/*;q=1, user-agent=", {}),
        ("dpr=, width=1.0001, viewport-width=-1, save-data=off, sec-ch-dpr=device", {}),
        ("dpr=" + " ".join(map(str, range(65))), {}),
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
