"""The policy as values: who must ask for what, and what they may have. No reading, no deciding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from asking.patterns import Pattern
from asking.who import Who

Network = IPv4Network | IPv6Network
ANY, CALLERS_OWN = "any", "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An OIDC issuer, and what its tokens must be. Times are seconds."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    keys: str = ""
    bound_to_key: bool = True
    algorithms: tuple[str, ...]
    leeway_seconds: int = 30
    age_seconds_max: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Kmsauth:
    """Which KMS keys a kmsauth token may be under, and whom it must be for."""

    key_ids: tuple[str, ...]
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who a rule is for: all that is not empty must hold."""

    callers: tuple[Pattern, ...] = ()
    functions: tuple[Pattern, ...] = ()
    oidc: str = ""
    email_domains: tuple[str, ...] = ()
    claims: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kmsauth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a rule gives at most.

    ``principals`` are templates; a host's may be patterns. ``source_addresses`` is ``any``,
    ``caller`` or networks. ``force_command`` is fixed; else ``commands`` is what must be asked for,
    of which the empty pattern is no command.
    """

    principals: tuple[str, ...]
    source_addresses: str | tuple[Network, ...]
    force_command: str
    commands: tuple[Pattern, ...]
    extensions: tuple[str, ...]
    valid_seconds: int
    backdate_seconds: int
    keys: tuple[str, ...]
    rsa_bits: int
    hardware: bool
    touch: bool
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """How many others must agree, who they may be, and within how many seconds."""

    needs: int
    approvers: tuple[Pattern, ...]
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; ``type`` is ``user`` or ``host``."""

    name: str
    type: str
    who: Wanted
    allow: Allowed
    approval: Approval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that the policy file says."""

    administrators: tuple[Pattern, ...] = ()
    auditors: tuple[Pattern, ...] = ()
    reserved: tuple[str, ...] = ()
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    kmsauth: Kmsauth | None = None
    rules: tuple[Rule, ...] = ()

    def administers(self, who: Who) -> bool:
        """Whether this signed caller is an administrator."""
        return matching(self.administrators, who)

    def audits(self, who: Who) -> bool:
        """Whether this signed caller may read the audit log."""
        return matching(self.auditors, who) or self.administers(who)


def matching(patterns: tuple[Pattern, ...], who: Who) -> bool:
    """Whether a caller's ARN, or that of the user or role behind it, is one of these."""
    arns = {who.arn, who.principal} - {""}
    return any(pattern.matches(arn) for pattern in patterns for arn in arns)
