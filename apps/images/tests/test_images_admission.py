"""Who may ask for what: signatures, presets, known widths, and until when."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import admission
import deployment
import limits
import refusals
import rules
import signing
from dialects import native
from dialects.dialect import Asked, Decision, World
from ops import geometry, values

KEY, OLD = "a key of some length", "the key that was there before"
NOW = 1_800_000_000.0
PATH = "pics/a%20b.jpg"


def world(*, development: bool = False, **settings: Any) -> World:
    return World(
        deployment=deployment.read(settings),
        engine="1",
        rules=rules.Rules(rules=(rules.Rule(path="x/**", sizes=(rules.Size(w=70, h=30),)),)),
        sources={"pics": "/nowhere"},
        now=lambda: NOW,
        development=development,
    )


KEYED = world(keys=[KEY, OLD], presets={"thumb": "w=200&h=200&fit=cover", "dark": "bri=-20"})


def decide(query: str, in_world: World = KEYED, path: str = PATH) -> Decision:
    return native.decide(Asked(path=path, query=query), in_world)


def signed(query: str, key: str = KEY, path: str = PATH) -> str:
    return f"{query}{'&' if query else ''}s={signing.sign('/img/' + path, query, key)}"


def refused(query: str, in_world: World = KEYED, path: str = PATH) -> refusals.Refusal:
    with pytest.raises(refusals.Refusal) as caught:
        decide(query, in_world, path)
    return caught.value


@pytest.mark.parametrize("key", [KEY, OLD])
@pytest.mark.parametrize("query", ["", "w=401&h=299&fit=cover&blur=3", "txt=a%26w%3D5"])
def test_a_signed_url_may_ask_for_everything(query: str, key: str) -> None:
    """Any of the keys may have signed."""
    assert decide(signed(query, key)).recipe == decide(query, world(development=True)).recipe


def test_the_place_of_pieces_is_not_signed() -> None:
    """Who sorts a query on its way, or puts s elsewhere, breaks nothing."""
    found = signing.sign("/img/" + PATH, "w=401&blur=3", KEY)
    assert decide(f"s={found}&blur=3&w=401") == decide(f"w=401&s={found}&blur=3")


def test_a_signature_may_be_cut_to_16_bytes() -> None:
    """And no further; each length has one spelling."""
    found = signing.sign("/img/" + PATH, "blur=3", KEY)
    assert decide("blur=3&s=" + _cut(found, 16))
    assert decide("blur=3&s=" + _cut(found, 20))
    assert refused("blur=3&s=" + _cut(found, 15)).code == "bad_signature"
    assert refused("blur=3&s=" + _cut(found, 16)[:-1] + "_").code == "bad_signature"


def _cut(text: str, count: int) -> str:
    whole = urlsafe_b64decode(text + "=")
    return urlsafe_b64encode(whole[:count]).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("blur=4&s=SIGN", PATH),
        ("blur=3&w=9&s=SIGN", PATH),
        ("s=SIGN", PATH),
        ("blur=3&s=SIGN", "pics/b.jpg"),
        ("blur=3&s=SIGN", "pics/a b.jpg"),
        ("blur=3&s=SIGN=", PATH),
        ("blur=3&s=SIGNA", PATH),
        ("blur=3&s=", PATH),
        ("blur=3&s=%00", PATH),
        ("blur=\ud800&s=SIGN", PATH),
        ("w=200&s=x", PATH),
        ("blur=3&s=" + "A" * 43, PATH),
    ],
)
def test_another_signature_is_403_and_nothing_is_told(query: str, path: str) -> None:
    """Not what would be right, nor what else is wrong with the URL."""
    right = signing.sign("/img/" + PATH, "blur=3", KEY)
    refusal = refused(query.replace("SIGN", right), path=path)
    assert (refusal.status, refusal.code, refusal.facts) == (403, "bad_signature", {})
    assert refusal.message == signing.SIGN_IT


def test_values_cannot_pose_as_parameters() -> None:
    """What is signed is the text as sent: an encoded & is no &."""
    found = signing.sign("/img/" + PATH, "txt=a%26w%3D5", KEY)
    assert refused(f"txt=a&w=5&s={found}").code == "bad_signature"


def test_two_signatures_are_one_too_many() -> None:
    """400, whatever they are."""
    assert refused(signed("w=200") + "&s=x").status == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "w=640",
        "w=640&fm=avif",
        "fm=auto",
        "w=64&locale=de-AT",
        "preset=thumb",
        "preset=thumb&w=96",
        "preset=dark",
    ],
)
def test_known_widths_and_presets_need_no_signature(query: str) -> None:
    """With or without keys."""
    assert decide(query).recipe
    if "preset" not in query:
        assert decide(query, world()).recipe == decide(query).recipe


@pytest.mark.parametrize(
    "query",
    ["w=641", "h=640", "w=640&h=640", "w=640&dpr=2", "w=640&q=60", "fm=original", "fm=gif",
     "blur=3", "w64=NjQx", f"w=640&expires={int(NOW) + 9}", "preset=thumb&blur=1"],
)  # fmt: skip
def test_everything_else_does(query: str) -> None:
    """Outside development, and within it as soon as there are keys."""
    for closed in (KEYED, world(), world(development=True, keys=[KEY])):
        refusal = refused(query, closed)
        assert (refusal.status, refusal.code) == (403, "unsigned")
        assert KEY not in refusal.message


def test_sizes_of_rules_need_none() -> None:
    """What the operator has listed is known."""
    assert decide("w=70&h=30", path="pics/x/a.jpg").recipe.box == (70, 30)
    assert refused("w=70&h=31", path="pics/x/a.jpg").code == "unsigned"


def test_in_development_nothing_needs_one() -> None:
    """Unless there are keys; signed URLs do too."""
    assert decide("w=641&blur=2", world(development=True)).recipe
    assert decide("w=641&s=whatever", world(development=True)).recipe
    assert decide("w=641", world(unsigned=True)).recipe
    assert refused("w=641", world(unsigned=False, development=True)).code == "unsigned"


def test_a_url_may_end() -> None:
    """The edge keeps it no longer; after it, 403; and the time cannot be changed."""
    assert decide(signed(f"w=9&expires={int(NOW) + 5}")).until == NOW + 5
    assert refused(signed(f"w=9&expires={int(NOW)}")).code == "expired"
    over = signed(f"w=9&expires={int(NOW)}").replace(str(int(NOW)), str(int(NOW) + 5))
    assert refused(over).code == "bad_signature"


def test_presets_are_filled_in() -> None:
    """The URL wins over presets, later ones over earlier ones."""
    made = decide(signed("preset=thumb,dark&w=96"))
    across = values.pixels(96)
    assert made.recipe.ops[:2] == (
        geometry.Resize("outside", across, values.pixels(200), enlarge=True),
        geometry.Cut(across, values.pixels(200)),
    )
    assert refused("preset=nobody").facts["allowed"] == "one or more of dark, thumb"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"keys": ["short"]}, "16 characters"),
        ({"keys": "a key of some length"}, "list"),
        ({"widths": [0]}, "widths"),
        ({"widths": [True]}, "widths"),
        ({"presets": {"a": "w=0"}}, "presets: a = 'w=0'"),
        ({"presets": {"a b": "w=1"}}, "letters"),
        ({"presets": {"a": "preset=b"}}, "cannot be in a preset"),
        ({"presets": {"a": 3}}, "query"),
        ({"unsigned": 1}, "unsigned"),
    ],
)
def test_a_mistake_in_the_settings_stops_the_app(settings: dict[str, Any], said: str) -> None:
    """With a message that names it, and never a key."""
    with pytest.raises(deployment.DeploymentError) as caught:
        deployment.read(settings)
    assert said in str(caught.value)
    assert "short" not in str(caught.value)


def test_keys_are_in_no_text_of_the_settings() -> None:
    """A log that prints them prints none."""
    assert KEY not in repr(KEYED.deployment)


@given(st.text(max_size=80))
def test_any_query_is_a_decision_or_a_refusal(text: str) -> None:
    """Whoever asks, in whatever spelling, signed or not."""
    for query in (text, quote(text), "s=" + text, f"w=640&preset={text}", f"expires={text}"):
        try:
            decide(query)
        except refusals.Refusal as refusal:
            assert refusal.status in (400, 403, 404)


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.binary(min_size=16, max_size=32))
def test_no_other_signature_is_right(path: str, wrong: bytes) -> None:
    """Whatever it is."""
    text = urlsafe_b64encode(wrong).decode().rstrip("=")
    target = "/img/pics/" + quote(path)
    with pytest.raises(refusals.Refusal):
        signing.check(target, signing.Signed("w=1", text), [KEY])
    right = signing.sign(target, "w=1", KEY)
    signing.check(target, signing.Signed("w=1", right), [OLD, KEY])


def test_widths_are_those_of_the_settings() -> None:
    """The deployment's list is instead of ours."""
    own = world(widths=[111])
    assert decide("w=111", own).recipe.box == (111, 0)
    assert refused("w=640", own).code == "unsigned"
    assert set(admission.WIDTHS) == KEYED.deployment.admission.widths
    assert limits.Limits().output_side > max(admission.WIDTHS)
