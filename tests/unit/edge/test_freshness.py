"""The arithmetic of freshness, and the dates it reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge import conditional, config, dates, directives, freshness, profiles
from dynimo.web import message

NOW = 1_000_000_000.0


PLAIN = config.Config()
STRICT = profiles.strict(PLAIN)
RESILIENT = profiles.resilient(PLAIN)


def assess(
    asked: dict[str, str] | None = None,
    /,
    rules: config.Config = PLAIN,
    status: int = 200,
    **headers: str,
) -> freshness.Assessment:
    """Judge an answer with these headers, now."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    response = message.Response(status=status, headers=message.Headers(pairs))
    return freshness.assess(asked or {}, response, rules, now=NOW)


@pytest.mark.parametrize(
    ("control", "lifetime"),
    [
        ("max-age=60", 60),
        ("MAX-AGE=60", 60),
        ('max-age="60"', 60),
        ("max-age=60, s-maxage=10", 10),
        ("s-maxage=10, max-age=60", 10),
        ("max-age=60, max-age=1", 60),
        ('ext="a, max-age=1", max-age=60', 60),
        ("max-age=99999999999999999999", directives.SECONDS_MAX),
        ("max-age=-1", 0),
        ("max-age=1.5", 0),
        ("max-age=x", 0),
        ("max-age", 0),
        ("max-age=60, no-cache", 0),
        ("  ,,max-age=60,", 60),
        ("=,;max-age=1, max-age=60", 60),
    ],
)
def test_lifetime(control: str, lifetime: float) -> None:
    """s-maxage before max-age; the first counts; what cannot be read is stale."""
    assert lifetime == assess(cache_control=control, etag='"1"').lifetime


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({"expires": dates.write(NOW + 60)}, 60),
        ({"expires": dates.write(NOW + 60), "date": dates.write(NOW - 10)}, 70),
        ({"expires": dates.write(NOW - 60)}, 0),
        ({"expires": "0"}, 0),
        ({"expires": dates.write(NOW + 60), "cache_control": "max-age=5"}, 5),
    ],
)
def test_expires(headers: dict[str, str], lifetime: float) -> None:
    """Expires counts from Date, and only without max-age (RFC 9111 4.2.1)."""
    assert lifetime == assess(**headers, etag='"1"').lifetime


def test_age_is_what_was_said_or_what_date_shows() -> None:
    """The larger of Age and the distance to Date (RFC 9111 4.2.3)."""
    assert assess(cache_control="max-age=60", age="30").age == 30
    assert assess(cache_control="max-age=60", age="30", date=dates.write(NOW - 40)).age == 40
    assert assess(cache_control="max-age=60", date=dates.write(NOW + 40)).age == 0


def test_already_stale_is_stored_only_with_a_validator() -> None:
    """An answer that is stale on arrival is worth keeping only for revalidation."""
    assert not assess(cache_control="max-age=60", age="61").storable
    assert assess(cache_control="max-age=60", age="61", etag='"1"').storable


@pytest.mark.parametrize(
    "strict", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=1"]
)
def test_strict_directives_forbid_stale(strict: str) -> None:
    """They outweigh both RFC 5861 extensions."""
    control = f"max-age=1, stale-if-error=9, stale-while-revalidate=9, {strict}"
    judged = assess(cache_control=control, etag='"1"')
    assert (judged.stale_if_error, judged.stale_while_revalidate) == (0, 0)


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({"cdn_cache_control": "max-age=5", "cache_control": "no-store"}, 5),
        ({"dynimo_cache_control": "max-age=6", "cdn_cache_control": "max-age=5"}, 6),
        ({"dynimo_cache_control": "max-age=", "cdn_cache_control": "max-age=5"}, 5),
        ({"cdn_cache_control": "max-age=5", "expires": dates.write(NOW + 60)}, 5),
        ({"cdn_cache_control": "public", "expires": dates.write(NOW + 60)}, None),
        ({"cdn_cache_control": "max-age=5, &&&&", "cache_control": "max-age=7"}, 7),
        ({"cdn_cache_control": 'max-age="5"', "cache_control": "max-age=7"}, 7),
        ({"cdn_cache_control": "MAX-AGE=5", "cache_control": "max-age=7"}, 7),
        ({"cdn_cache_control": "", "cache_control": "max-age=7"}, 7),
        ({"cdn_cache_control": "no-store", "cache_control": "max-age=7"}, None),
        ({"cdn_cache_control": "no-store=?0, max-age=5"}, 5),
        ({"surrogate_control": "max-age=9;dynimo, max-age=8"}, 9),
        ({"surrogate_control": "max-age=9;other", "cache_control": "max-age=7"}, 7),
        ({"surrogate_control": "MAX-age=9", "cdn_cache_control": "max-age=5"}, 5),
    ],
)
def test_the_nearest_valid_targeted_field_decides_alone(
    headers: dict[str, str], lifetime: float | None
) -> None:
    """It replaces Cache-Control and Expires; a malformed one counts for nothing (RFC 9213 2.2)."""
    judged = assess(rules=STRICT, **headers)
    assert (judged.lifetime if judged.storable else None) == lifetime


@pytest.mark.parametrize(
    ("age", "trusted", "doubted"),
    [("30", 30, 30), ("30, 90", 30, None), ("abc", 0, None), ("-1", 0, None), ("1.5", 0, None)],
)
def test_an_unclear_age(age: str, trusted: float, doubted: float | None) -> None:
    """RFC 9111 5.1: the first value, or none. By the letter no freshness is made of it."""
    judged = assess(cache_control="max-age=60", age=age)
    assert (judged.storable, judged.age) == (True, trusted)
    judged = assess(rules=STRICT, cache_control="max-age=60", age=age)
    assert (judged.age if judged.storable else None) == doubted


def test_an_assumed_lifetime_is_a_tenth_of_the_time_since_the_change() -> None:
    """Only where none is stated, only for statuses that allow it, and a day at most (4.2.2)."""
    ago = dates.write(NOW - 1000)
    assert assess(rules=STRICT, last_modified=ago).lifetime == 100
    assert assess(rules=STRICT, last_modified=dates.write(1)).lifetime == 24 * 3600
    assert assess(rules=STRICT, status=404, last_modified=ago).lifetime == 100
    assert not assess(rules=STRICT, status=403, last_modified=ago).storable
    assert assess(rules=STRICT, status=599, last_modified=ago, cache_control="public").storable
    assert not assess(rules=PLAIN, last_modified=ago).storable
    assert not assess({"cookie": "a=b"}, rules=STRICT, last_modified=ago).storable


def test_what_is_not_there_is_remembered_for_a_moment() -> None:
    """The resilient profile shields an upstream from being asked again and again for nothing."""
    assert assess(rules=RESILIENT, status=404).lifetime == profiles.NEGATIVE_SECONDS
    assert assess(rules=RESILIENT, status=404, cache_control="max-age=2").lifetime == 2
    assert not assess(rules=RESILIENT, status=404, cache_control="no-store").storable
    assert not assess(rules=RESILIENT, status=403).storable
    assert not assess(rules=RESILIENT, status=503).storable


@pytest.mark.parametrize(
    ("status", "control", "kept"),
    [
        (204, "max-age=9", True), (206, "max-age=9", True), (304, "max-age=9", False),
        (503, "max-age=9", True), (599, "max-age=9", True),
        (599, "max-age=9, must-understand", False),
        (200, "max-age=9, must-understand, no-store", True),
        (599, "max-age=9, must-understand, no-store", False),
    ],
)  # fmt: skip
def test_any_final_status_may_say_that_it_is_fresh(
    status: int, control: str, *, kept: bool
) -> None:
    """But those that must be understood and are not; parts and failures by the letter only."""
    assert assess(rules=STRICT, status=status, cache_control=control).storable == kept
    for failing in (206, 416, 429, 503):
        assert not assess(rules=PLAIN, status=failing, cache_control="max-age=9").storable


@pytest.mark.parametrize(
    ("control", "age", "ttl", "accepted"),
    [
        ("", 5, 5, True), ("", 5, 0, False), ("no-cache", 5, 5, False),
        ("max-age=5", 5, 5, True), ("max-age=4", 5, 5, False), ("max-age=0", 1, 9, False),
        ("min-fresh=5", 5, 5, True), ("min-fresh=6", 5, 5, False),
        ("max-stale", 5, -99, True), ("max-stale=9", 5, -9, True), ("max-stale=9", 5, -10, False),
    ],
)  # fmt: skip
def test_a_client_may_ask_for_more_or_for_less(
    control: str, age: float, ttl: float, *, accepted: bool
) -> None:
    """RFC 9111 5.2.1; max-stale counts for nothing where the answer forbids it."""
    asked = directives.parsed(control)
    assert freshness.accepts(asked, age=age, ttl=ttl) == accepted
    if "max-stale" in control:
        assert not freshness.accepts(asked, age=age, ttl=ttl, stale_allowed=False)


TOKENS = st.sampled_from(
    ["max-age=5", "s-maxage=7", "no-store", "private", "public", 'x="a,b"', "no-cache", "=", '"']
)


@given(tokens=st.lists(TOKENS, max_size=6), authorized=st.booleans())
def test_forbidden_is_never_stored(tokens: list[str], *, authorized: bool) -> None:
    """Whatever stands beside it, no-store and private win, and Authorization needs permission."""
    judged = assess(
        {"authorization": "x"} if authorized else {}, cache_control=", ".join(tokens), etag='"1"'
    )
    if {"no-store", "private"} & directives.parsed(", ".join(tokens)).keys():
        assert not judged.storable
    if authorized and not {"public", "s-maxage=7"} & set(tokens):
        assert not judged.storable


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    """No Cache-Control, Expires, Age or Date makes the reader fail."""
    response = message.Response(
        headers=message.Headers(
            [("cache-control", text), ("expires", text), ("age", text), ("date", text)]
        )
    )
    judged = freshness.assess({}, response, STRICT, now=NOW)
    assert judged.lifetime >= 0
    assert judged.age >= 0


@given(st.integers(0, 4_000_000_000))
def test_dates_are_read_as_written(seconds: int) -> None:
    """What is written is read back."""
    assert float(seconds) == dates.parse(dates.write(seconds))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("784111777", None),
        ("", None),
    ],
)
def test_only_http_dates_are_dates(text: str, expected: float | None) -> None:
    """Three forms, to the letter (RFC 9110 5.6.7)."""
    assert expected == dates.parse(text)


@pytest.mark.parametrize(
    ("wanted", "etag", "expected"),
    [
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('"b", "a"', '"a"', True),
        ('"a,b"', '"a,b"', True),
        ("*", "", True),
        ('"b"', '"a"', False),
        ("a", '"a"', False),
        ('"a"', "", False),
        ("", '"a"', False),
    ],
)
def test_if_none_match_compares_weakly(wanted: str, etag: str, *, expected: bool) -> None:
    """Weak comparison, a list, or a star (RFC 9110 13.1.2)."""
    assert expected is conditional.not_modified({"if-none-match": wanted}, etag, "")
