"""Fixtures of the image app's tests: a source folder, pictures to put in it, and a way to ask."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

import generate
import kept
import preprocess
import spare
from dynimo.sdk import context, http
from worked import SAMPLE

# No test measures time: not by Hypothesis's own limits either, which a busy machine breaks.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

CONTEXT = context.Context(
    aws_request_id="1",
    function_name="images",
    function_version="1",
    invoked_function_arn="arn",
    memory_limit_in_mb="512",
    log_group_name="",
    log_stream_name="",
    deadline_ms=0,
)


def event(path: str, query: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers or {},
        "requestContext": {"http": {"method": "GET"}},
    }


@pytest.fixture(autouse=True)
def development(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let unsigned URLs ask for anything, as on a developer's machine."""
    monkeypatch.setenv("DYNIMO_DEVELOPMENT", "1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder that is the source named ``pics``."""
    root = tmp_path / "pics"
    root.mkdir()
    monkeypatch.setenv("DYNIMO_SOURCES", json.dumps({"pics": str(root)}))
    return root


Ask = Callable[..., http.Reply]


@pytest.fixture
def decide() -> Ask:
    """Ask the Preprocessor for ``path`` below /img/."""

    def call(path: str, query: str = "", **headers: str) -> http.Reply:
        asked = event("/img/" + path, query, headers)
        return asyncio.run(preprocess.handler(asked, CONTEXT))

    return call


@pytest.fixture
def decide_info() -> Ask:
    """Ask the Preprocessor for ``path`` below /info/."""

    def call(path: str, query: str = "", **headers: str) -> http.Reply:
        asked = event("/info/" + path, query, headers)
        return asyncio.run(preprocess.handler(asked, CONTEXT))

    return call


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the Generator for an internal path, in an environment that has kept nothing yet."""
    monkeypatch.setattr(generate, "_PICTURES", kept.Pictures())
    monkeypatch.setattr(generate, "_FILES", kept.Files())

    def call(path: str, headers: dict[str, str] | None = None, kin: int = 0) -> http.Reply:
        return generate.handler(event(path, headers=headers), replace(CONTEXT, kin=kin))

    return call


@pytest.fixture
def make_spare() -> Ask:
    """Ask the spare for an internal path."""

    def call(path: str) -> http.Reply:
        return spare.handler(event(path), CONTEXT)

    return call


@pytest.fixture
def ask(folder: Path, decide: Ask, make: Ask) -> Ask:
    """Ask both, as the edge does: the reply of the Preprocessor unless it forwards."""
    del folder

    def call(path: str, query: str = "", **headers: str) -> http.Reply:
        decision = decide(path, query, **headers)
        forwarded = dict(decision.headers).get(http.FORWARD_HEADER)
        return make(forwarded) if forwarded else decision

    return call


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """Give the sample, small."""
    with Image.open(SAMPLE) as opened:
        return opened.convert("RGB").resize((160, 120))


@pytest.fixture(scope="module")
def clear(photo: Image.Image) -> Image.Image:
    """Give the photograph with alpha that grows from left to right."""
    made = photo.copy()
    made.putalpha(Image.linear_gradient("L").rotate(90).resize(photo.size))
    return made


def opened(reply: http.Reply) -> Image.Image:
    """Open a reply's picture with Pillow, the independent oracle."""
    assert reply.status == 200, reply.body
    image = Image.open(io.BytesIO(reply.body))
    image.load()
    return image


@pytest.fixture
def look() -> Callable[[http.Reply], Image.Image]:
    return opened
