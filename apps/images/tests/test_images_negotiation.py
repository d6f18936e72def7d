"""What is made for whom: client hints, JPEG XL by name, and an AVIF that nobody waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import accept
import deployment
import generate
import hints
import limits
import preprocess
import query
import recipe as recipes
import rules
from conftest import CONTEXT, event
from dynimo.sdk import http
from tests.e2e.serving import Server

Ask = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
ALL = ("dpr", "width", "save-data")


def decided(
    asked: str, rule: rules.Rule | None = None, accepts: str = "", **headers: str
) -> recipes.Recipe:
    told = hints.Hints({name.replace("_", "-"): text for name, text in headers.items()}, ALL)
    made, _ = rules.decide(
        query.parse(asked, limits.Limits()), rule or rules.Rule(), source="s", path="p",
        accepts=accepts, engine="1", limits=limits.Limits(), told=told,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("asked", "headers", "box"),
    [
        ("w=100", {"sec_ch_dpr": "2.0"}, (200, 0)),
        ("w=100", {"dpr": "1.25"}, (150, 0)),
        ("w=100", {"sec_ch_dpr": "2", "dpr": "3"}, (200, 0)),
        ("w=100", {"dpr": "7"}, (300, 0)),
        ("w=100&dpr=1", {"dpr": "2"}, (100, 0)),
        ("", {"dpr": "2"}, (0, 0)),
        ("", {"sec_ch_width": "730"}, (800, 0)),
        ("", {"width": "730", "dpr": "2"}, (800, 0)),
        ("h=90", {"width": "730"}, (0, 90)),
        ("w=100", {"dpr": "2", "save_data": "on"}, (100, 0)),
        ("", {"width": "99999"}, (4000, 0)),
        ("w=100", {"dpr": "NaN"}, (100, 0)),
        ("w=100", {"dpr": "2.000001"}, (200, 0)),
        ("w=100", {"dpr": "1.100000023841858"}, (150, 0)),
        ("w=100", {"sec_ch_dpr": "?", "dpr": "3"}, (300, 0)),
        ("w=100", {"dpr": "-1"}, (100, 0)),
        ("", {"width": "0"}, (0, 0)),
    ],
)
def test_hints_fill_in_what_the_url_leaves_open(
    asked: str, headers: dict[str, str], box: tuple[int, int]
) -> None:
    """Density where a side is given, width where none is; in steps; the URL's own word first."""
    assert decided(asked, **headers).box == box


def test_a_hinted_width_comes_to_a_size_that_the_rule_allows() -> None:
    """The next larger one, or the largest."""
    rule = rules.Rule(sizes=tuple(rules.Size(w=w, h=None) for w in (200, 640, None)))
    assert decided("", rule, width="300").box == (640, 0)
    assert decided("", rule, width="150").box == (200, 0)
    assert decided("", rule, width="2000").box == (640, 0)


def test_who_saves_data_gets_less_quality() -> None:
    """Unless the URL says which."""
    assert decided("w=9&fm=jpg", save_data="on").out.quality == int(80 * 0.7)
    assert decided("w=9&fm=jpg&q=80", save_data="on").out.quality == 80
    assert decided("w=9&fm=jpg", save_data="off").out.quality == 80


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=9))
def test_any_hint_is_read(dpr: str, width: str, saving: str) -> None:
    """Any text gives a density of four, a width within bounds, or nothing."""
    told = hints.Hints({"dpr": dpr, "width": width, "save-data": saving}, ALL)
    assert told.size(9, None, None)[2] in (None, *hints.DENSITIES)
    w, _, _ = told.size(None, None, None)
    assert w is None or 0 < w <= hints.WIDTH_MAX


def test_only_hints_that_the_deployment_names_count(
    decide: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in Vary then, and browsers are asked for them; else neither."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    plain = dict(decide("pics/b.jpg", "w=90", dpr="2").headers)
    assert plain["vary"] == "accept"
    hinted = replace(preprocess._DEPLOYMENT, hints=("dpr", "save-data"))
    monkeypatch.setattr(preprocess, "_DEPLOYMENT", hinted)
    told = dict(decide("pics/b.jpg", "w=90", dpr="2").headers)
    assert told["vary"] == "accept, sec-ch-dpr, dpr, save-data"
    assert told[http.FORWARD_HEADER] != plain[http.FORWARD_HEADER]
    assert hints.accept_ch(("dpr", "width", "save-data")) == "Sec-CH-DPR, DPR, Sec-CH-Width, Width"


def test_browsers_are_asked_for_hints(
    ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accept-CH is in pictures' answers where hints count."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    assert "accept-ch" not in dict(ask("pics/b.jpg", "w=90").headers)
    monkeypatch.setattr(generate, "_DEPLOYMENT", replace(generate._DEPLOYMENT, hints=("width",)))
    assert dict(ask("pics/b.jpg", "w=90").headers)["accept-ch"] == "Sec-CH-Width, Width"


@pytest.mark.parametrize("table", [{"hints": ["ect"]}, {"hints": "dpr"}, {"hints": [1]}])
def test_unknown_hints_stop_the_start(table: dict[str, object]) -> None:
    """With the names that there are."""
    with pytest.raises(deployment.DeploymentError, match="hints"):
        deployment.read(table)


def test_jpeg_xl_is_negotiated_only_where_a_rule_names_it() -> None:
    """Then it comes before AVIF at equal weights."""
    accepts = "image/avif,image/jxl,image/webp"
    assert decided("w=9", accepts=accepts).out.fm == "avif"
    named = rules.Rule(formats=("jxl", "avif", "jpg"))
    assert decided("w=9", named, accepts=accepts).out.fm == "jxl"
    assert decided("w=9", named, accepts="image/avif,image/jxl;q=0.5").out.fm == "avif"
    assert accept.best("image/jxl", ("jxl",)) == "jxl"


@pytest.mark.parametrize(
    ("asked", "accepts", "among"),
    [
        ("w=500", "image/avif,image/webp", ""),
        ("w=3000", "image/avif,image/webp", "webp"),
        ("w=3000", "image/avif", "source"),
        ("", "image/avif,image/webp", "webp"),
        ("w=3000&fm=avif", "image/avif,image/webp", ""),
        ("w=3000&h=100", "image/avif,image/webp", ""),
    ],
)
def test_a_negotiated_avif_may_be_stood_in_for_where_it_may_be_large(
    asked: str, accepts: str, among: str
) -> None:
    """By what the client shows as well; small ones and those asked for by name are just made."""
    made = decided(asked, accepts=accepts)
    assert (made.out.fm, made.out.among) == ("avif", among)


@pytest.mark.parametrize(
    ("path", "among"),
    [
        ("/thumbor/unsafe/400x300/pics/b.jpg", ""),
        ("/thumbor/unsafe/2000x1500/pics/b.jpg", "webp"),
        ("/thumbor/unsafe/pics/b.jpg", "webp"),
        ("/thumbor/unsafe/2000x1500/filters:format(avif)/pics/b.jpg", ""),
        ("/imgproxy/_/rs:fill:400:300/plain/local:///pics/b.jpg", ""),
        ("/imgproxy/_/rs:fill:2000:1500/plain/local:///pics/b.jpg", "webp"),
        ("/imgproxy/_/w:1000/dpr:3/plain/local:///pics/b.jpg", "webp"),
        ("/imgproxy/_/rs:fill:2000:1500/plain/local:///pics/b.jpg@avif", ""),
    ],
)
def test_it_is_stood_in_for_in_every_url_language(folder: Path, path: str, among: str) -> None:
    """Nobody waits for an AVIF that was negotiated, however its URL is written."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    asked = event(path, "", {"accept": "image/avif,image/webp"})
    reply = asyncio.run(preprocess.handler(asked, CONTEXT))
    made = recipes.parse(dict(reply.headers)[http.FORWARD_HEADER])
    assert (made.out.fm, made.out.among) == ("avif", among)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for more than 1,000 pixels."""
    few = replace(limits.Limits(), avif_wait_pixels=1_000)
    for module in (preprocess, generate):
        changed = replace(module._DEPLOYMENT, limits=few)
        monkeypatch.setattr(module, "_DEPLOYMENT", changed)


def test_a_slow_avif_is_first_given_as_something_else(
    folder: Path, decide: Ask, make: Ask, look: Look, impatient: None
) -> None:
    """WebP, fresh for a second; whoever comes back with its validator gets the AVIF for good."""
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    decision = decide("pics/b.jpg", "w=90", accept="image/avif,image/webp")
    path = dict(decision.headers)[http.FORWARD_HEADER]
    first = make(path)
    headers = dict(first.headers)
    assert look(first).format == "WEBP"
    assert headers["cache-control"] == "public, max-age=1"
    assert "stale-while-revalidate" in headers["dynimo-cache-control"]
    assert make(path).body == first.body
    then = make(path, {"if-none-match": headers["etag"]})
    assert look(then).format == "AVIF"
    assert dict(then.headers)["cache-control"].startswith("public, max-age=3600")
    assert make(path, {"if-none-match": dict(then.headers)["etag"]}).status == 304


def test_what_stands_in_keeps_what_is_clear(
    folder: Path, decide: Ask, make: Ask, look: Look, impatient: None
) -> None:
    """PNG for a client that shows no WebP, JPEG where nothing is clear."""
    Image.new("RGBA", (90, 60), (255, 0, 0, 9)).save(folder / "c.png")
    (folder / "b.jpg").write_bytes(SAMPLE.read_bytes())
    for name, kind in (("c.png", "PNG"), ("b.jpg", "JPEG")):
        decision = decide(f"pics/{name}", "w=90", accept="image/avif")
        assert look(make(dict(decision.headers)[http.FORWARD_HEADER])).format == kind


def test_the_avif_follows_by_itself(tmp_path: Path) -> None:
    """Through the real edge: WebP first, and AVIF after it was asked for again."""
    pictures = tmp_path / "pics"
    pictures.mkdir()
    (pictures / "b.jpg").write_bytes(SAMPLE.read_bytes())
    settings = tmp_path / "dynimo.toml"
    settings.write_text(
        f'[sources]\npics = "{pictures}"\n[apps.images.limits]\navif_wait_pixels = 1000\n'
    )
    server = Server(data=tmp_path / "data", arguments=("--config", str(settings))).start()
    try:
        kinds = []
        accepts = {"accept": "image/avif,image/webp"}
        for _ in range(60):
            answer = server.get("/img/pics/b.jpg?w=200", headers=accepts)
            assert answer.status == 200
            kinds.append(answer.headers["content-type"])
            if kinds[-1] == "image/avif":
                break
            time.sleep(0.5)
    finally:
        server.stop()
    assert (kinds[0], kinds[-1]) == ("image/webp", "image/avif")
