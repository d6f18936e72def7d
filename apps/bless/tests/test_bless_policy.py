"""The policy file: what is read as it stands, and every mistake named by its rule and key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking.policy import PolicyError, read
from asking.who import caller
from asking_kit import ALLOW, HOSTS, ISSUERS, ROLE, WHO, allowing, rule, toml

OIDC = {"oidc": "there"}


def allow(**changed: object) -> dict[str, object]:
    return ALLOW | changed


def hosts(**changed: object) -> str:
    return rule(type_="host", allow=HOSTS | changed)


MISTAKES = {
    "no TOML": ("=", "no TOML"),
    "a key twice": ('administrators = []\nadministrators = ["x"]', "no TOML"),
    "unknown key": ('admins = ["arn:aws:iam::0:user/a"]', "unknown key 'admins'"),
    "unknown key of a rule": (rule() + "enabled = true", "rule 'rule': unknown key 'enabled'"),
    "unknown key of who": (rule(who=WHO | {"caller": "x"}), r"\[who\]: unknown key 'caller'"),
    "unknown key of allow": (allowing(validity=3), r"\[allow\]: unknown key 'validity'"),
    "administrator is no ARN": ('administrators = ["*"]', "administrators: .* is an ARN"),
    "rules are no list": ('rules = "all"', "rules: a list"),
    "a rule is no table": ("rules = [7]", "rule 1 must be a table"),
    "no name": (rule().replace('name = "rule"', ""), "rule 1: name: is missing"),
    "an odd name": (rule("a\nb"), "rule 1: name: letters"),
    "two of one name": (rule() + rule(), "'rule' is there twice"),
    "no type": (rule().replace('type = "user"', ""), "type: is missing"),
    "another type": (rule().replace('"user"', '"users"'), 'type: "user" or "host"'),
    "nobody": (rule(who={}), "says nobody"),
    "empty callers": (rule(who={"callers": []}), "says nobody"),
    "callers is text": (rule(who={"callers": "*"}), "callers: a list"),
    "a caller is no ARN": (rule(who={"callers": ["alice"]}), "callers: .* ARN"),
    "a caller twice": (rule(who={"callers": ["arn:a:b:c:d:e"] * 2}), "twice"),
    "many stars": (rule(who={"callers": ["arn:aws:iam::" + "*a" * 9 + ":user/x"]}), "8 stars"),
    "half an ARN": (rule(who={"callers": ["arn:aws:iam"]}), "callers: .* ARN"),
    "an ARN of something else": (rule(who={"callers": ["urn:aws:iam::1:user/x"]}), "ARN"),
    "a long pattern": (rule(who={"callers": ["arn:a:b:c:d:" + "e" * 1024]}), "1024 characters"),
    "an issuer that is not there": (rule(who={"oidc": "nowhere"}), r"no \[oidc.nowhere\]"),
    "claims without an issuer": (rule(who=WHO | {"claims": {"hd": "x"}}), "write oidc too"),
    "domains without an issuer": (rule(who=WHO | {"email_domains": ["x.org"]}), "write oidc"),
    "a claim that is a table": (rule(who=OIDC | {"claims": {"a": {}}}), "a: a text, number"),
    "a claim of nothing": (rule(who=OIDC | {"claims": {"a": []}}), "a: a text, number"),
    "a domain with @": (rule(who=OIDC | {"email_domains": ["@x.org"]}), "email_domains"),
    "no allow": (rule().replace("allow =", "allow2 ="), r"\[allow\] is missing"),
    "no principals": (allowing(principals=None), "principals: is missing"),
    "empty principals": (allowing(principals=[]), "principals: must not be empty"),
    "an empty principal": (allowing(principals=[""]), "principals: a list"),
    "any principal": (allowing(principals=["*"]), "principals: '\\*' is no principal"),
    "a principal with a comma": (allowing(principals=["a,root"]), "is no principal"),
    "a principal with a space": (allowing(principals=["a b"]), "is no principal"),
    "a principal with a line feed": (allowing(principals=["a\n"]), "is no principal"),
    "a principal with a dash first": (allowing(principals=["-a"]), "is no principal"),
    "a principal that looks alike": (allowing(principals=["\u0430lice"]), "is no principal"),
    "an unknown field": (allowing(principals=["{caller.session}"]), "is no field; known"),
    "a brace alone": (allowing(principals=["{caller.name"]), "brace"),
    "a field in a field": (allowing(principals=["{{caller.name}}"]), "brace"),
    "a claim without a token": (allowing(principals=["{claim.team}"]), "needs oidc"),
    "kmsauth without a token": (allowing(principals=["{kmsauth.user}"]), "needs kmsauth"),
    "a name without its caller": (
        rule(who=OIDC, allow=allow(principals=["{caller.name}"])), "needs callers"
    ),
    "a name of any domain": (
        rule(who=OIDC, allow=allow(principals=["{oidc.email_name}"])), "needs email_domains"
    ),
    "no addresses": (allowing(source_addresses=None), "source_addresses: is missing"),
    "empty addresses": (allowing(source_addresses=[]), "source_addresses: must not be empty"),
    "other addresses": (allowing(source_addresses="all"), '"caller", "any"'),
    "no network": (allowing(source_addresses=["10.0.0.1/8"]), "source_addresses: Invalid"),
    "a netmask": (allowing(source_addresses=["10.0.0.0/255.0.0.0"]), "without netmask"),
    "everywhere": (allowing(source_addresses=["0.0.0.0/0"]), "restricts nothing"),
    "two commands": (allowing(force_command="a", force_commands=["b"]), "write one of them"),
    "a command of two lines": (allowing(force_command="a\nb"), "printable ASCII"),
    "a pattern of two lines": (allowing(force_commands=["a\n*"]), "printable ASCII"),
    "no validity": (allowing(valid_seconds=None), "valid_seconds: is missing"),
    "validity 0": (allowing(valid_seconds=0), "valid_seconds: a whole number from 1"),
    "validity below 0": (allowing(valid_seconds=-1), "valid_seconds"),
    "validity of years": (allowing(valid_seconds=10**8), "valid_seconds"),
    "validity is true": (allowing(valid_seconds=True), "valid_seconds"),
    "validity of a half": (allowing(valid_seconds=0.5), "valid_seconds"),
    "backdated a day": (allowing(backdate_seconds=86_400), "backdate_seconds"),
    "unknown keys": (allowing(keys=["ssh-dss"]), "keys: some of ssh-rsa"),
    "no keys": (allowing(keys=[]), "keys: some of"),
    "short RSA": (allowing(rsa_bits=1024), "rsa_bits: a whole number from 2048"),
    "an unknown extension": (allowing(extensions=["permit-all"]), "extensions: some of"),
    "no touch by the way": (allowing(extensions=["no-touch-required"]), "keys of their own"),
    "verify of any key": (allowing(verify=True), "verify: say hardware = true"),
    "touch is text": (allowing(touch="no"), "touch: true or false"),
    "kmsauth is 1": (rule(who={"kmsauth": 1}), "kmsauth: true or false"),
    "nobody needs to approve": (rule(approval={"needs": 0, "approvers": ["x"]}), "needs"),
    "no approvers": (rule(approval={"needs": 1}), "approvers: is missing"),
    "an approver is no ARN": (rule(approval={"needs": 1, "approvers": ["bob"]}), "approvers"),
    "approval for ever": (
        rule(approval={"needs": 1, "approvers": ["arn:a:b:c:d:e"], "seconds": 10**7}), "seconds"
    ),
    "a host with a space": (hosts(principals=["a b"]), "is no host"),
    "a host in capitals": (hosts(principals=["A.example.org"]), "is no host"),
    "a host's odd network": (hosts(principals=["10.0.0.1/8"]), "host bits"),
    "a host's network of a claim": (hosts(principals=["10.0.0.{caller.account}/32"]), "principals"),
    "a host's addresses": (hosts(source_addresses="any"), "unknown key 'source_addresses'"),
    "a host's extensions": (hosts(extensions=["permit-pty"]), "unknown key 'extensions'"),
    "a host's command": (hosts(force_command="x"), "unknown key 'force_command'"),
    "an issuer by http": (
        '[oidc.x]\nissuer = "http://x.org"\naudience = "ssh"', r"\[oidc.x\]: issuer: .*https"
    ),
    "keys in a file": (
        '[oidc.x]\nissuer = "https://x.org"\naudience = "a"\nkeys = "file:///x"', "keys: an addr"
    ),
    "no audience": ('[oidc.x]\nissuer = "https://x.org"', "audience: a list|is missing"),
    "empty audience": ('[oidc.x]\nissuer = "https://x.org"\naudience = ""', "must not be empty"),
    "no algorithm": (
        '[oidc.x]\nissuer = "https://x.org"\naudience = "a"\nalgorithms = ["none"]', "RS256"
    ),
    "HMAC": (
        '[oidc.x]\nissuer = "https://x.org"\naudience = "a"\nalgorithms = ["HS256"]', "RS256"
    ),
    "a leeway of an hour": (
        '[oidc.x]\nissuer = "https://x.org"\naudience = "a"\nleeway_seconds = 3600', "leeway"
    ),
    "an issuer of an odd name": (
        '[oidc."a\\nb"]\nissuer = "https://x.org"\naudience = "a"', "name: letters"
    ),
    "algorithms of none": (
        '[oidc.x]\nissuer = "https://x.org"\naudience = "a"\nalgorithms = []', "some of RS256"
    ),
    "an issuer that is a number": ('[oidc.x]\nissuer = 7\naudience = "a"', "issuer: a text of"),
    "a long text": (rule(who={"oidc": "a" * 2049}), "oidc: a text of at most 2048"),
    "a long principal in a list": (allowing(principals=["a" * 2049]), "a list of at most"),
    "many principals": (
        allowing(principals=[f"u{number}" for number in range(257)]), "a list of at most 256"
    ),
    "validity is text": (allowing(valid_seconds="600"), "valid_seconds: a whole number"),
    "kmsauth without keys": ('[kmsauth]\nservice = "ssh"', "key_ids: is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_and_nothing_of_the_policy_counts(case: str) -> None:
    """Rule, key, and what to write in its place."""
    text, why = MISTAKES[case]
    whole = text if "[oidc." in text or "[kmsauth]" in text or "rules =" in text or (
        "admin" in text) else ISSUERS + text  # fmt: skip
    with pytest.raises(PolicyError, match=why):
        read(whole)


def test_kmsauth_must_be_set_up_before_a_rule_asks_for_it() -> None:
    """A rule that nobody can meet is a mistake."""
    with pytest.raises(PolicyError, match=r"no \[kmsauth\]"):
        read(rule(who={"kmsauth": True}))


def test_a_policy_has_limits() -> None:
    """Bytes and rules."""
    with pytest.raises(PolicyError, match="bytes"):
        read("#" * 262_145)
    with pytest.raises(PolicyError, match="256 tables"):
        read("".join(rule(f"r{number}") for number in range(257)))


def test_an_empty_policy_is_one() -> None:
    """It allows nothing."""
    assert read("").rules == ()


def test_administrators_and_auditors_are_matched_by_arn_and_role() -> None:
    """A star stays within its part; who is not named is none."""
    policy = read(
        'administrators = ["arn:aws:iam::*:user/ops-*", "arn:aws:iam::*:role/bastion"]\n'
        'auditors = ["arn:aws:iam::000000000000:user/eve"]'
    )
    ops, eve, mallory, deeper, split = (
        caller(f"arn:aws:iam::{rest}")
        for rest in ("1:user/ops-1", "000000000000:user/eve", "1:user/oops-1",
                     "1:user/ops-x/mallory", "1:user/a:user/ops-1")
    )  # fmt: skip
    nobody = caller("")

    assert policy.administers(ops)
    assert policy.administers(ROLE)
    assert not any(map(policy.administers, (eve, mallory, deeper, split, nobody)))
    assert policy.audits(eve)
    assert policy.audits(ops)
    assert not policy.audits(mallory)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(
        ["any", "caller", "user", "host", "there", "alice", "{claim.x}", "arn:aws:iam::*:user/*"]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
KEYS = ("callers", "oidc", "claims", "kmsauth", "principals", "source_addresses", "valid_seconds",
        "force_command", "force_commands", "extensions", "keys", "hardware", "touch", "needs",
        "approvers", "seconds", "name", "type")  # fmt: skip
TABLES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@given(st.dictionaries(st.sampled_from(["who", "allow", "approval"]), TABLES))
def test_any_tables_are_a_policy_or_a_mistake(tables: dict[str, dict[str, object]]) -> None:
    """Whatever stands at a key, the reader answers with one or the other."""
    try:
        read(ISSUERS + rule(**tables))
    except PolicyError as error:
        assert "\n" not in str(error)


@given(st.text() | st.lists(st.sampled_from(
    ["[[rules]]", "[rules.who]", "[oidc.a]", "[kmsauth]", 'name = "a"', 'type = "user"', "rules=1",
     "oidc = []", "a = {", "]", '"""', "= 1", "nan = nan", "[oidc]", "[rules.allow]"]
)).map("\n".join))  # fmt: skip
def test_any_text_is_a_policy_or_a_mistake(text: str) -> None:
    """No text breaks the reader."""
    try:
        read(text)
    except PolicyError:
        return


def test_toml_is_written_as_it_is_read() -> None:
    """The kit of these tests says what it means."""
    assert toml({"a": ["x\n", True, 3]}) == '{ "a" = ["x\\n", true, 3] }'
