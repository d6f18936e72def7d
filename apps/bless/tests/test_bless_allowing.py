"""What a rule gives at most: addresses, commands, extensions, validity, keys; no more than that."""

from __future__ import annotations

from typing import Any

import pytest

from asking_kit import RSA, SK, allowing, granted, named, rsa_key, rule, why_not


@pytest.mark.parametrize(("rules", "wanted", "given"), [
    ("any", None, ()),
    ("any", ("10.0.0.0/8", "10.0.0.0/8", "2001:db8::1"), ("10.0.0.0/8", "2001:db8::1/128")),
    ("caller", None, ("192.0.2.7/32",)),
    ("caller", ("192.0.2.7",), ("192.0.2.7/32",)),
    (["10.0.0.0/8", "2001:db8::/32"], None, ("10.0.0.0/8", "2001:db8::/32")),
    (["10.0.0.0/8", "2001:db8::/32"], (), ("10.0.0.0/8", "2001:db8::/32")),
    (["10.0.0.0/8", "2001:db8::/32"], ("10.1.0.0/16", "2001:db8::5"),
     ("10.1.0.0/16", "2001:db8::5/128")),
], ids=str)  # fmt: skip
def test_source_addresses_are_within_the_rules(
    rules: Any, wanted: tuple[str, ...] | None, given: tuple[str, ...]
) -> None:
    """What is asked, else all that the rule has; the caller's own is pinned."""
    grant = granted(allowing(source_addresses=rules), source_addresses=wanted)
    assert grant.source_addresses == given


@pytest.mark.parametrize(("address", "pinned"), [
    ("::ffff:192.0.2.7", "192.0.2.7/32"), ("2001:db8::7", "2001:db8::7/128"), ("", ""),
    ("unix", ""), ("fe80::1%eth0", ""), ("192.0.2.7/24", ""), ("192.0.2.007", ""),
])  # fmt: skip
def test_the_callers_address_is_pinned_whole_or_not_at_all(address: str, pinned: str) -> None:
    """As sshd will see it; without one there is no certificate."""
    text = allowing(source_addresses="caller")
    if pinned:
        assert granted(text, address=address).source_addresses == (pinned,)
    else:
        assert "caller's address" in why_not(text, address=address)


@pytest.mark.parametrize("wanted", [
    ("0.0.0.0/0",), ("::/0",), ("0.0.0.0/1", "128.0.0.0/1"), ("10.0.0.0/255.0.0.0",),
    ("10.0.0.1/8",), ("fe80::1%eth0",), ("010.0.0.1",), ("::ffff:10.0.0.1",), ("",),
    ("10.0.0.1,10.0.0.2",), (" 10.0.0.1",), ("10.0.0.1", ""), ("!10.0.0.1",), ("*",),
    tuple(f"10.0.{n}.1" for n in range(33)),
], ids=str)  # fmt: skip
def test_an_address_that_sshd_reads_otherwise_is_refused(wanted: tuple[str, ...]) -> None:
    """Under every rule, also one for any address."""
    for rules in ("any", "caller", ["10.0.0.0/8", "192.0.2.0/24"]):
        text = allowing(source_addresses=rules)
        assert "source address" in why_not(text, source_addresses=wanted)


@pytest.mark.parametrize(("rules", "wanted"), [
    ("caller", "192.0.2.8"), ("caller", "192.0.2.0/24"), ("caller", "2001:db8::1"),
    (["2001:db8::/32"], "2001:db9::1"), (["2001:db8::/32"], "10.0.0.1"),
    (["10.0.0.0/8"], "11.0.0.0/8"), (["10.0.0.0/8"], "10.0.0.0/7"), (["10.0.0.0/8"], "2001:db8::1"),
], ids=str)  # fmt: skip
def test_no_address_outside_the_rules(rules: Any, wanted: str) -> None:
    """Wider, beside it, or of the other family."""
    text = allowing(source_addresses=rules)
    assert "not within" in why_not(text, source_addresses=(wanted,))


@pytest.mark.parametrize(("told_", "wanted", "given"), [
    ({}, None, ""), ({}, "", ""), ({}, "ls", None),
    ({"force_command": "ls *"}, None, "ls *"), ({"force_command": "ls *"}, "ls *", "ls *"),
    ({"force_command": "ls *"}, "ls a", None), ({"force_command": "ls"}, "ls\n", None),
    ({"force_commands": ["git-shell *", "id"]}, "git-shell -c 'git-upload-pack /a.git'",
     "git-shell -c 'git-upload-pack /a.git'"),
    ({"force_commands": ["git-shell *", "id"]}, "id", "id"),
    ({"force_commands": ["git-shell *", "id"]}, None, None),
    ({"force_commands": ["git-shell *", "id"]}, "id2", None),
    ({"force_commands": ["id", ""]}, None, ""),
    ({"force_commands": ["*"]}, "x" * 1025, None),
    ({"force_commands": ["*"]}, "x" * 1024, "x" * 1024),
    *(({"force_commands": ["git-shell *"]}, f"git-shell {bad}", None)
      for bad in ("a;b", "a&b", "a|b", "a`b`", "$(a)", "a>b", "a<b", "a\nb", "a\x00", "a\\b",
                  "a\tb", "~", "a*", "a?", "[a]", "{a}", "!a", "#a", "\u0430", "(a)", "a^b")),
], ids=lambda value: ascii(value)[:50])  # fmt: skip
def test_commands_are_fixed_or_of_a_pattern(
    told_: dict[str, Any], wanted: str | None, given: str | None
) -> None:
    """A star stands for nothing that a shell acts on; None is a refusal."""
    if given is None:
        assert "command" in why_not(allowing(**told_), force_command=wanted)
    else:
        assert granted(allowing(**told_), force_command=wanted).force_command == given


@pytest.mark.parametrize(("wanted", "given"), [
    (None, ("permit-pty", "permit-user-rc")), ((), ()), (("permit-pty",), ("permit-pty",)),
    (("permit-user-rc", "permit-pty"), ("permit-pty", "permit-user-rc")),
    (("permit-X11-forwarding",), None), (("no-touch-required",), None),
    (("verify-required",), None), (("permit-pty", "permit-pty"), None), (("",), None),
    (("Permit-pty",), None), (("permit-pty\n",), None), (("force-command",), None),
], ids=str)  # fmt: skip
def test_extensions_are_at_most_the_rules(
    wanted: tuple[str, ...] | None, given: tuple[str, ...] | None
) -> None:
    """In order, each once; None is a refusal."""
    if given is None:
        assert "extension" in why_not(rule(), extensions=wanted)
    else:
        assert granted(rule(), extensions=wanted).extensions == given


@pytest.mark.parametrize(("wanted", "given"), [
    (None, 600), (1, 1), (599, 599), (601, 600), (86_400, 600),
    (0, None), (-1, None), (2**64 - 1, None), (2**63, None), (True, None),
])  # fmt: skip
def test_validity_is_at_most_the_rules(wanted: int | None, given: int | None) -> None:
    """Asked for less is given less; what is no validity is refused (None)."""
    if given is None:
        assert "validity" in why_not(rule(), valid_seconds=wanted)
    else:
        assert granted(rule(), valid_seconds=wanted).valid_seconds == given


TOUCHED = {"key": SK, "hardware": True, "touched": True}


@pytest.mark.parametrize(("told_", "changed", "why"), [
    ({"keys": ["ssh-rsa"]}, {}, "kind ssh-ed25519 is none of ssh-rsa"),
    ({"rsa_bits": 3072}, {"key": RSA}, "at least 3072 bits"),
    ({"hardware": True}, {}, "hardware only"),
    ({"hardware": True}, {"hardware": True, "touched": True}, "hardware only"),
    ({}, {"key": SK, "touched": True}, "none of a security key"),
    ({}, TOUCHED | {"touched": False}, "not touched"),
    ({"hardware": True, "verify": True}, TOUCHED, "did not verify"),
], ids=named)  # fmt: skip
def test_a_key_that_the_rule_does_not_take(
    told_: dict[str, Any], changed: dict[str, Any], why: str
) -> None:
    """Kind, size, and what a security key's owner did."""
    assert why in why_not(allowing(**told_), **changed)


@pytest.mark.parametrize(("told_", "changed", "no_touch", "verify"), [
    ({}, {}, False, False),
    ({"rsa_bits": 2048}, {"key": RSA}, False, False),
    ({}, TOUCHED, False, False),
    ({"touch": False}, TOUCHED | {"touched": False}, True, False),
    ({"touch": False}, {}, False, False),
    ({"hardware": True, "verify": True}, TOUCHED | {"verified": True}, False, True),
], ids=named)  # fmt: skip
def test_touch_and_verification_are_the_rules_to_say(
    told_: dict[str, Any], changed: dict[str, Any], *, no_touch: bool, verify: bool
) -> None:
    """Only for security keys."""
    grant = granted(allowing(**told_), **changed)
    assert (grant.no_touch, grant.verify_required) == (no_touch, verify)


def test_rsa_of_the_rules_size_is_taken() -> None:
    """The bits are counted, not the bytes of the line."""
    assert granted(allowing(rsa_bits=3072), key=rsa_key(3072))


def test_what_is_just_within_the_limits_is_granted() -> None:
    """256 principals, 32 addresses."""
    names = tuple(f"u{number}" for number in range(256))
    addresses = tuple(f"10.0.{number}.1/32" for number in range(32))
    text = allowing(principals=list(names), source_addresses=["10.0.0.0/8"])
    grant = granted(text, principals=names, source_addresses=addresses)

    assert (grant.principals, grant.source_addresses) == (names, addresses)
