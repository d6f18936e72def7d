"""Many pictures of one source in one answer."""

from __future__ import annotations

import asyncio
import email.parser
import email.policy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import deployment
import derive
import dynimo_images
import generate
import kept
import parts as pieces
import preprocess
import refusals
from dynimo.sdk import app as sdk_app
from dynimo.sdk import http

NONE: Any = None
"""The context, which is not needed."""
Derive = Callable[[Any], http.Reply]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def posted(path: str, body: str, accept: str = "") -> dict[str, Any]:
    """Give the event of a POST."""
    return {
        "rawPath": path, "headers": {"accept": accept}, "body": body,
        "requestContext": {"http": {"method": "POST"}},
    }  # fmt: skip


@pytest.fixture
def ask_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Derive:
    """POST to /img/_derive, with the sample in the source."""
    (folder / "a b.jpg").write_bytes(SAMPLE.read_bytes())
    monkeypatch.setattr(generate, "_PICTURES", kept.Pictures())

    def call(told: Any, accept: str = "image/webp") -> http.Reply:
        body = told if isinstance(told, str) else json.dumps(told)
        decided = asyncio.run(preprocess.handler(posted("/img/_derive", body, accept), NONE))
        target = dict(decided.headers).get(http.FORWARD_HEADER)
        if target is None:
            return decided  # type: ignore[no-any-return]
        return generate.handler(posted(target, decided.body.decode()), NONE)

    return call


def parts(reply: http.Reply) -> list[EmailMessage]:
    """Read the answer with the standard library's MIME parser."""
    assert reply.status == 200, reply.body
    head = f"content-type: {dict(reply.headers)['content-type']}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(head + reply.body)
    assert isinstance(message, EmailMessage)
    return list(message.iter_parts())  # type: ignore[arg-type]


def opened(part: EmailMessage) -> Image.Image:
    return Image.open(io.BytesIO(part.get_payload(decode=True)))  # type: ignore[arg-type]


def test_every_variant_is_a_part(ask_many: Derive) -> None:
    """In their order, negotiated, each with its address and validator."""
    wanted = ["w=100", "w=200&fm=png", "w=50&h=50&fit=cover&fm=jpg"]
    found = parts(ask_many({"source": "pics/a b.jpg", "variants": wanted}))
    assert [opened(part).size for part in found] == [(100, 63), (200, 125), (50, 50)]
    assert [part.get_content_type() for part in found] == ["image/webp", "image/png", "image/jpeg"]
    assert [part["content-location"] for part in found] == [
        f"/img/pics/a%20b.jpg?{query}" for query in wanted
    ]
    assert all(part["status"] == "200" and part["etag"].startswith('"') for part in found)


def test_all_come_from_one_decode(ask_many: Derive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the first: it knows that others follow."""
    decoded: list[object] = []
    real = generate.making.render.opening.turbo.decode  # type: ignore[attr-defined]

    def counted(*given: Any, **how: Any) -> Any:
        decoded.append(given)
        return real(*given, **how)

    monkeypatch.setattr(generate.making.render.opening.turbo, "decode", counted)  # type: ignore[attr-defined]
    variants = [f"w={width}&fm=jpg" for width in (100, 900, 200, 700, 400)]
    assert len(parts(ask_many({"source": "pics/a b.jpg", "variants": variants}))) == 5
    assert len(decoded) == 1


def test_one_that_cannot_be_made_leaves_the_others(ask_many: Derive) -> None:
    """Its part has its status, and says why."""
    told = {"source": "pics/a b.jpg", "variants": ["w=10", "w=x", "bogus=1", "w=20"]}
    found = parts(ask_many(told))
    assert [part["status"] for part in found] == ["200", "400", "400", "200"]
    assert json.loads(found[1].get_content())["parameter"] == "w"
    missing = parts(ask_many({"source": "pics/none.jpg", "variants": ["w=10"]}))
    assert [part["status"] for part in missing] == ["404"]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("{", 400),
        ([], 400),
        ({"source": "a/b"}, 400),
        ({"source": "a/b", "variants": "w=1"}, 400),
        ({"source": "a/b", "variants": []}, 400),
        ({"source": "a/b", "variants": ["w=1"] * (derive.VARIANTS_MAX + 1)}, 400),
        ({"source": "pics/\ud800", "variants": ["w=1"]}, 400),
        ({"source": 1, "variants": ["w=1"]}, 400),
        ({"source": "a/b", "variants": ["w=1"], "more": 1}, 400),
        ({"source": "a" * derive.BODY_BYTES_MAX, "variants": ["w=1"]}, 413),
    ],
)
def test_a_wrong_request_is_refused_whole(ask_many: Derive, told: Any, status: int) -> None:
    """With the reason."""
    reply = ask_many(told)
    assert reply.status == status
    assert json.loads(reply.body)["message"]


def test_what_does_not_fit_is_said(ask_many: Derive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is whole or not there."""
    monkeypatch.setattr(pieces, "ANSWER_BYTES_MAX", 3_000)
    variants = ["w=60&fm=jpg", "w=900&fm=jpg", "w=60&fm=jpg&q=50"]
    found = parts(ask_many({"source": "pics/a b.jpg", "variants": variants}))
    assert [part["status"] for part in found] == ["200", "413", "200"]


def test_a_variant_bears_its_own_urls_signature(
    ask_many: Derive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where URLs are signed, a variant is the query of one, as clients make it."""
    key, name = "a key of some length", "pics/a (1)'.jpg"
    (folder / "a (1)'.jpg").write_bytes(SAMPLE.read_bytes())
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", deployment.read({"keys": [key]}))
    signed = dynimo_images.url(name, key=key, w=61, fm="jpg").partition("?")[2]
    asked = [signed, "w=61&fm=jpg", "w=64", signed.replace("61", "62"), "w=\ud800"]
    found = parts(ask_many({"source": name, "variants": asked}))
    assert [part["status"] for part in found] == ["200", "403", "200", "403", "400"]


def json_like(inner: Any) -> Any:
    """Give what JSON can be made of."""
    names = st.sampled_from(["address", "recipe", "refused", "status", "headers", "body"])
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6)


@given(st.text(max_size=40), st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_any_request_gives_parts_or_a_refusal(source: str, variants: list[str]) -> None:
    """Whatever the texts, no header line can be broken out of."""

    def decide(asked: http.HttpRequest) -> http.Reply:
        return http.content(asked.query.encode("utf-8", "replace"), "text/plain")

    body = json.dumps({"source": source, "variants": variants}).encode()
    request = http.HttpRequest(method="POST", path="", query="", headers={}, body=body)
    try:
        told = derive.answer(request, decide)
    except refusals.Refusal as refusal:
        assert refusal.status == 400
        return
    reply = pieces.answer(told.body, lambda *_: http.content(b"x", "image/png"))
    assert [part["status"] for part in parts(reply)] == ["200"] * len(variants)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), json_like, max_leaves=9))
def test_whatever_is_handed_over_is_parts_or_refused(told: Any) -> None:
    """Whoever may call the Generator by name may send it anything."""
    reply = generate.handler(posted(pieces.TARGET, json.dumps(told)), NONE)
    assert reply.status in (200, 404)


def test_the_generator_knows_no_rule_and_no_key() -> None:
    """It imports nothing that decides, and its table in app.toml names no setting with a key."""
    app = sdk_app.read(SAMPLE.parent.parent)
    for name in ("generate", "spare"):
        given = app.functions[name].settings
        assert given is not None
        assert not {"keys", "explain_key", "imgproxy", "thumbor", "rules"} & set(given)
    code = "import sys, generate, spare; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=app.folder, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "recipe" in loaded
    assert not {"preprocess", "derive", "deciding", "rulesets"} & set(loaded)
