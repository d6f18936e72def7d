"""Addresses of their own as sources: their one spelling, which are allowed, and the guard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deployment
import limits
import paths
import recipe as recipes
import refusals
import remote
import source
import steps
import urls
from dynimo.sdk import http as sdk_http
from ops.output import Output
from tests.origins import redirecting, serving

Ask = Callable[..., sdk_http.Reply]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Pictures.Example/a.jpg", ("~https", "pictures.example/a.jpg")),
        ("HTTPS://pictures.example:443/a?b=c%20d#e", ("~https", "pictures.example/a?b=c%20d")),
        ("http://pictures.example:8080", ("~http", "pictures.example:8080/")),
        ("http://pictures.example?a", ("~http", "pictures.example/?a")),
        ("http://[2001:db8::1]:81/ä b", ("~http", "[2001:db8::1]:81/%C3%A4%20b")),
        ("https://a.example/x//y", ("~https", "a.example/x//y")),
        ("https://user@a.example/x", None),
        ("https://a.example\\@b.example/x", None),
        ("https://a.example/x/../y", None),
        ("https://a.example/x/%2E%2e/y", None),
        ("https://a.example/100%", None),
        ("https://a.example:port/", None),
        ("ftp://a.example/", None),
        ("file:///etc/passwd", None),
        ("https:///a", None),
        ("https://a.example/\r\nHost: b", None),
        ("https://a.example/" + "a" * 3_000, None),
    ],
)
def test_an_address_has_one_spelling(url: str, found: tuple[str, str] | None) -> None:
    """Host and scheme in lower case, no default port, no fragment; what is unclear is none."""
    assert urls.place(url) == found


@given(st.text(max_size=60).map("https://a.example/".__add__) | st.text(max_size=80))
def test_any_text_is_an_address_or_none(url: str) -> None:
    """And one that is makes the round trip through a recipe's path."""
    found = urls.place(url)
    if found is None:
        return
    name, path = found
    assert urls.place(urls.address(name, path)) == found
    made = recipes.canonical(source=name, path=path, engine="0", out=Output(fm="jpg"))
    assert recipes.parse(recipes.spell(made)) == made


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        ("https://pictures.example/*", "https://pictures.example/a/b.jpg", True),
        ("https://pictures.example", "https://pictures.example/a.jpg", True),
        ("https://pictures.example", "https://pictures.example.evil.example/a.jpg", False),
        ("https://*.example", "https://a.b.example/a.jpg", True),
        ("https://*.example", "https://evil.test/?.example/", False),
        ("https://pictures.example/public/", "https://pictures.example/private/a.jpg", False),
        ("https://", "https://any.test/a.jpg", True),
        ("https://", "http://any.test/a.jpg", False),
        ("https://a.example/*/x", "https://a.example/b/c/x", False),
    ],
)
def test_patterns_are_beginnings_in_which_a_star_stays_within_a_segment(
    pattern: str, url: str, *, allowed: bool
) -> None:
    """And a pattern that ends in a host is that host, not all that begin so."""
    assert urls.is_allowed(url, (pattern,)) is allowed


def test_nothing_is_allowed_unless_it_is_named() -> None:
    """In our table, or in the variable that deployments of imgproxy bring."""
    said = deployment.read(
        {"url_sources": ["https://a.example/*"]},
        {"IMGPROXY_ALLOWED_SOURCES": "https://b.example, local://"},
    )
    assert deployment.read({}).url_sources == ()
    assert said.url_sources == ("https://a.example/*", "https://b.example", "local://")
    with pytest.raises(deployment.DeploymentError, match="url_sources"):
        deployment.read({"url_sources": "https://a.example"})


def test_an_address_is_a_group_of_its_own_and_no_folder() -> None:
    """Purging it takes its pictures; no configured source can have its name."""
    made = recipes.canonical(
        source="~https", path="a.example/b.jpg?v=1", engine="0", out=Output(fm="jpg")
    )
    assert steps.group(made) == "~https/a.example/b.jpg%3Fv=1"
    assert paths.split("~https/a.example//b") == ("~https", "a.example//b")
    with pytest.raises(refusals.Refusal):
        paths.split("folder/a.example//b")
    assert source.base("~https", {}) == "~https"
    assert source.base("other", {}) is None


def _client(*patterns: str, private: tuple[str, ...] = ()) -> remote.Client:
    return remote.Client(
        limits.Limits(), private_hosts=frozenset(private), url_sources=tuple(patterns)
    )


def test_an_allowed_address_is_asked_for_and_its_redirects_are_judged(tmp_path: Path) -> None:
    """A redirect out of what is allowed is no picture, wherever it leads."""
    (tmp_path / "b.jpg").write_bytes(b"picture")
    with serving(tmp_path) as port, redirecting(f"http://127.0.0.1:{port}/b.jpg") as away:
        host, other = f"127.0.0.1:{port}", f"127.0.0.1:{away}"
        client = _client(f"http://{host}", f"http://{other}", private=(host, other))
        found = client.open_url(f"http://{host}/b.jpg")
        assert found.read().data == b"picture"
        found.close()
        client.close()
        for patterns, status in (((f"http://{other}", f"http://{host}"), 502), ((), 404)):
            with pytest.raises(refusals.Refusal) as caught:
                _client(*patterns, private=(other,)).open_url(f"http://{other}/")
            assert caught.value.status == status
        with pytest.raises(refusals.Refusal) as caught:
            _client(f"http://{other}", private=(host, other)).open_url(f"http://{other}/")
        assert caught.value.status == 404


def test_a_private_address_is_asked_only_where_it_is_named(tmp_path: Path) -> None:
    """That it is allowed by a pattern is not enough, nor that a source beside it may be private."""
    (tmp_path / "b.jpg").write_bytes(b"picture")
    with serving(tmp_path) as port:
        client = _client("http://")
        kept = client.open_file(f"http://127.0.0.1:{port}/", "b.jpg")
        kept.read()
        kept.close()
        with pytest.raises(refusals.Refusal) as caught:
            client.open_url(f"http://127.0.0.1:{port}/b.jpg")
        client.close()
    assert caught.value.code == "private_address"


def test_an_address_out_of_the_list_is_no_picture_whoever_asks(
    make: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Generator looks at the list itself, and says nothing of the address."""
    monkeypatch.setenv("DYNIMO_SOURCES", json.dumps({}))
    reply = make("/_images/2/0/as:jpg/~https/secret.example/a.jpg")
    assert reply.status == 404
    assert b"secret.example" not in reply.body
