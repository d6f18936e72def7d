"""Users, roles and access keys as values, and the forms of their names. Pure."""

from __future__ import annotations

import logging
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from dynimo.identity.policy import Access, Kind, Policy, Says, read, strongest
from dynimo.identity.refusals import IdentityError, MalformedPolicy

log = logging.getLogger("dynimo.identity")

DEVELOPMENT = "development"
"""The user of the development key."""
FULL_RIGHTS = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
)
_USER = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ROLE = re.compile(r"([\w+=,.@-]{1,64}/){0,8}[\w+=,.@-]{1,64}", re.ASCII)
_POLICY = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PREFIXES = {"user": "AIDA", "role": "AROA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An access key without its secret. ``created`` is ISO 8601 in UTC."""

    id: str
    account: str
    user: str
    active: bool
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A user or a role (``kind``) with its policies, as JSON by name. Only roles have ``trust``."""

    kind: str
    account: str
    name: str
    id: str
    created: str
    trust: str = ""
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:{self.kind}/{self.name}"

    def says(self, access: Access) -> Says:
        """What its own policies say; one that cannot be read any more denies everything."""
        try:
            read_ones = [read(text, Kind.IDENTITY) for text in self.policies.values()]
        except MalformedPolicy as error:
            log.warning("a policy of %s cannot be read: %s", self.arn, error)
            return Says.DENIED
        return strongest(each.says(access) for each in read_ones)

    @property
    def plain(self) -> bool:
        """Whether its policies can be read and have no condition and no variable."""
        try:
            return all(read(text, Kind.IDENTITY).plain for text in self.policies.values())
        except MalformedPolicy:
            return False

    def trusts(self) -> Policy:
        """Who may take this role on. Raises MalformedPolicy."""
        return read(self.trust, Kind.TRUST)


def fresh_id(prefix: str) -> str:
    """An id as AWS makes them: four letters that tell its kind, and sixteen by chance."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def fresh_secret() -> str:
    """A new secret: 40 characters, of which no shell and no command line makes anything else."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


def entity_id(kind: str) -> str:
    """A new id for a user or a role."""
    return fresh_id(_PREFIXES[kind])


def check_name(kind: str, name: str) -> None:
    """Refuse what is no name of a user, role or policy. Raises IdentityError."""
    patterns = {"user": _USER, "role": _ROLE, "policy": _POLICY}
    if not patterns[kind].fullmatch(name):
        raise IdentityError(f"{name!r} is no name of a {kind}: letters, digits and + = , . @ _ -.")


def check_account(account: str) -> None:
    """Refuse what is no account. Raises IdentityError."""
    if not re.fullmatch(r"[0-9]{12}", account):
        raise IdentityError(f"{account!r} is no account: it has 12 digits.")


def role_of(arn: str) -> tuple[str, str] | None:
    """(account, name) of a role's ARN, or None if it is none."""
    match = re.fullmatch(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/(.+)", arn)
    return (match[1], match[2]) if match is not None else None
