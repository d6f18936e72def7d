"""Why a URL gives what it gives: over HTTP with a key, by calling the function, in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

import explaining
import preprocess
from conftest import CONTEXT, event
from deciding import Book
from dynimo.sdk import http
from rulesets import reading

Ask = Callable[..., http.Reply]
KEY = "a key of the deployment"
RULES = """
version = "7"
[[rule]]
name = "logos"
path = "logos/**"
[[rule]]
name = "tops"
path = "{title}.jpg"
when.facts = { rank = { most = 10 } }
[[rule]]
name = "german"
when.locale = "de"
[[rule]]
name = "all"
ttl_seconds = 60
[[rule]]
name = "never"
"""


@pytest.fixture(autouse=True)
def rules(folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put rules, facts and a key in force."""
    del folder
    book = Book(ruleset=reading.parse(RULES, "f"), look=lambda _: {"rank": 12})
    monkeypatch.setattr(preprocess, "_book", lambda *_: book)
    deployed = replace(preprocess._DEPLOYMENT, explain_key=KEY)
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", deployed)


def called(url: str, **more: Any) -> Mapping[str, Any]:
    told = asyncio.run(preprocess.handler({"explain": url, **more}, CONTEXT))
    return json.loads(json.dumps(told))  # type: ignore[no-any-return]


def test_facts_that_cannot_be_read_are_no_secret_to_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An account says why a title has none."""
    ruleset = reading.parse(RULES, "f")
    book = Book(ruleset=ruleset, look=lambda _: {}, trouble=lambda: "no such table: films")
    monkeypatch.setattr(preprocess, "_book", lambda *_: book)
    told = called("/img/pics/a.jpg?w=9&fm=jpg")
    assert "cannot be read, what was known stays: no such table: films" in explaining.text(told)


def test_a_canary_that_is_not_there_is_not_taken_for_the_stable_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks for it is told so, by either way, and no cache keeps that."""
    monkeypatch.undo()
    told = called("/img/pics/a.jpg?w=9", ruleset="canary")
    assert (told["status"], told["error"]) == (409, "no_canary")
    assert "roll-out begins one" in explaining.text(told)
    deployed = replace(preprocess._DEPLOYMENT, explain_key=KEY)
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", deployed)
    asked = event("/img/pics/a.jpg", "w=9&ruleset=canary", {"x-images-key": KEY})
    reply = asyncio.run(preprocess.handler(asked, CONTEXT))
    assert (reply.status, dict(reply.headers)["cache-control"]) == (409, "no-store")


def test_it_names_rules_facts_recipe_and_why_not_the_others() -> None:
    """Every rule of the ruleset is accounted for."""
    told = called("/img/pics/a.jpg?w=9&fm=jpg", headers={"Accept-Language": "fr"})
    assert (told["ruleset"], told["file"], told["asked_for"]) == ("7", "pics/a.jpg", "pics/a.jpg")
    assert told["ops"] == "resize:inside,9;as:jpg,80,ffffff,,60"
    assert [each["name"] for each in told["rules"]] == ["all"]
    assert told["facts"] == {"a": {"rank": 12}}
    assert told["vary"] == ["accept-language"]
    assert {each["name"]: each["why"] for each in told["others"]} == {
        "logos": "it is for source '*', path 'logos/**'",
        "tops": "facts.rank is 12, wanted at most 10",
        "german": "locale is 'fr', wanted de",
        "never": "an earlier rule matches",
    }


def test_who_asks_why_waits_for_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike clients; the first look at a server's facts finds none."""
    looks = iter([None, {"rank": 2}])
    book = Book(ruleset=reading.parse(RULES, "f"), look=lambda _: next(looks))
    monkeypatch.setattr(preprocess, "_book", lambda *_: book)
    told = called("/img/pics/a.jpg?w=9&fm=jpg")
    assert (told["rules"][0]["name"], told["facts"]) == ("tops", {"a": {"rank": 2}})


def test_words_for_people_say_the_same() -> None:
    """One line for each thing."""
    text = explaining.text(called("/img/pics/a.jpg?w=9&fm=jpg"))
    assert "rule      all (line 13)" in text
    assert "not       german (line 10): locale is '', wanted de" in text
    assert "facts     a: rank=12" in text


def test_a_refused_request_is_explained_too() -> None:
    """With what it was refused for."""
    told = called("/img/pics/a.jpg?w=nan")
    assert (told["status"], told["error"]) == (400, "bad_parameter")
    assert "refused   400 bad_parameter" in explaining.text(told)


@pytest.mark.parametrize("parameter", ["explain=1", "explain=text", "debug=1", "ruleset=canary"])
@pytest.mark.parametrize("key", ["", "another", KEY[:-1]])
def test_without_the_key_nobody_is_told(decide: Ask, parameter: str, key: str) -> None:
    """403, for which no cache is told anything."""
    reply = decide("pics/a.jpg", f"w=9&{parameter}", **{"x-images-key": key})
    assert reply.status == 403
    assert dict(reply.headers)["cache-control"] == "no-store"


def test_a_deployment_without_a_key_tells_nobody(
    decide: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not who sends an empty one."""
    deployed = replace(preprocess._DEPLOYMENT, explain_key="")
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", deployed)
    assert decide("pics/a.jpg", "explain=1", **{"x-images-key": ""}).status == 403


def test_with_the_key_it_is_told_over_http(decide: Ask) -> None:
    """JSON, or text; the parameter is not the dialect's."""
    told = decide("pics/a.jpg", "w=9&explain=1", **{"x-images-key": KEY})
    text = decide("pics/a.jpg", "explain=text&w=9", **{"x-images-key": KEY})
    assert json.loads(told.body)["rules"][0]["name"] == "all"
    assert text.body.startswith(b"ruleset   7 (first)")
    assert dict(text.headers)["cache-control"] == "no-store"


def test_the_rules_are_named_beside_the_picture(decide: Ask) -> None:
    """In a header that the edge adds to the picture's; such a decision is kept for nobody."""
    headers = dict(decide("pics/a.jpg", "w=9&fm=jpg&debug=1", **{"x-images-key": KEY}).headers)
    plain = dict(decide("pics/a.jpg", "w=9&fm=jpg").headers)
    assert "images-ruleset" in headers["dynimo-said"]
    assert (headers["cache-control"], headers["vary"]) == (
        "max-age=0",
        "accept-language, x-images-key",
    )
    assert headers["dynimo-forward"] == plain["dynimo-forward"]


def test_a_decision_bears_its_tags(decide: Ask) -> None:
    """For purges by ruleset and rule."""
    headers = dict(decide("pics/a.jpg", "w=9&fm=jpg").headers)
    assert headers["surrogate-key"] == "images asset:pics/a.jpg ruleset:7 rule:all"
