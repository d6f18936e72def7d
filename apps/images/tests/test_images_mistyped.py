"""URLs as people mistype them: each refusal says what to write instead."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deployment
import meant
import preprocess
import query
from conftest import CONTEXT, event
from limits import Limits
from parameters import table

pytestmark = pytest.mark.usefixtures("folder", "_open")

P = "plain/local:///pics/a.jpg"
I = "pics%2Fa.jpg"  # noqa: E741 - an identifier


@pytest.fixture
def _open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every language be written without a signature, as in development."""
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", preprocess._OPEN)


def refused(url: str) -> tuple[int, str]:
    path, _, given = url.partition("?")
    reply = asyncio.run(preprocess.handler(event(path, given, {}), CONTEXT))
    return reply.status, json.loads(reply.body)["message"]


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/img/pics/a.jpg?w=1e3", 400, "w must be a whole number from 1 to 8192"),
        ("/img/pics/a.jpg?w=300px", 400, "w must be a whole number"),
        ("/img/pics/a.jpg?width=300", 400, "no parameter 'width'; did you mean w?"),
        ("/img/pics/a.jpg?W=300", 400, "did you mean w?"),
        ("/img/pics/a.jpg?blurr=3", 400, "did you mean blur?"),
        ("/img/pics/a.jpg?txt-szie=3", 400, "did you mean txt-size?"),
        ("/img/pics/a.jpg?w=3&amp;h=2", 400, "&amp; where & is meant"),
        ("/img/pics/a.jpg?xyzzy=1", 400, "images-native.md names all"),
        ("/img/pics/%zz.jpg?w=3", 400, "two hexadecimal digits"),
        ("/img/art/a.jpg", 404, "dynimo images explain URL"),
        (f"/imgproxy/_/w:1e3/{P}", 404, "w must be a whole number"),
        (f"/imgproxy/_/resiz:fit:3/{P}", 404, "no option 'resiz'; did you mean resize?"),
        (f"/imgproxy/_/width=300/{P}", 404, "each NAME:ARGUMENT"),
        (f"/imgproxy/_//w:3/{P}", 404, "two slashes where one must be"),
        (f"/imgproxy/_/w:3//{P}", 404, "two slashes where one must be"),
        ("/imgproxy/_/w:3/local:///pics/a.jpg", 404, "begins with plain/"),
        ("/imgproxy/_/w:3/https://host/a.jpg", 404, "begins with plain/"),
        ("/imgproxy/_/w:3/bG9jYWw6Ly8vcGljcy9hLmpwZ===x", 404, "URL-safe"),
        (f"/iiif/3/{I}/full/1e3,/0/default.jpg", 400, "size must be max, w,"),
        ("/iiif/3/pics/a.jpg/full/max/0/default.jpg", 404, "each / is written %2F"),
        (f"/iiif/3/{I}//full/max/0/default.jpg", 404, "region/size/rotation/quality.format"),
        (f"/iiif/4/{I}/full/max/0/default.jpg", 404, "version 2 or 3"),
        ("/thumbor/unsafe/99999x200/pics/a.jpg", 400, "from 0 to 65500"),
    ],
)
def test_a_refusal_says_what_to_write(url: str, status: int, said: str) -> None:
    """In a sentence; what is not there is not told apart from what may not be seen."""
    found, message = refused(url)
    assert found == status
    assert said in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/img/art/a.jpg", "no source is named 'art'; there are pics"),
        ("/info/art/a.jpg", "no source is named 'art'"),
        ("/imgproxy/_/plain/local:///art/a.jpg", "no source is named 'art'"),
        ("/imgproxy/_/plain/pics/a.jpg", "no scheme"),
        ("/imgproxy/_/plain/https://host/a.jpg", "url_sources"),
        ("/iiif/3/art%2Fa.jpg/info.json", "no source is named 'art'"),
        ("/thumbor/unsafe/fit_in/30x20/pics/a.jpg", "'fit_in' is no source (pics)"),
        ("/thumbor/unsafe/300X200/pics/a.jpg", "'300X200' is no source (pics)"),
    ],
)
def test_the_operator_is_told_why_nothing_is_there(url: str, why: str) -> None:
    """And nobody else: which sources there are is not for everybody."""
    told = asyncio.run(preprocess.handler({"explain": url}, CONTEXT))
    assert why in told["why"]
    assert "pics" not in refused(url)[1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/img/pics/a.jpg?w=3&s=abc=", "dynimo images sign URL makes it: base64url without ="),
        ("/imgproxy/w:3/plain/local:///pics/a.jpg", "no signature is there"),
        ("/imgproxy/unsafe/w:3/plain/local:///pics/a.jpg", "of all that follows it"),
        ("/thumbor/30x20/pics/a.jpg", "its hash, which is missing"),
        ("/thumbor/fit-in/30x20/pics/a.jpg", "its hash, which is missing"),
        ("/thumbor/unsafe/30x20/pics/a.jpg", "sign the URL"),
        ("/thumbor/abcdefgh/30x20/pics/a.jpg", "signed with another key"),
    ],
)
def test_a_signature_that_is_wrong_or_missing_is_told_how_it_is_made(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every language has keys; missing and wrong are told apart."""
    keys = {"IMGPROXY_KEY": "aa" * 16, "IMGPROXY_SALT": "bb", "SECURITY_KEY": "key"}
    deployed = deployment.read({"keys": ["k" * 20]}, keys)
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", deployed)
    monkeypatch.setattr(preprocess, "_ENVIRONMENT", keys)
    status, message = refused(url)
    assert status in {400, 403}
    assert said in message


@given(st.text(max_size=40), st.lists(st.text(max_size=9), max_size=5))
def test_any_name_is_a_slip_of_a_known_one_or_of_none(name: str, known: list[str]) -> None:
    """And what is known is never taken for another one."""
    assert meant.closest(name, known) in {"", *known}
    for each in known:
        if each and each == each.lower():
            assert meant.closest(each, known).lower() in {each, *(k.lower() for k in known)}


def test_other_servers_words_lead_to_parameters_that_are_there() -> None:
    """Each of them to one, and none of them is one itself."""
    rows = table.rows(Limits())
    assert set(query.OTHER_WORDS.values()) <= {*rows, "s"}
    assert not set(query.OTHER_WORDS) & set(rows)
