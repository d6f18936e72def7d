"""The decision: what is granted is within one rule; what is not is refused in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from asking.deciding import decide
from asking.explaining import refusal, told
from asking.policy import read
from asking.who import caller, kmsauth
from asking_kit import (
    ALICE,
    ALLOW,
    ARN,
    HOSTS,
    ROLE,
    WHO,
    allowing,
    asked,
    decided,
    granted,
    oidc,
    rule,
    why_not,
)  # fmt: skip

OIDC = {"oidc": "there"}


def user(who: dict[str, Any], *principals: str) -> str:
    """A rule for somebody, for some principals."""
    return rule(who=who, allow=ALLOW | {"principals": list(principals or ("alice",))})


def test_nothing_is_allowed_by_no_rule() -> None:
    """Deny by default, and say so."""
    decision = decided("")

    assert not decision.allowed
    assert "no rules" in refusal(decision)
    assert told(decision) == {
        "allowed": False, "rule": "", "grant": None, "passed_over": [], "needs": 0,
    }  # fmt: skip


def test_the_first_rule_that_allows_decides_and_the_others_say_why_not() -> None:
    """In order; what comes after is not asked."""
    text = (
        rule("hosts", "host")
        + user({"callers": ["arn:aws:iam::*:user/bob"]}).replace('"rule"', '"of bob"')
        + allowing(principals=["deploy"]).replace('"rule"', '"deploy"')
        + rule("right")
        + rule("later", allow=ALLOW | {"valid_seconds": 9999})
    )
    decision = decided(text)

    assert decision.rule == "right"
    assert decision.grant is not None
    assert decision.grant.valid_seconds == 600
    assert [(each.rule, each.why) for each in decision.passed_over] == [
        ("hosts", "it is for host certificates"),
        ("of bob", f"the caller {ARN} is none of arn:aws:iam::*:user/bob"),
        ("deploy", "'alice' is none of its principals: deploy"),
    ]


def test_all_that_does_not_hold_is_said() -> None:
    """So that one reading is enough."""
    why = why_not(
        allowing(keys=["ssh-rsa"]), principals=("root",), extensions=("permit-all",),
        valid_seconds=0, force_command="ls", source_addresses=("x",),
    )  # fmt: skip
    for part in ("ssh-ed25519", "'root'", "permit-all", "validity", "'ls'", "'x'"):
        assert part in why


def test_who_is_not_meant_learns_nothing_of_what_others_may() -> None:
    """Principals of a rule are told to those whom it is for."""
    text = user({"callers": ["arn:aws:iam::*:user/bob"]}, "secret-name")
    assert "secret-name" not in why_not(text, principals=("x",))


WHOS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another user": ({"callers": ["arn:aws:iam::*:user/bob"]}, {}, "none of arn"),
    "a name by prefix": ({"callers": ["arn:aws:iam::*:user/alic"]}, {}, "none of arn"),
    "another account": ({"callers": ["arn:aws:iam::1:user/alice"]}, {}, "none of arn"),
    "nobody": (dict(WHO), {"who": caller("")}, "nobody is none of"),
    "a path": (dict(WHO), {"who": caller("arn:aws:iam::000000000000:user/x/alice")}, "none of arn"),
    "another role": ({"callers": ["arn:aws:iam::*:role/bastion2"]}, {"who": ROLE}, "none of"),
    "a session as a user": (dict(WHO), {"who": ROLE}, "none of"),
    "no function": ({"functions": ["arn:aws:lambda:*:*:function:f"]}, {}, "functions"),
    "another function": (
        {"functions": ["arn:aws:lambda:*:*:function:f"]},
        {"who": caller(ARN, function="arn:aws:lambda:r:0:function:g")}, "functions",
    ),
    "no token": (OIDC, {}, "needs an OIDC token of there"),
    "another issuer's token": (OIDC, {"tokens": (oidc(issuer="elsewhere"),)}, "token of there"),
    "a kmsauth token": (OIDC, {"tokens": (kmsauth("alice"),)}, "token of there"),
    "no kmsauth": ({"kmsauth": True}, {"tokens": (oidc(),)}, "needs a kmsauth token"),
    "a domain": (
        OIDC | {"email_domains": ["other.org"]}, {"tokens": (oidc(),)}, "token's is at 'example.or",
    ),
    "a domain by its end": (
        OIDC | {"email_domains": ["example.org"]},
        {"tokens": (oidc(email="alice@evil.example.org"),)}, "verified e-mail address at",
    ),
    "no verified address": (
        OIDC | {"email_domains": ["example.org"]}, {"tokens": (oidc(email=""),)}, "token has none",
    ),
    "a claim": (
        OIDC | {"claims": {"hd": "other.org"}}, {"tokens": (oidc(),)}, "claim hd is none of other",
    ),
    "a claim that is missing": (
        OIDC | {"claims": {"team": "x"}}, {"tokens": (oidc(),)}, "claim team is none of x",
    ),
    "a claim of another kind": (
        OIDC | {"claims": {"level": "3"}}, {"tokens": (oidc(),)}, "claim level",
    ),
    "true is not 1": (OIDC | {"claims": {"staff": 1}}, {"tokens": (oidc(),)}, "claim staff"),
    "none of a list": (
        OIDC | {"claims": {"groups": ["root", "en"]}}, {"tokens": (oidc(),)}, "none of root, en",
    ),
    "one of two claims": (
        OIDC | {"claims": {"hd": "example.org", "groups": "root"}}, {"tokens": (oidc(),)}, "groups",
    ),
    "a token and another caller": (
        OIDC | {"callers": ["arn:aws:iam::*:user/bob"]}, {"tokens": (oidc(),)}, "none of arn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOS)
def test_all_that_who_says_must_hold(case: str) -> None:
    """Each by itself; nothing else is a reason."""
    who, changed, why = WHOS[case]
    found = why_not(user(who), **changed)

    assert why in found
    assert ";" not in found


@pytest.mark.parametrize(("who", "changed"), [
    (WHO, {}),
    ({"callers": ["arn:aws:iam::*:role/bastion"]}, {"who": ROLE}),
    ({"callers": ["arn:aws:sts::*:assumed-role/bastion/*"]}, {"who": ROLE}),
    ({"functions": ["arn:aws:lambda:*:*:function:f"]},
     {"who": caller(ARN, function="arn:aws:lambda:r:0:function:f")}),
    (OIDC, {"tokens": (oidc(),)}),
    (OIDC | {"email_domains": ["x.org", "example.org"]},
     {"tokens": (oidc(email="A@Example.ORG"),)}),
    (OIDC | {"claims": {"hd": ["x", "example.org"], "groups": ["ops"], "level": 3, "staff": True}},
     {"tokens": (oidc(),)}),
    ({"kmsauth": True}, {"tokens": (kmsauth("alice"),)}),
    (WHO | OIDC | {"kmsauth": True}, {"tokens": (kmsauth("alice"), oidc())}),
], ids=str)  # fmt: skip
def test_whom_a_rule_is_for(who: dict[str, Any], changed: dict[str, Any]) -> None:
    """Callers, roles, functions, tokens, and several together."""
    assert granted(user(who), **changed).principals == ("alice",)


@pytest.mark.parametrize(("template", "name", "changed"), [
    ("{caller.name}", "alice", {}),
    ("{caller.role}", "bastion", {"who": ROLE}),
    ("u-{caller.account}", "u-000000000000", {}),
    ("{oidc.email_name}", "al.ice+x", {"tokens": (oidc(email="al.ice+x@example.org"),)}),
    ("{oidc.email}", "alice@example.org", {"tokens": (oidc(),)}),
    ("{oidc.sub}", "a-17", {"tokens": (oidc(),)}),
    ("dev-{claim.team}", "dev-blue", {"tokens": (oidc(claims={"team": "blue"}),)}),
    ("{claim.https://x.org/n}", "n", {"tokens": (oidc(claims={"https://x.org/n": "n"}),)}),
    ("{kmsauth.user}", "bob", {"tokens": (kmsauth("bob"),)}),
    ("{kmsauth.user}@{caller.name}", "bob@alice", {"tokens": (kmsauth("bob"),)}),
])  # fmt: skip
def test_templates_are_filled_with_what_was_proved(
    template: str, name: str, changed: dict[str, Any]
) -> None:
    """Every field that there is."""
    tokens = changed.get("tokens", ())
    kinds = {each.kind for each in tokens}
    who: dict[str, Any] = {"callers": ["arn:aws:iam::*:user/*", "arn:aws:iam::*:role/*"]}
    who |= OIDC | {"email_domains": ["example.org"]} if "oidc" in kinds else {}
    who |= {"kmsauth": True} if "kmsauth" in kinds else {}
    if "{claim." in template:
        who.pop("email_domains")

    assert granted(user(who, template), principals=(name,), **changed).principals == (name,)


UNSAFE = [
    "",
    "a,root",
    "a root",
    "a\nroot",
    "root\n",
    "a\x00",
    "a\t",
    "*",
    "a*",
    "a?",
    "!a",
    "-a",
    "{caller.name}",
    "\u0430lice",
    "ali\u200bce",
    "a'b",
    'a"b',
    "a;b",
    "a`b",
    "a$b",
    "a\\b",
    "a|b",
    "a#b",
    "a(b)",
    "a" * 257,
    "root",
    "Root",
    "ROOT",
    ".",
    ".a",
    "=a",
    "@a",
    "/a",
]


@pytest.mark.parametrize("value", [*UNSAFE, None, 7, True, ["a"], {"a": "b"}], ids=ascii)
def test_a_claim_that_is_no_one_safe_name_gives_nothing(value: object) -> None:
    """Comma, control, pattern, quote, look-alike, reserved, empty, missing, no text."""
    token = oidc(claims={"team": value})
    wanted = (str(value) if value else "x",)
    why = why_not(user(OIDC, "{claim.team}"), principals=wanted, tokens=(token,))

    assert "{claim.team}" in why
    assert why.isascii()
    assert why.isprintable()


@pytest.mark.parametrize("name", ["o'brien", "a!b", "a/b", "a=b", ".a", "a.", "root", "Root", "-a"])
def test_the_name_of_an_address_is_a_users_or_nothing(name: str) -> None:
    """What stands before the @ of a verified address may be odd."""
    token = oidc(email=f"{name}@example.org")
    who = OIDC | {"email_domains": ["example.org"]}
    assert why_not(user(who, "{oidc.email_name}"), principals=(name,), tokens=(token,))


def test_a_name_with_its_text_around_it_has_a_length_too() -> None:
    """The whole is checked as well as its parts."""
    token = oidc(claims={"team": "a" * 255})
    text = user(OIDC, "dev-{claim.team}")
    assert "at most 256" in why_not(text, principals=("dev-" + "a" * 255,), tokens=(token,))


def test_an_address_that_was_not_verified_gives_no_name() -> None:
    """Anybody may write one."""
    token = oidc(email="", claims={"email": "root@example.org", "hd": "example.org"})
    text = user(OIDC | {"claims": {"hd": "example.org"}}, "{oidc.email_name}")
    assert "verified" in why_not(text, tokens=(token,))


def test_who_takes_a_role_does_not_choose_a_name() -> None:
    """The session is called root, and that is nobody's doing but its own."""
    text = user({"callers": ["arn:aws:iam::*:role/bastion"]}, "{caller.name}")
    assert "names itself" in why_not(text, who=ROLE, principals=("root",))


def test_a_reserved_name_must_be_written_out() -> None:
    """Templates give none; a rule may."""
    reserved = 'reserved = ["admin"]\n'
    admin = caller("arn:aws:iam::000000000000:user/Admin")
    assert "reserved" in why_not_plain(reserved + user(dict(WHO), "{caller.name}"), admin, "Admin")
    assert granted(user(dict(WHO), "root"), principals=("root",)).principals == ("root",)


def why_not_plain(text: str, who: Any, name: str) -> str:
    """As `why_not`, for a policy that begins with keys of its own."""
    decision = decide(read(text), asked(who=who, principals=(name,)))
    assert not decision.allowed
    return decision.passed_over[0].why


@pytest.mark.parametrize(("principals", "why"), [
    ((), "no principal"), (("alice", "alice"), "twice"), (("alice", "root"), "'root' is none"),
    (("Alice",), "'Alice' is none"), (("alice,root",), "is none"), (("alice ",), "is none"),
    (("",), "'' is none"), (("*",), "is none"), (("alice\n",), "is none"),
    (("\u0430lice",), "is none"), (tuple(f"u{n}" for n in range(257)), "more than 256"),
    (("x" * 100_000,), "is none"),
], ids=lambda value: ascii(value)[:40])  # fmt: skip
def test_no_principal_but_those_of_the_rule(principals: tuple[str, ...], why: str) -> None:
    """All that are asked for, or none."""
    found = why_not(rule(), principals=principals)
    assert why in found
    assert found.isascii()
    assert len(found) < 500


@pytest.mark.parametrize("name", [
    "a.example.org", "a.b.example.org", "web-1.x.net", "10.1.2.3", "2001:db8::1", "one.org",
    "blue.y.net", "a.b.org",
])  # fmt: skip
def test_hosts_are_covered_by_names_patterns_and_networks(name: str) -> None:
    """*. in front is all below; a star elsewhere is within a label."""
    listed = ["*.example.org", "web-*.x.net", "10.0.0.0/8", "2001:db8::/32", "one.org",
              "{claim.team}.y.net", "{claim.fqdn}"]  # fmt: skip
    text = rule(type_="host", who=OIDC, allow=HOSTS | {"principals": listed})
    token = oidc(claims={"team": "blue", "fqdn": "a.b.org"})
    assert granted(text, type="host", principals=(name,), tokens=(token,)).principals == (name,)


@pytest.mark.parametrize("name", [
    "example.org", "aexample.org", "a.example.org.evil.net", "*.example.org", "a*.example.org",
    "A.example.org", ".example.org", "a..example.org", "a.example.org.", "a.example.org,b", "",
    "a.example.org\n", "-a.example.org", "a_b.example.org", "web-1.2.x.net", "11.0.0.1",
    "10.0.0.1/32", "010.0.0.1", "2001:DB8::1", "2001:db9::1", "300.1.1.1", "?.example.org",
    "\u0430.example.org", "a.example.org:22", "x" * 64 + ".example.org", "::ffff:10.0.0.1",
])  # fmt: skip
def test_no_host_but_those_of_the_rule(name: str) -> None:
    """A host is certified by its name, in one writing, never by a pattern."""
    listed = ["*.example.org", "web-*.x.net", "10.0.0.0/8", "2001:db8::/32"]
    text = rule(type_="host", allow=HOSTS | {"principals": listed})
    assert why_not(text, type="host", principals=(name,))


@pytest.mark.parametrize("value", ["*", "*.org", "10.0.0.0/8", "a,b", "A.org", "a b", "a:22", "-a"])
def test_a_claim_makes_no_pattern_and_no_network_of_a_host(value: str) -> None:
    """A host's template gives one name."""
    text = rule(type_="host", who=OIDC, allow=HOSTS | {"principals": ["{claim.host}"]})
    token = oidc(claims={"host": value})
    for name in (value, "10.0.0.1", "x.org"):
        assert why_not(text, type="host", principals=(name,), tokens=(token,))


def test_a_hosts_certificate_has_no_options() -> None:
    """OpenSSH takes none with one."""
    for changed in (
        {"source_addresses": ("10.0.0.0/8",)}, {"force_command": "x"},
        {"extensions": ("permit-pty",)},
    ):  # fmt: skip
        assert why_not(rule(type_="host"), type="host", principals=("a.example.org",), **changed)


def test_approvals_are_named() -> None:
    """How many, by whom, for how long."""
    approval = {"needs": 2, "approvers": ["arn:aws:iam::*:user/lead-*"], "seconds": 60}
    grant = granted(rule(approval=approval))

    assert (grant.needs, grant.approval_seconds) == (2, 60)
    assert grant.approvers == ("arn:aws:iam::*:user/lead-*",)


def test_the_key_id_tells_the_rule_and_who_in_one_safe_line() -> None:
    """For sshd's log; no name can write a second part."""
    tokens = (oidc(name="x rule=root caller=y\n", email=""), kmsauth("bob"))
    who = WHO | OIDC | {"kmsauth": True}
    grant = granted(rule("web [hosts]".replace("[", "").replace("]", ""), who=who), tokens=tokens)

    assert grant.key_id == (
        f"rule=web-hosts caller={ARN} oidc=there/x_rule=root_caller=y_ kmsauth=kmsauth/bob"
    )


def test_a_decision_is_told_as_plain_data() -> None:
    """Lists and numbers, as JSON has them."""
    answer = told(decided(rule("other", "host") + rule()))

    assert answer["allowed"] is True
    assert answer["rule"] == "rule"
    assert answer["passed_over"] == [{"rule": "other", "why": "it is for host certificates"}]
    assert answer["grant"]["principals"] == ["alice"]


def test_a_refusal_is_short_however_many_rules_there_are() -> None:
    """The first few, and how many more."""
    text = "".join(rule(f"r{number}", "host") for number in range(100))
    words = refusal(decided(text))

    assert "'r0': it is for host certificates" in words
    assert "And 92 more rules" in words


@pytest.mark.parametrize("field", ["hardware", "touched", "verified"])
def test_what_was_not_proved_is_not_so(field: str) -> None:
    """The values' own defaults are the refusing ones."""
    assert getattr(asked(), field) is False
    assert replace(ALICE, arn="").told == ""
