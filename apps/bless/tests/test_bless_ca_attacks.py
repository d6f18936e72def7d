"""Attacks on the issuing CA: each ends in a refusal with its code, a row, and no signature.

In this process, over keys in memory that count what they sign; `tests/e2e/test_ssh_attacks.py` has
those that need a server.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attacked_kit import STRANGERS, Attacked, attacked, attacked_by_all, by, in_token
from dynimo.sdk.context import Caller
from issuing_kit import ADA, ADMINISTRATORS, BOB, LEAD, OWN_NAME, POLICY, Key, at_once, certificate
from sshca.certificate import HOST
from test_bless_attacks import ADDRESSES, SECURITY_KEYS, WEAK, _keys

made = pytest.fixture(attacked)
shared = pytest.fixture(attacked_by_all, scope="module")

# Who asks


@pytest.mark.parametrize("name", list(STRANGERS))
def test_who_is_not_the_one_that_a_rule_names(shared: Attacked, name: str) -> None:
    """Only what the platform proved counts, whole."""
    shared.issue("denied", STRANGERS[name])


@pytest.mark.parametrize("name", ["caller", "context", "arn", "principal", "administrator"])
def test_a_caller_in_the_event_is_none(shared: Attacked, name: str) -> None:
    """What is said of the caller in the event is no member of it."""
    shared.do("invalid", BOB, "issue", **shared.ca.signed(), **{name: ADA.arn})


ADMINISTRATION: list[dict[str, Any]] = [
    {"do": "rotate", "kind": "user", "stage": "publish"},
    {"do": "revoke", "serials": ["1"], "reason": "x"},
    {"do": "policy"},
    {"do": "audit", "what": "export"},
    {"do": "audit", "what": "refusals"},
    {"do": "audit", "what": "inclusion", "record": 0},
]


@pytest.mark.parametrize("caller", [BOB, LEAD, STRANGERS["a session that is called as a user is"]])
@pytest.mark.parametrize("event", ADMINISTRATION, ids=lambda event: event.get("what", event["do"]))
def test_what_only_administrators_do(
    shared: Attacked, caller: Caller, event: dict[str, Any]
) -> None:
    """Nobody else rotates, revokes, sees or writes the policy, or reads the log through."""
    shared.event("denied", caller, event)


def test_nobody_writes_the_policy_but_administrators(shared: Attacked) -> None:
    """Nor asks what another would get."""
    text = 'administrators = ["arn:aws:iam::*:user/bob"]'
    shared.do("denied", BOB, "policy", text=text)
    shared.do("denied", BOB, "explain", request=shared.ca.asked(Key()), caller=ADA.arn)


def test_a_ca_is_made_once(shared: Attacked) -> None:
    """Whoever asks again gets no other one, no key is made, and they are no administrator."""
    keys = list(shared.memory.kept)
    shared.do("exists", BOB, "init")
    assert list(shared.memory.kept) == keys
    shared.do("denied", BOB, "policy")


# Possession, time, single use


def test_a_request_that_another_key_signed(shared: Attacked) -> None:
    """The key that is certified must have signed."""
    key, thief = Key(), Key()
    request = shared.ca.asked(key)
    for proof in (thief.proof(request), thief.proof(request).replace("A", "B", 1), "", None, [],
                  "x", key.proof(request | {"principals": ["root"]}), key.proof({}),
                  key.proof(request, "file"), key.proof(request, "issue@dynimo-ssh\0"),
                  key.proof(request) + "\n", key.proof(request).replace("\n", "\r\n")):  # fmt: skip
        shared.do("unproved", ADA, "issue", request=request, proof=proof)


CHANGES: list[tuple[str, Any]] = [
    ("principals", ["ada", "root"]), ("valid_seconds", 1), ("reason", "x"), ("type", "host"),
    ("source_addresses", ["10.0.0.0/8"]), ("extensions", []), ("force_command", ""),
    ("nonce", "0" * 32), ("at", None),
]  # fmt: skip


@pytest.mark.parametrize(("member", "value"), CHANGES)
def test_what_was_changed_after_it_was_signed(shared: Attacked, member: str, value: Any) -> None:
    """Every member is signed."""
    key = Key()
    request = shared.ca.asked(key)
    proof = key.proof(request)
    changed = request | {member: request["at"] - 1 if member == "at" else value}
    shared.do("unproved", ADA, "issue", request=changed, proof=proof)


@pytest.mark.parametrize("seconds", [-(10**9), -121, 121, 10**9])
def test_a_request_of_another_time(shared: Attacked, seconds: int) -> None:
    """Two minutes, either way."""
    at = int(shared.ca.clock.now) + seconds
    shared.issue("unproved", at=at)


@pytest.mark.parametrize("seconds", [0, 30, 119])
def test_a_request_that_was_used(made: Attacked, seconds: int) -> None:
    """Once, also as another user of the key, and as long as it would be in time."""
    asked = made.ca.signed()
    assert "certificate" in made.ca.do(ADA, "issue", **asked)
    made.ca.clock.now += seconds
    assert "certificate" in made.ca.issue()  # whatever is forgotten is forgotten now
    made.do("used", ADA, "issue", **asked)


def test_a_request_that_was_used_before_the_clock_was_set_back(made: Attacked) -> None:
    """What was forgotten does not come back with the time."""
    asked = made.ca.signed()
    assert "certificate" in made.ca.do(ADA, "issue", **asked)
    made.ca.clock.now += 86_400
    assert "certificate" in made.ca.issue()
    made.ca.clock.now -= 86_400
    answer = made.ca.do(ADA, "issue", **asked)
    assert answer.get("error") in {"used", "unproved", "unavailable"}, answer


def test_of_many_that_are_the_same_one_is_certified(made: Attacked) -> None:
    """At once, in one process."""
    event = {"do": "issue"} | made.ca.signed()
    before = len(made.memory.signatures)
    answers = at_once(made.ca.operations.answer(event, ADA) for _ in range(20))
    assert sum("certificate" in each for each in answers) == 1
    assert [each["error"] for each in answers if "error" in each] == ["used"] * 19
    assert len(made.memory.signatures) == before + 1


# What is asked


PRINCIPALS: list[Any] = [
    [], [""], ["ada", "ada"], ["a,root"], ["ada\n"], ["ada\0"], ["a b"], ["a\tb"], ["\u0430da"],
    ["ada\u200b"], ["-oProxyCommand=x"], ["ada\x7f"], ["\ud800"], ["a" * 257],
    [f"u{each}" for each in range(257)], "ada", None, {}, [1], [None], [["ada"]],
]  # fmt: skip


@pytest.mark.parametrize("value", PRINCIPALS, ids=lambda value: ascii(value)[:40])
def test_principals_that_are_none(shared: Attacked, value: Any) -> None:
    """What OpenSSH reads in another way, or nobody is called."""
    key = Key()
    request = shared.ca.asked(key) | {"principals": value}
    try:
        proof = key.proof(request)
    except ValueError:
        proof = ""  # half a character cannot even be signed
    shared.do("invalid", ADA, "issue", request=request, proof=proof)


@pytest.mark.parametrize("value", ["root", "Ada", "ADA", "ada2", "{caller.name}", "*", "a*", "?da",
                                   "!ada", "deploy:ada", "ada@", "user/ada"])  # fmt: skip
def test_principals_of_others(shared: Attacked, value: str) -> None:
    """Compared as they are; and all that are asked must be had."""
    shared.issue("denied", principals=[value])
    shared.issue("denied", principals=["ada", value])


HOSTS = {
    "invalid": [
        "*", "*.web.example.org", "a?.web.example.org", "!a.web.example.org", "", "a b", "a\nb",
        "a,b.web.example.org", "-a.web.example.org", "a.web.example.org\n",
        "\u0430.web.example.org",
    ],
    "denied": [
        "web.example.org", "a.web.example.org.", "A.web.example.org", "a.web.example.org:22",
        "x@a.web.example.org", "a.web.example.org/x", "a..web.example.org", "[::1]", "192.0.2.1",
        "a.web.example.com", "a.web.example.org.evil.com", "aweb.example.org",
        "a_b.web.example.org", "ssh://a.web.example.org", ".web.example.org",
        "x" * 64 + ".web.example.org",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "value"), [(code, value) for code, values in HOSTS.items() for value in values]
)
def test_hosts(shared: Attacked, code: str, value: str) -> None:
    """Patterns are no hosts, since clients would take them for any; others are not of the rule."""
    shared.issue(code, type="host", principals=[value])


def test_a_host_is_certified_for_whom_the_rule_names(shared: Attacked) -> None:
    """And a user's rule gives no host, nor a host's rule a user."""
    shared.issue("denied", BOB, type="host", principals=["a.web.example.org"])
    shared.issue("denied", type="host", principals=["ada"])
    shared.issue("denied", principals=["a.web.example.org"])
    told = certificate(shared.ca.issue(type="host", principals=["a.web.example.org"])).certificate
    assert (told.type, told.critical, told.extensions) == (HOST, {}, {})


@pytest.mark.parametrize("value", [each for each in ADDRESSES if "," not in each] + [
    "10.0.0.1,10.0.0.2", "any", "caller", "0.0.0.0/1"])  # fmt: skip
def test_source_addresses(shared: Attacked, value: str) -> None:
    """What sshd cannot read, or restricts nothing."""
    codes = {"0.0.0.0/1": ["0.0.0.0/1", "128.0.0.0/1"]}
    shared.issue("invalid", source_addresses=codes.get(value, [value]))


@pytest.mark.parametrize("value", [[], "10.0.0.1", [1], [""], ["10.0.0.1"] * 10_000, {}])
def test_lists_of_source_addresses(shared: Attacked, value: Any) -> None:
    """A list of texts, of a bearable length."""
    shared.issue("invalid", source_addresses=value)


NO_KEYS = {name: line for name, line in _keys().items() if name not in {"ecdsa", "sk"}}


@pytest.mark.parametrize("name", [*NO_KEYS, *SECURITY_KEYS])
def test_keys_that_are_none(shared: Attacked, name: str) -> None:
    """One plain key in one line."""
    shared.issue("invalid", public_key=(NO_KEYS | SECURITY_KEYS)[name])


@pytest.mark.parametrize("name", list(WEAK))
def test_keys_that_can_be_broken(shared: Attacked, name: str) -> None:
    """With such a key anybody proves possession, or nobody can."""
    shared.issue("unproved", public_key=WEAK[name])


def test_a_weak_key_that_does_sign(shared: Attacked) -> None:
    """Its proof is worth nothing: the private half is known to all."""
    key = by(ec.derive_private_key(1, ec.SECP256R1()))
    shared.issue("unproved", key=key)


def test_the_cas_own_keys(made: Attacked) -> None:
    """Of users, of hosts, of the log, of every generation: they sign, and are never certified."""
    assert "error" not in made.ca.rotate("publish")
    for name, signer in made.memory.kept.items():
        key = by(signer.key)
        assert "own key" in made.issue("denied", key=key)["message"], name


@pytest.mark.parametrize("how", ["keys", "fingerprints"])
def test_a_revoked_key(made: Attacked, how: str) -> None:
    """Also when only its fingerprint is."""
    key = Key()
    assert "certificate" in made.ca.issue(key=key)
    told = key.line if how == "keys" else key.public.sha256
    assert "krl_version" in made.ca.do(ADA, "revoke", **{how: [told]}, reason="lost")
    made.issue("denied", key=key)


PINNED = POLICY.replace('source_addresses = "any"', 'source_addresses = "caller"')


@pytest.mark.parametrize("value", ["10.0.0.1", "192.0.2.0/24", "192.0.2.8", "2001:db8::1"])
def test_addresses_other_than_ones_own(tmp_path: Path, value: str) -> None:
    """Where a rule pins the caller's, which is where the call came from."""
    made = attacked(tmp_path, PINNED)
    made.issue("denied", source_addresses=[value])
    made.issue("denied", replace(ADA, address=""))
    told = certificate(made.ca.issue()).certificate
    assert told.critical == {"source-address": "192.0.2.7/32"}


HARDWARE = ADMINISTRATORS + OWN_NAME + "hardware = true\n"


@pytest.mark.parametrize(
    ("more", "flags", "says"),
    [("", 0, None), ("", 4, None), ("", 1, []), ("touch = false", 0, ["no-touch-required"]),
     ("verify = true", 1, None), ("verify = true", 4, None), ("verify = true", 0, None),
     ("verify = true", 5, ["verify-required"]),
     ("verify = true\ntouch = false", 1, None)],
)  # fmt: skip
def test_security_keys_whose_owner_did_too_little(
    tmp_path: Path, more: str, flags: int, says: list[str] | None
) -> None:
    """Touched (1), verified (4): as the rule says, and then the certificate says so too."""
    made = attacked(tmp_path, HARDWARE + more)
    made.issue("denied")  # a key in a file
    if says is None:
        made.issue("denied", key=in_token(flags))
        return
    answer = made.ca.issue(key=in_token(flags))
    told = certificate(answer).certificate
    assert [*told.critical, *told.extensions] == says


@pytest.mark.parametrize("value", [0, -1, 2**64 - 1, 2**64, 1.5, "60", True, [60], float("nan")])
def test_validities_that_are_none(shared: Attacked, value: Any) -> None:
    """Whole seconds, at least one, in a bearable number."""
    key = Key()
    request = shared.ca.asked(key) | {"valid_seconds": value}
    proof = "" if isinstance(value, float) else key.proof(request)
    shared.do("invalid", ADA, "issue", request=request, proof=proof)


def test_a_validity_longer_than_the_rules(made: Attacked) -> None:
    """Is the rule's, and no more."""
    now = int(made.ca.clock.now)
    told = made.ca.issue(valid_seconds=365 * 86_400)
    assert (told["valid_after"], told["valid_before"]) == (now - 60, now + 3600)


COMMANDS: list[Any] = [
    "ls\nFAKE", "a\0", "a\x1b[2J", "a\x7f", "a\u2028b", "a\u202eb", "a" * 2049, "a" * 1_000_000, 1,
    [], {}, True,
]  # fmt: skip


@pytest.mark.parametrize("value", COMMANDS, ids=lambda value: ascii(value)[:20])
def test_commands_that_are_none(shared: Attacked, value: Any) -> None:
    """One line of text."""
    shared.issue("invalid", force_command=value)
    shared.issue("invalid", reason=value)


COMMANDED = ADMINISTRATORS + OWN_NAME + 'force_commands = ["git-shell *", ""]'


@pytest.mark.parametrize("value", [
    "git-shell x; sh", "git-shell `x`", "git-shell $(x)", "git-shell a | b", "git-shell a & b",
    "git-shell a > b", "git-shell \U0001f600", "sh -c 'git-shell x'", "git-shellx",
    "git-shell a\\b", " git-shell a", "GIT-SHELL a", "git-shell " + "a" * 1100,
])  # fmt: skip
def test_commands_that_are_more_than_a_rule_allows(tmp_path: Path, value: str) -> None:
    """A star stands for nothing that a shell acts on."""
    made = attacked(tmp_path, COMMANDED)
    made.issue("denied", force_command=value)


@pytest.mark.parametrize("value", [
    ["no-touch-required"], ["permit-port-forwarding"], ["verify-required"], ["force-command"],
    ["permit-pty", "permit-port-forwarding"], ["Permit-Pty"],
])  # fmt: skip
def test_extensions_that_no_rule_gives(shared: Attacked, value: list[str]) -> None:
    """Those of the rule, by their names; the rest by its own settings."""
    shared.issue("denied", extensions=value)


@pytest.mark.parametrize("value", [
    ["permit-pty", "permit-pty"], [""], ["a b"], ["a\n"], ["a\0"], "permit-pty", [1], {}, [["a"]],
    [f"e{each}" for each in range(33)], ["e" * 65], ["\u0430"],
], ids=lambda value: ascii(value)[:20])  # fmt: skip
def test_extensions_that_are_none(shared: Attacked, value: Any) -> None:
    """Names, each once."""
    shared.issue("invalid", extensions=value)
