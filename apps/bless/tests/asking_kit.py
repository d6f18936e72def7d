"""Policies as TOML from plain values, and requests against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from asking.asked import Asked
from asking.deciding import Decision, Grant, decide
from asking.policy import read
from asking.who import OIDC, Who, caller
from sshca.public_key import PublicKey, parse

ED25519 = parse(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzZzQ2LX8Kk7Vd0f5yVqE0V7t5vY7t4aC9m1Hh1l5aT alice"
)
SK = PublicKey(
    parse("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIBzZzQ2LX8Kk7V"
          "d0f5yVqE0V7t5vY7t4aC9m1Hh1l5aTAAAABHNzaDo=").kind,
    b"",
)  # fmt: skip


def named(value: object) -> str:
    """A value as a part of a test's name, the same in every process: of a key its kind."""
    if isinstance(value, PublicKey):
        return value.kind.name
    if isinstance(value, Mapping):
        return " ".join(f"{name}={named(member)}" for name, member in value.items())
    return str(value)


def rsa_key(bits: int) -> PublicKey:
    """A new RSA key."""
    made = rsa.generate_private_key(65537, bits).public_key()
    line = made.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )  # fmt: skip
    return parse(line.decode())


RSA = rsa_key(2048)
ARN = "arn:aws:iam::000000000000:user/alice"
ALICE = caller(ARN, account="000000000000", address="192.0.2.7")
ROLE = caller(
    "arn:aws:sts::000000000000:assumed-role/bastion/root",
    principal="arn:aws:iam::000000000000:role/bastion",
)
ISSUERS = """
[oidc.there]
issuer = "https://issuer.example.org"
audience = "ssh"
[oidc.elsewhere]
issuer = "https://elsewhere.example.org"
audience = ["ssh", "cli"]
[kmsauth]
key_ids = ["alias/auth"]
service = "ssh"
"""
WHO: Mapping[str, Any] = {"callers": ["arn:aws:iam::*:user/*"]}
ALLOW: Mapping[str, Any] = {
    "principals": ["alice", "deploy"], "source_addresses": "any", "valid_seconds": 600,
    "extensions": ["permit-pty", "permit-user-rc"],
}  # fmt: skip
HOSTS: Mapping[str, Any] = {"principals": ["*.example.org"], "valid_seconds": 86_400}


def toml(value: object) -> str:
    """A value as TOML has it; what JSON has in its own way too."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(name)} = {toml(each)}" for name, each in value.items())
        return "{ " + ", ".join(members) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def rule(name: str = "rule", type_: str = "user", **tables: Mapping[str, Any]) -> str:
    """A rule; ``who`` and ``allow`` have usual values."""
    usual = {"who": WHO, "allow": ALLOW if type_ == "user" else HOSTS}
    lines = [f"{key} = {toml(table)}" for key, table in (usual | tables).items()]
    return "\n".join(["[[rules]]", f"name = {toml(name)}", f"type = {toml(type_)}", *lines, ""])


def allowing(**changed: Any) -> str:
    """A user's rule whose ``allow`` is changed; None takes a key away."""
    told = {name: value for name, value in (ALLOW | changed).items() if value is not None}
    return rule(allow=told)


def asked(**changed: Any) -> Asked:
    """A request of alice's for herself."""
    usual: dict[str, Any] = {
        "type": "user", "key": ED25519, "principals": ("alice",), "who": ALICE,
        "address": "192.0.2.7", "now": 1_800_000_000.0,
    }  # fmt: skip
    return Asked(**usual | changed)


def oidc(**changed: Any) -> Who:
    """What a token of `there` proves."""
    usual: dict[str, Any] = {
        "kind": OIDC, "name": "a-17", "issuer": "there", "email": "alice@example.org",
        "claims": {"hd": "example.org", "groups": ["eng", "ops"], "level": 3, "staff": True},
    }  # fmt: skip
    return Who(**usual | changed)


def decided(text: str, **changed: Any) -> Decision:
    """What a policy says of a request."""
    return decide(read(ISSUERS + text), asked(**changed))


def granted(text: str, **changed: Any) -> Grant:
    """The grant that there must be."""
    decision = decided(text, **changed)
    assert decision.grant is not None, decision.passed_over
    return decision.grant


def why_not(text: str, **changed: Any) -> str:
    """What a rule that does not allow says."""
    decision = decided(text, **changed)
    assert not decision.allowed
    assert decision.rule == ""
    return " | ".join(each.why for each in decision.passed_over)
