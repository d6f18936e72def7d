"""An issuer's keys: fetched within limits from an address that may be asked, and kept."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import fetching, urls
from asking.fetching import Unavailable
from asking.keysets import (
    FAILED_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS_MAX,
    UNKNOWN_SECONDS,
    KeySet,
)  # fmt: skip
from asking.rules import Issuer
from asking.urls import UrlError
from oidc_issuer import Served, of_every_kind, served, settings

issuer = pytest.fixture(of_every_kind)


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _set(issuer: Served, **changed: Any) -> tuple[KeySet, _Clock, Issuer]:
    clock, policy = _Clock(), settings(keys=issuer.url + "/keys", **changed)
    return KeySet(policy, clock=clock), clock, policy


def test_keys_are_fetched_once_while_they_are_fresh(issuer: Served) -> None:
    """And again after that."""
    keys, clock, _ = _set(issuer)
    for _ in range(3):
        keys.key("RS", "RS256")
    assert len(issuer.asked) == 1

    clock.now += FRESH_SECONDS + 1
    keys.key("RS", "RS256")
    assert len(issuer.asked) == 2


def test_an_unknown_key_id_makes_one_fetch_a_minute(issuer: Served) -> None:
    """A key that was just added is found; made-up ids cost the issuer nothing."""
    issuer.keys("RS")
    keys, clock, _ = _set(issuer)
    keys.key("RS", "RS256")
    issuer.keys("RS", "ES256")
    for _ in range(5):
        with pytest.raises(ValueError, match="known key"):
            keys.key("ES256", "ES256")
    assert len(issuer.asked) == 1

    clock.now += UNKNOWN_SECONDS + 1
    assert keys.key("ES256", "ES256")["kid"] == "ES256"
    for _ in range(5):
        with pytest.raises(ValueError, match="known key"):
            keys.key("made up", "RS256")
    assert len(issuer.asked) == 2


def test_kept_keys_serve_while_their_issuer_is_down(issuer: Served) -> None:
    """For some hours, not for ever; it is not asked all the time."""
    keys, clock, _ = _set(issuer)
    keys.key("RS", "RS256")
    issuer.say("/keys", {}, 500)
    clock.now += FRESH_SECONDS + 1
    for _ in range(3):
        assert keys.key("RS", "RS256")["kid"] == "RS"
    assert len(issuer.asked) == 2

    clock.now += STALE_SECONDS_MAX
    with pytest.raises(Unavailable):
        keys.key("RS", "RS256")


def test_an_issuer_that_was_never_reached_is_asked_again_soon(issuer: Served) -> None:
    """Seconds later, not at once."""
    issuer.say("/keys", {}, 503)
    keys, clock, _ = _set(issuer)
    for _ in range(3):
        with pytest.raises(Unavailable):
            keys.key("RS", "RS256")
    assert len(issuer.asked) == 1

    issuer.keys("RS")
    clock.now += FAILED_SECONDS + 1
    assert keys.key("RS", "RS256")["kid"] == "RS"


@pytest.mark.parametrize("answer", [
    b"", b"[]", b"{", b"{}", b'{"keys": {}}', b"\xff", b"[" * 9000, b" " * 300_000,
    json.dumps({"keys": [{}] * 65}).encode(),
], ids=lambda answer: repr(answer[:12]))  # fmt: skip
def test_an_answer_that_is_no_key_set_is_refused(answer: bytes, issuer: Served) -> None:
    """Fail closed: no keys, no token."""
    issuer.answers["/keys"] = (200, answer)
    keys, _, _ = _set(issuer)
    with pytest.raises(Unavailable):
        keys.key("RS", "RS256")


def test_redirects_are_not_followed(issuer: Served) -> None:
    """An issuer's address is the policy's to say."""
    issuer.say("/keys", {}, 302)
    issuer.headers["location"] = issuer.url + "/other"
    keys, _, _ = _set(issuer)
    with pytest.raises(Unavailable, match="302"):
        keys.key("RS", "RS256")
    assert issuer.asked == ["/keys"]


@pytest.mark.parametrize("document", [
    {}, {"issuer": "https://other.example.org", "jwks_uri": "/keys"},
    {"issuer": None, "jwks_uri": "http://10.0.0.1/keys"}, {"issuer": None, "jwks_uri": 7},
    {"issuer": None, "jwks_uri": "file:///etc/passwd"}, {"issuer": None},
], ids=str)  # fmt: skip
def test_a_discovery_document_must_be_the_issuers_own(
    document: dict[str, Any], issuer: Served
) -> None:
    """Its issuer is exact, and its keys are at an address that may be asked."""
    said = {name: value or issuer.url for name, value in document.items()}
    issuer.say("/.well-known/openid-configuration", said)
    with pytest.raises(Unavailable):
        KeySet(settings(issuer=issuer.url)).key("RS", "RS256")


@pytest.mark.parametrize("text", [
    "", "https://", "http://example.org/", "http://10.0.0.1/", "http://127.0.0.1.example.org/",
    "http://localhost.example.org/", "https://user@example.org/", "https://user:pw@example.org/",
    "https://example.org/#a", "https://example.org/a b", "https://example.org/\n", "file:///etc",
    "ftp://example.org/", "//example.org/", "https://example.org:70000/", "https://example.org:x/",
    "https://\u0430.org/", "https://example.org/" + "a" * 2048, "https://[::1/",
    "https:/example.org",
], ids=lambda value: ascii(value)[:40])  # fmt: skip
def test_an_address_that_may_not_be_asked(text: str) -> None:
    """Https, or http to this machine; a host, no user, no fragment."""
    with pytest.raises(UrlError):
        urls.read(text)


@pytest.mark.parametrize(("text", "read"), [
    ("https://example.org", (True, "example.org", 443, "/")),
    ("https://example.org:8443/a?b=c", (True, "example.org", 8443, "/a?b=c")),
    ("http://127.0.0.1:8080/a", (False, "127.0.0.1", 8080, "/a")),
    ("http://[::1]/", (False, "::1", 80, "/")),
    ("http://localhost/", (False, "localhost", 80, "/")),
])  # fmt: skip
def test_an_address_in_parts(text: str, read: tuple[bool, str, int, str]) -> None:
    """As it is asked."""
    assert urls.read(text) == urls.Url(*read)


@given(st.text(max_size=60) | st.text(alphabet="htps:/@#?[].1a", max_size=30).map("https:".__add__))
def test_any_text_is_an_address_or_none(text: str) -> None:
    """No text breaks the reader; what it takes is https, or here."""
    try:
        found = urls.read(text)
    except UrlError:
        return
    assert found.secure or found.host in {"localhost", "127.0.0.1", "::1"} or (
        ipaddress.ip_address(found.host).is_loopback
    )  # fmt: skip


def test_a_discovery_document_of_another_issuer_is_not_followed(issuer: Served) -> None:
    """Though its keys could be had."""
    said = {"issuer": issuer.url + "/", "jwks_uri": issuer.url + "/keys"}
    issuer.say("/.well-known/openid-configuration", said)
    with pytest.raises(Unavailable, match="another issuer"):
        KeySet(settings(issuer=issuer.url)).key("RS", "RS256")
    assert issuer.asked == ["/.well-known/openid-configuration"]


def test_nobody_at_the_address_is_said_so() -> None:
    """The issuer's host, and what kind of trouble."""
    with served() as state:
        url = state.url
    with pytest.raises(Unavailable, match="127.0.0.1 cannot be asked"):
        fetching.document(urls.read(url))


def test_a_server_that_drips_is_left(issuer: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds are those of the whole answer, headers too."""
    issuer.drips = True
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="seconds"):
        fetching.document(urls.read(issuer.url + "/keys"))
