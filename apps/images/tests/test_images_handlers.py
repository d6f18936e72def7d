"""The two handlers as the platform calls them: headers, conditions, refusals, and their limits."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import engine
import limits
import preprocess
import refusals
import render
import spelled
from deciding import Book
from dynimo.sdk import app, http
from rulesets import reading

Ask = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
APP = Path(__file__).parent.parent
SAMPLE = APP / "samples" / "boats.jpg"


@pytest.fixture
def boats(folder: Path) -> Path:
    """Put the sample into the source, last changed at second 1,000,000 of the epoch."""
    path = folder / "boats.jpg"
    path.write_bytes(SAMPLE.read_bytes())
    os.utime(path, (1_000_000, 1_000_000))
    return path


def forwarded(reply: http.Reply) -> str:
    return dict(reply.headers)[http.FORWARD_HEADER]


def test_the_manifest_is_right() -> None:
    """app.toml is accepted and names handlers that exist."""
    declared = app.read(APP)
    handlers = {name: one.handler for name, one in declared.functions.items()}
    assert handlers == {name: f"{name}.handler" for name in ("preprocess", "generate", "spare")}


@pytest.mark.usefixtures("boats")
def test_a_picture_has_all_its_headers(ask: Ask) -> None:
    """Type, strong validator, dates, freshness and timings."""
    reply = ask("pics/boats.jpg", "w=100&fm=jpg")
    headers = dict(reply.headers)
    assert headers["content-type"] == "image/jpeg"
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    assert headers["last-modified"] == "Mon, 12 Jan 1970 13:46:40 GMT"
    assert headers["cache-control"] == "public, max-age=3600, stale-if-error=86400"
    timed = re.findall(r"(\w+);dur=\d+\.\d", headers["server-timing"])
    assert timed == ["fetch", "decode", "resize", "encode"]


@pytest.mark.usefixtures("boats")
@pytest.mark.parametrize(
    ("query", "vary"), [("", "accept"), ("fm=auto", "accept"), ("fm=jpg", None), ("fm=avif", None)]
)
def test_only_negotiated_decisions_vary(decide: Ask, query: str, vary: str | None) -> None:
    """A forward says vary: accept exactly when Accept was looked at."""
    headers = dict(decide("pics/boats.jpg", query).headers)
    assert headers.get("vary") == vary
    assert headers["cache-control"] == "max-age=30, stale-if-error=86400"


@pytest.mark.usefixtures("folder")
def test_a_refusal_by_rules_says_for_whom_it_holds(
    decide: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may be given it by a cache: another device may have that size."""
    rules = "[[rule]]\nsizes = [100]\nwhen = {{ {} }}\n"
    by_device, by_viewer = (
        Book(ruleset=reading.parse(rules.format(when), "f"))
        for when in ("device = 'phone'", "bucket = { by = 'cookie:a' }")
    )
    monkeypatch.setattr(preprocess, "_book", lambda *_: by_device)
    refused = decide("pics/a.jpg", "w=200", **{"user-agent": "x Mobile"})
    told = dict(refused.headers)
    assert (refused.status, told["cache-control"]) == (400, "public, max-age=60")
    assert told["vary"] == "sec-ch-ua-mobile, sec-ch-ua-platform, user-agent"
    assert told[http.VARY_HEADER].endswith("user-agent=device")
    assert decide("pics/a.jpg", "w=200", **{"user-agent": "x"}).status == 200
    monkeypatch.setattr(preprocess, "_book", lambda *_: by_viewer)
    refused = decide("pics/a.jpg", "w=200", cookie="a=1")
    assert (refused.status, dict(refused.headers)["cache-control"]) == (400, "no-store")


@pytest.mark.usefixtures("boats")
def test_the_validator_gives_304_without_a_body(decide: Ask, make: Ask) -> None:
    """The ETag of the answer, in a list or weak, is enough; others are not."""
    path = forwarded(decide("pics/boats.jpg", "w=100"))
    tag = dict(make(path).headers)["etag"]
    for sent in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        reply = make(path, {"if-none-match": sent})
        assert (reply.status, reply.body) == (304, b"")
        assert dict(reply.headers)["etag"] == tag
    assert make(path, {"if-none-match": '"x"'}).status == 200


@pytest.mark.usefixtures("boats")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-modified-since": "Mon, 12 Jan 1970 13:46:40 GMT"}, 304),
        ({"if-modified-since": "Mon, 12 Jan 1970 13:46:39 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "Mon, 12 Jan 1970 13:46:40 GMT", "if-none-match": '"x"'}, 200),
    ],
)
def test_dates_are_validators_too(
    decide: Ask, make: Ask, headers: dict[str, str], status: int
) -> None:
    """If-Modified-Since counts, unless If-None-Match is there."""
    path = forwarded(decide("pics/boats.jpg", "w=100"))
    assert make(path, headers).status == status


def test_the_validator_follows_source_and_recipe(ask: Ask, boats: Path) -> None:
    """Another size, or a changed file, is another validator."""
    one, other = (dict(ask("pics/boats.jpg", f"w={w}").headers)["etag"] for w in (100, 101))
    assert one != other
    boats.write_bytes(boats.read_bytes() + b"\0")
    assert dict(ask("pics/boats.jpg", "w=100").headers)["etag"] != one


@pytest.mark.usefixtures("boats")
def test_a_bad_parameter_is_explained(ask: Ask) -> None:
    """The body names the parameter, its value and what is allowed."""
    reply = ask("pics/boats.jpg", "w=abc")
    assert reply.status == 400
    assert json.loads(reply.body) == {
        "error": "bad_parameter",
        "parameter": "w",
        "value": "abc",
        "allowed": "a whole number from 1 to 8192",
        "message": "w must be a whole number from 1 to 8192",
    }


@pytest.mark.parametrize("path", ["nowhere/a.jpg", "pics/a.jpg"])
@pytest.mark.usefixtures("boats")
def test_unknown_sources_and_files_look_alike(ask: Ask, path: str) -> None:
    """404 for a short time, without telling what there is."""
    reply = ask(path)
    assert reply.status == 404
    told = json.loads(reply.body)
    assert (told.pop("error"), told.pop("message")[:24]) == (
        "not_found",
        "there is no such picture",
    )
    assert not told
    assert dict(reply.headers)["cache-control"] == "public, max-age=10"


@pytest.mark.parametrize(
    "path", ["/_images/", "/_images/2/0/as:jpg/pics", "/_images/9/0/as:jpg/pics/a"]
)
def test_what_is_no_recipe_is_unknown(make: Ask, path: str) -> None:
    """Internal paths are not lenient."""
    assert make(path).status == 404


def png_of_sample() -> bytes:
    with Image.open(SAMPLE) as opened:
        buffer = io.BytesIO()
        opened.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"source_pixels": 1_000_000}, "too_many_pixels"),
        ({"source_side": 2_000}, "too_many_pixels"),
        ({"output_side": 50}, "output_too_large"),
        ({"output_pixels": 5_000}, "output_too_large"),
    ],
)
def test_limits_are_the_deployments(changed: dict[str, float], error: str) -> None:
    """Each limit can be set, and its refusal names it."""
    made = spelled.canonical(w=100, q=80)
    with pytest.raises(refusals.Refusal, match=next(iter(changed))) as caught:
        render.render(png_of_sample(), made, limits.read(changed))
    assert (caught.value.status, caught.value.code) == (422, error)


def test_a_picture_too_large_for_avif_becomes_jpeg() -> None:
    """Every client shows JPEG, and an answer is better than none."""
    made = spelled.canonical(fm="avif", w=100, q=50)
    limit = limits.Limits(avif_pixels=100 * 62)
    assert render.render(SAMPLE.read_bytes(), made, limit).fm == "jpg"
    limit = limits.Limits(avif_pixels=100 * 63)
    assert render.render(SAMPLE.read_bytes(), made, limit).fm == "avif"


def test_unknown_limits_are_refused() -> None:
    """A limit that does not exist protects nobody."""
    for table in ({"pixels": 1}, {"frames": 0}, {"frames": True}, {"frames": 1.5}, []):
        with pytest.raises(limits.LimitsError):
            limits.read(table)


def start(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **settings}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=30
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"rule": "x"}, "unknown key 'rule'"),
        ({"limits": {"pixels": 1}}, "unknown name 'pixels'"),
        ({"rules": "/nowhere/rules.toml"}, "/nowhere/rules.toml:1: No such file"),
        ({"private_hosts": "x"}, "private_hosts"),
    ],
)
def test_a_bad_deployment_does_not_start(settings: dict[str, object], reason: str) -> None:
    """The Preprocessor's import fails and says why."""
    done = start("import preprocess", DYNIMO_SETTINGS=json.dumps(settings))
    assert done.returncode == 1
    assert reason in done.stderr


def test_the_preprocessor_stays_small() -> None:
    """No pixel library, nobody who downloads, and one thread."""
    done = start(
        "import os, sys, preprocess\n"
        "large = ('numpy', 'pyvips', 'simplejpeg', 'remote')\n"
        "print([name for name in large if name in sys.modules])\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    assert done.stdout.split("\n")[:2] == ["[]", "1"]


def test_importing_the_generator_starts_no_thread() -> None:
    """The platform forks after importing, so nothing may run yet."""
    done = start(
        "import os, generate\nprint(len(os.listdir('/proc/self/task')))", OPENBLAS_NUM_THREADS="1"
    )
    assert done.stdout == "1\n"


def test_the_engine_is_found_without_importing_it(tmp_path: Path) -> None:
    """Versions come from the names of installed packages; missing ones are 0."""
    assert re.fullmatch(r"\d+\.\d+\.\d+-\d+\.\d+\.\d+(-[a-z][0-9.]+)*", engine.build())
    (tmp_path / "simplejpeg-1.2.3.dist-info").mkdir()
    assert engine.build([str(tmp_path), "/nowhere"]) == "0-1.2.3"
    (tmp_path / "pillow_heif-4.5.dist-info").mkdir()
    assert engine.build([str(tmp_path), "/nowhere"]) == "0-1.2.3-h4.5"


def test_other_methods_are_refused(decide: Ask) -> None:
    """Pictures are only read."""
    del decide
    code = (
        "import asyncio, preprocess\n"
        "event = {'rawPath': '/img/a/b', 'requestContext': {'http': {'method': 'POST'}}}\n"
        "print(asyncio.run(preprocess.handler(event, None)).status)"
    )
    assert start(code).stdout == "405\n"
