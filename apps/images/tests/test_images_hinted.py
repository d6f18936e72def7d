"""Client hints and caches: a variant for each picture, and never one for two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deciding
import imgproxy_urls as asking
import preprocess
import refusals
from deciding import Book
from dialects.dialect import Asked, Decision
from dynimo.edge import key as keys
from dynimo.sdk import http
from rulesets import reading

RULES = """
mode = "layered"
[[rule]]
path = "sized/*"
sizes = [200, 640, 1000, "original"]
[[rule]]
path = "dense/*"
when = { dpr = { least = 1.33, most = 2.5 } }
effects = "grey"
[[rule]]
path = "dense/*"
when = { dpr = 3 }
canvas = { w = 50, h = 50 }
"""
SAID = (
    "1", "2", "2.0", "2.000001", "02.00", "1.5", "1.33", "1.329", "1.3295", "2.5", "2.501", "3",
    "3.0004", "3.1", "7.9", "100", "150.2", "640", "641", "99999", "0", "", "nan", "-1", "1e3",
)  # fmt: skip
NUMBERED = ("sec-ch-dpr", "dpr", "sec-ch-width", "width")
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(NUMBERED, st.sampled_from(SAID)),
        "save-data": st.sampled_from(["on", "ON ", "off", "x"]),
    },
)
HEADER = st.sampled_from(NUMBERED)
URLS = st.sampled_from(
    [f"img/s/{folder}/a.jpg?{query}"
     for folder in ("any", "sized", "dense") for query in ("w=200&fm=jpg", "fm=jpg", "w=200&dpr=2")]
)  # fmt: skip


def decided(url: str, headers: Mapping[str, str]) -> Decision:
    path, _, query = url.partition("?")
    asked = Asked(path=path, query=query, headers=headers)
    book = Book(ruleset=reading.parse(RULES, "f"))
    found = preprocess.decide_for(asked, deciding.view(asked, book, 0), trial=True)
    assert isinstance(found, Decision)
    return found


def selected(found: Decision, headers: Mapping[str, str]) -> tuple[object, object]:
    """By what the edge would find a decision, for a request with these headers."""
    told = dict(http.varying(", ".join(found.vary), found.apart))
    names = keys.selecting(told.get("vary", ""), told.get(http.VARY_HEADER, ""))
    assert names is not None
    return names, keys.variant(names, headers)


@pytest.fixture
def _hints(monkeypatch: pytest.MonkeyPatch) -> None:
    every = ("dpr", "width", "save-data")
    monkeypatch.setattr(preprocess, "_OPEN", replace(preprocess._OPEN, hints=every))


def check_sharing(
    decide: Callable[[Mapping[str, str]], Decision], rest: Mapping[str, str], header: str
) -> None:
    """Check that what is stored for one value of a header is given to no other that differs."""
    clients = [dict(rest), *({**rest, header: each} for each in SAID)]
    made = [decide(each) for each in clients]
    for found, ones in zip(made, clients, strict=True):
        own = selected(found, ones)
        for other, others in zip(made, clients, strict=True):
            if selected(found, others) == own:
                assert other.recipe == found.recipe


@pytest.mark.usefixtures("_hints")
def test_whoever_is_given_a_stored_decision_would_have_got_the_same() -> None:
    """Whatever two clients hint, if the edge answers one by what the other made it store."""

    @settings(max_examples=40)
    @given(URLS, HEADERS, HEADER)
    def holds(url: str, rest: Mapping[str, str], header: str) -> None:
        check_sharing(lambda headers: decided(url, headers), rest, header)

    holds()


@pytest.mark.usefixtures("_hints")
@pytest.mark.parametrize(
    ("url", "header", "values", "variants"),
    [
        ("img/s/a.jpg?w=200&fm=jpg", "dpr", ("2", "2.0", "2.000001", "1.51", " 2 "), 1),
        ("img/s/a.jpg?w=200&fm=jpg", "sec-ch-dpr", ("2.5", "3", "4", "99"), 1),
        ("img/s/a.jpg?w=200&fm=jpg", "dpr", ("1", "1.5", "2", "3", "x", "0"), 5),
        ("img/s/a.jpg?fm=jpg", "width", [str(n) for n in range(1, 5000, 37)], 40),
        ("img/s/sized/a.jpg?fm=jpg", "width", [str(n) for n in range(1, 5000, 37)], 3),
        ("img/s/a.jpg?w=200&dpr=2&fm=jpg", "dpr", ("1", "2", "3"), 1),
        ("img/s/a.jpg?w=200&fm=jpg", "width", ("1", "2", "3"), 1),
        ("img/s/a.jpg?w=200&q=80&dpr=1", "save-data", ("on", "off"), 1),
        ("img/s/dense/a.jpg?w=200&dpr=1", "dpr", ("1.4", "2", "3"), 1),
        ("img/s/dense/a.jpg?h=9&fm=jpg", "sec-ch-dpr", ("1.33", "1.4", "1.5"), 1),
        ("img/s/dense/a.jpg?h=9&fm=jpg", "sec-ch-dpr", ("2.4", "2.5", "2.6", "2.99", "3.1"), 3),
    ],
)
def test_hints_that_give_one_picture_are_one_variant(
    url: str, header: str, values: list[str], variants: int
) -> None:
    """What a hint is rounded to is told apart; where the URL says all, it is not looked at."""
    assert len({selected(decided(url, {header: v}), {header: v}) for v in values}) == variants


@pytest.mark.usefixtures("_hints")
def test_a_refusal_by_a_hint_is_not_everybodys() -> None:
    """It says that it hangs on the density: others may have that width."""
    url, headers = "img/s/a.jpg?w=4000&fm=jpg", {"dpr": "3"}
    assert decided(url, {"dpr": "1"}).recipe.box == (4000, 0)
    with pytest.raises(refusals.Refusal) as caught:
        decided(url, headers)
    refused = caught.value
    asked = Asked(path="img/s/a.jpg", query="", headers=headers)
    seen = deciding.view(asked, Book(), 0)
    told = dict(preprocess._refused(refused, seen).headers)
    assert told["vary"] == "sec-ch-dpr, dpr, save-data"
    assert told[http.VARY_HEADER] == "sec-ch-dpr=1 1.5 2 3, dpr=1 1.5 2 3, save-data=on"


OPTIONS = st.sampled_from(["f:jpg", "f:jpg/dpr:2", "f:jpg/w:9", "f:jpg/h:9", "f:jpg/w:0/dpr:1"])


@settings(max_examples=25)
@given(OPTIONS, HEADERS, HEADER)
def test_nor_does_imgproxy_share_what_differs(
    options: str, rest: Mapping[str, str], header: str
) -> None:
    """Its numbers are not rounded to steps, and some hints make others count for nothing."""
    where = asking.world({"IMGPROXY_ENABLE_CLIENT_HINTS": "true"})

    def made(headers: Mapping[str, str]) -> Decision:
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        return asking.decision(f"_/{options}/{asking.FILE}", where, **named)

    check_sharing(made, rest, header)


def test_imgproxy_looks_at_hints_only_where_the_url_says_less() -> None:
    """And takes numbers that are one number for one."""
    where = asking.world({"IMGPROXY_ENABLE_CLIENT_HINTS": "true"})
    both = ("sec-ch-width", "width")
    for options, vary in (
        ("f:jpg", (*both, "sec-ch-dpr", "dpr")),
        ("f:jpg/dpr:2", both),
        ("f:jpg/w:9", ("sec-ch-dpr", "dpr")),
        ("f:jpg/w:0/dpr:1", ()),
    ):
        found = asking.decision(f"_/{options}/{asking.FILE}", where)
        assert (found.vary, tuple(found.apart)) == (vary, vary)
    made = {
        selected(asking.decision(f"_/f:jpg/w:9/{asking.FILE}", where, dpr=dpr), {"dpr": dpr})
        for dpr in ("2", "2.0", "2.000001")
    }
    assert len(made) == 1
