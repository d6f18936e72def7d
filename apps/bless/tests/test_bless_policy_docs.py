"""The worked policies of the reference do what the words beside them say."""

from __future__ import annotations

from pathlib import Path

from asking.asked import Asked
from asking.deciding import Decision, decide
from asking.policy import Policy, read
from asking.rules import Issuer
from asking.who import caller, kmsauth
from asking_kit import SK, asked, oidc

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "ssh-policy.md"
BLOCKS = [each.partition("```")[0] for each in PAGE.read_text().split("```toml\n")[1:]]
TEAM, BASTION, HOSTS = (read(text) for text in BLOCKS)
ALICE = oidc(issuer="company", claims={"groups": ["ops"]})


def _ask(policy: Policy, **changed: object) -> Decision:
    request: Asked = asked(**changed)
    return decide(policy, request)


def test_a_team_logs_in_with_its_tokens() -> None:
    """Their own name, pinned; root with a verified security key and two others."""
    own = _ask(TEAM, tokens=(ALICE,)).grant
    assert own is not None
    assert (own.source_addresses, own.valid_seconds) == (("192.0.2.7/32",), 3600)

    root = {"principals": ("root",), "tokens": (ALICE,), "key": SK, "hardware": True,
            "touched": True}  # fmt: skip
    assert not _ask(TEAM, **root).allowed
    decision = _ask(TEAM, **root, verified=True)
    assert decision.rule == "root by agreement"
    assert decision.grant is not None
    assert (decision.grant.needs, decision.grant.verify_required) == (2, True)


def test_a_bastion_asks_for_its_users() -> None:
    """Its role, their token; backups have their command."""
    role = caller(
        "arn:aws:sts::000000000000:assumed-role/bastion/b-1",
        principal="arn:aws:iam::000000000000:role/bastion",
    )
    grant = _ask(BASTION, who=role, tokens=(kmsauth("alice"),)).grant
    assert grant is not None
    assert (grant.principals, grant.valid_seconds) == (("alice",), 240)
    assert not _ask(BASTION, who=role, tokens=(kmsauth("bob"),)).allowed
    assert not _ask(BASTION, tokens=(kmsauth("alice"),)).allowed

    backup = caller("arn:aws:iam::000000000000:user/backup")
    asks = {"who": backup, "principals": ("backup",)}
    assert _ask(BASTION, **asks, force_command="rsync --server -logDtpre.iLsfxC . /srv").allowed
    assert not _ask(BASTION, **asks).allowed
    assert not _ask(BASTION, **asks, force_command="rsync --server . ; sh").allowed


def test_hosts_get_their_names() -> None:
    """By who sets them up, or by a token of their own."""
    role = caller(
        "arn:aws:sts::000000000000:assumed-role/provisioner/p",
        principal="arn:aws:iam::000000000000:role/provisioner",
    )
    names = ("a.web.example.org", "10.1.2.3")
    assert _ask(HOSTS, type="host", who=role, principals=names).allowed
    assert not _ask(HOSTS, type="host", who=role, principals=("a.db.example.org",)).allowed

    machine = oidc(issuer="machines", claims={"kind": "server", "hostname": "a.db.example.org"})
    assert _ask(HOSTS, type="host", tokens=(machine,), principals=("a.db.example.org",)).allowed
    assert not _ask(HOSTS, type="host", tokens=(machine,), principals=("b.db.example.org",)).allowed


def test_every_key_is_on_the_page() -> None:
    """What may be written is in a table."""
    page = PAGE.read_text()
    names = {*Issuer.__dataclass_fields__} - {"name"}
    names |= {"callers", "functions", "oidc", "email_domains", "claims", "kmsauth"}
    names |= {"principals", "valid_seconds", "backdate_seconds", "source_addresses",
              "force_command",
              "force_commands", "extensions", "keys", "rsa_bits", "hardware", "touch", "verify",
              "needs", "approvers", "seconds", "key_ids", "service", "administrators", "auditors",
              "reserved"}  # fmt: skip
    assert {name for name in names if f"| `{name}` |" not in page} == set()
