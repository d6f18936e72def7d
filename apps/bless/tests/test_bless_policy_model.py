"""The policy against plain models of it: no grant exceeds its rule, whatever is asked."""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asking import patterns
from asking.allowing import EXTENSIONS
from asking.deciding import decide
from asking.policy import read
from asking.who import caller
from asking_kit import ALLOW, ISSUERS, asked, decided, oidc, rule

TEAMS = rule(who={"oidc": "there"}, allow=ALLOW | {"principals": ["dev-{claim.team}"]})
STARRED = st.text(alphabet="a*-", max_size=12).filter(lambda text: text.count("*") <= 8)


@given(STARRED, st.text(alphabet="a-b", max_size=12))
def test_a_pattern_matches_as_a_plain_glob_does_within_its_part(pattern: str, text: str) -> None:
    """The oracle is fnmatch; a star never crosses a colon or slash."""
    made = patterns.over_arns("arn:aws:iam::1:" + pattern)

    assert made.matches("arn:aws:iam::1:" + text) == fnmatchcase(text, pattern)
    assert made.matches("arn:aws:iam::1:x/" + text) is False


NAMES = ("alice", "bob", "root", "deploy", "a,b", "*", "")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0", "x")
some = st.sampled_from
ALLOWS = st.fixed_dictionaries({
    "principals": st.lists(
        some(["alice", "bob", "{caller.name}", "root"]), min_size=2, unique=True
    ),
    "source_addresses": some(["any", "caller"]) | st.lists(some(NETWORKS[:5]), min_size=1,
                                                           unique=True),
    "extensions": st.lists(some(EXTENSIONS), unique=True),
    "valid_seconds": st.integers(1, 2_592_000),
    "backdate_seconds": st.integers(0, 3600),
})  # fmt: skip
GOOD = st.fixed_dictionaries({
    "principals": st.lists(some(["alice", "bob"]), min_size=1, max_size=2, unique=True).map(tuple),
    "who": some(["alice", "bob", "root", "eve"]).map(
        lambda name: caller(f"arn:aws:iam::000000000000:user/{name}")
    ),
    "source_addresses": st.none() | st.lists(some(NETWORKS[:4]), max_size=2).map(tuple),
    "extensions": st.none() | st.lists(some(EXTENSIONS), max_size=1).map(tuple),
    "valid_seconds": st.none() | st.integers(1, 3_000_000),
    "force_command": st.none(),
    "address": some(["192.0.2.7", "10.1.2.3", "::ffff:10.1.2.3"]),
})  # fmt: skip
"""What may well be granted; each thing that is changed below makes that less likely."""
CHANGED = st.dictionaries(st.just("principals"), st.lists(some(NAMES), max_size=3).map(tuple)) | (
    st.fixed_dictionaries({}, optional={
        "source_addresses": st.lists(some(NETWORKS), max_size=3).map(tuple),
        "extensions": st.lists(some([*EXTENSIONS, "no-touch-required"]), max_size=3).map(tuple),
        "valid_seconds": st.integers(-(2**64), 2**64),
        "force_command": some(["", "ls"]),
        "address": st.just(""),
    })
)  # fmt: skip
ASKED = st.tuples(GOOD, st.just({}) | CHANGED).map(lambda both: both[0] | both[1])


def _inside(given_: str, allowed: str) -> bool:
    one, other = ipaddress.ip_network(given_), ipaddress.ip_network(allowed)
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


@given(st.lists(ALLOWS, min_size=1, max_size=3), ASKED)
def test_no_grant_exceeds_its_rule(allows: list[dict[str, Any]], changed: dict[str, Any]) -> None:
    """A plain model of the rule holds of what is granted: names, addresses, times, extensions."""
    text = "".join(rule(str(number), allow=allow) for number, allow in enumerate(allows))
    decision = decided(text, **changed)
    if decision.grant is None:
        assert [each.rule for each in decision.passed_over] == [str(n) for n in range(len(allows))]
        assert all(each.why for each in decision.passed_over)
        return
    grant, allow = decision.grant, allows[int(decision.rule)]
    name = changed["who"].name
    may = {name if each == "{caller.name}" and name != "root" else each
           for each in allow["principals"]}  # fmt: skip
    assert set(grant.principals) <= may
    assert grant.principals == changed["principals"] != ()
    assert 1 <= grant.valid_seconds <= allow["valid_seconds"]
    assert grant.valid_seconds <= (changed["valid_seconds"] or grant.valid_seconds)
    assert grant.backdate_seconds == allow["backdate_seconds"]
    assert set(grant.extensions) <= set(allow["extensions"])
    assert grant.force_command == ""
    assert not grant.no_touch
    rules = allow["source_addresses"]
    if rules != "any":
        own = [changed["address"].removeprefix("::ffff:")] if rules == "caller" else rules
        assert grant.source_addresses
        assert all(any(_inside(each, one) for one in own) for each in grant.source_addresses)
    for each in grant.source_addresses:
        assert str(ipaddress.ip_network(each)) == each


@given(st.lists(ALLOWS, min_size=1, max_size=3), ASKED)
def test_a_rule_that_is_taken_away_gives_nothing_new(
    allows: list[dict[str, Any]], changed: dict[str, Any]
) -> None:
    """What no rule of a policy allows, no part of it does."""
    text = [rule(str(number), allow=allow) for number, allow in enumerate(allows)]
    if not decided("".join(text), **changed).allowed:
        assert not decided("".join(text[1:]), **changed).allowed
        assert not decided(text[0], **changed).allowed


@given(st.text(max_size=30))
def test_whatever_a_claim_says_gives_one_safe_name_or_nothing(value: str) -> None:
    """The last check is of the whole."""
    policy = read(ISSUERS + TEAMS)
    token = oidc(claims={"team": value})
    decision = decide(policy, asked(principals=(f"dev-{value}",), tokens=(token,)))
    if decision.allowed:
        assert value.isascii()
        assert value.isprintable()
        assert not set(value) & set(" ,*?!\"'`$\\;&|<>(){}[]#~^")
        assert value
