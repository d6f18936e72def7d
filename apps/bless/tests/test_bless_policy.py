"""The policy decides: what is asked is granted within one rule, or refused by all, in words."""

from __future__ import annotations

from asking.asked import Asked
from asking.deciding import decide
from asking.policy import read
from asking.who import caller
from sshca.public_key import parse

ALICE = caller("arn:aws:iam::000000000000:user/alice")
ED25519 = parse(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzZzQ2LX8Kk7Vd0f5yVqE0V7t5vY7t4aC9m1Hh1l5aT alice"
)
PLAIN = """
[[rules]]
name = "own name"
type = "user"
who = { callers = ["arn:aws:iam::*:user/*"] }
allow = { principals = ["{caller.name}"], source_addresses = "any", valid_seconds = 600 }
"""


def test_nothing_is_allowed_by_no_rule() -> None:
    """Deny by default."""
    asked = Asked(type="user", key=ED25519, principals=("alice",), who=ALICE)
    assert not decide(read(""), asked).allowed


def test_a_rule_gives_what_it_says() -> None:
    """The first rule that allows decides."""
    asked = Asked(type="user", key=ED25519, principals=("alice",), who=ALICE)
    decision = decide(read(PLAIN), asked)

    assert decision.rule == "own name"
    assert decision.grant is not None
    assert decision.grant.principals == ("alice",)
    assert decision.grant.valid_seconds == 600
