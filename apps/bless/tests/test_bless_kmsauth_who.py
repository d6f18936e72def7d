"""A kmsauth token as an identity: for its user, under a known key, now, and recognised if used."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking.kmsauth_tokens import believed
from asking.rules import Kmsauth
from asking.who import TokenError
from bless_kit import KMS_KEY, NOW, FakeCloud, token

SETTINGS = Kmsauth(key_ids=("alias/auth",), service="bless-prod")


def _wrong(text: str, cloud: FakeCloud, user: str = "ada", later: float = 0) -> str:
    with pytest.raises(TokenError) as caught:
        believed(SETTINGS, cloud, NOW + later, user=user, token=text)
    assert len(text) < 8 or text not in str(caught.value)
    return str(caught.value)


def test_who_could_encrypt_under_a_name_has_it() -> None:
    """And what is used once is a digest, kept until the window ends."""
    cloud = FakeCloud()
    text = token(cloud)
    who = believed(SETTINGS, cloud, NOW, user="ada", token=text)

    assert (who.kind, who.name) == ("kmsauth", "ada")
    assert len(who.once) == 64
    assert who.until == NOW + 600


def test_one_token_in_two_writings_is_one() -> None:
    """Base64 leaves bits over at its end; they make no second token."""
    cloud = FakeCloud()
    kept = cloud.known.pop(base64.b64decode(token(cloud)))
    cloud.known[b"blob-10"] = kept
    text = base64.b64encode(b"blob-10").decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stem, pad = text.rstrip("="), text[len(text.rstrip("=")) :]
    other = stem[:-1] + alphabet[alphabet.index(stem[-1]) + 1] + pad
    assert pad
    assert base64.b64decode(other) == base64.b64decode(text)

    first, second = (
        believed(SETTINGS, cloud, NOW, user="ada", token=each) for each in (text, other)
    )
    assert first.once == second.once


@pytest.mark.parametrize("user", ["", "a/b", "a\nb", "a b", "\u0430da", "a" * 65, "*", "../ada"])
def test_a_name_that_no_user_has_is_refused_before_the_kms_is_asked(user: str) -> None:
    """What IAM lets a user be called."""
    cloud = FakeCloud()
    assert "name" in _wrong(token(cloud, user), cloud, user)
    assert cloud.asked == []


def test_another_users_token_is_refused() -> None:
    """The name is in the context."""
    cloud = FakeCloud()
    assert "General error" in _wrong(token(cloud, "bob"), cloud)


@pytest.mark.parametrize(("text", "why"), [
    ("", "General"), ("!", "General"), ("AAAA", "General"), ("A" * 20_000, "too long"),
    ("\u0430", "General"),
], ids=lambda value: ascii(value)[:10])  # fmt: skip
def test_what_is_no_token_is_refused(text: str, why: str) -> None:
    """Base64, of a bearable size, that the KMS knows."""
    assert why in _wrong(text, FakeCloud())


def test_time_key_and_service_are_kmsauths() -> None:
    """Expired, not yet valid, too long, under another key, for another service, KMS down."""
    cloud = FakeCloud()
    assert "time validity" in _wrong(token(cloud), cloud, later=700)
    assert "time validity" in _wrong(token(cloud), cloud, later=-700)
    assert "lifetime" in _wrong(token(cloud, begin=-60, end=365 * 86_400), cloud)
    cloud.known = {blob: (context, KMS_KEY + "x", plain)
                   for blob, (context, _, plain) in cloud.known.items()}  # fmt: skip
    assert "wrong KMS key" in _wrong(base64.b64encode(b"blob-0").decode(), cloud)
    other = FakeCloud()
    foreign = {"to": "other", "from": "ada", "user_type": "user"}
    assert "General" in _wrong(other.encrypt(b"{}", foreign), other)
    down = FakeCloud(down=True)
    assert "General" in _wrong(token(down), down)


@given(st.text(max_size=60))
def test_any_text_is_refused_as_a_kmsauth_token(text: str) -> None:
    """No text breaks the reader."""
    _wrong(text, FakeCloud())
