"""The roles of apps' functions in the keyring: those that their manifests declare, and no others.

Nobody can take one on: the platform alone makes sessions of them. What they may do is said by
whoever calls ``settle``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from dynimo.identity.entities import Entity
from dynimo.identity.keyring import Keyring
from dynimo.identity.refusals import IdentityError, MalformedPolicy
from dynimo.model.errors import ConfigError

log = logging.getLogger("dynimo.identity")

PREFIX = "apps/"
POLICY = "app.toml"
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"FunctionOfAnApp","Effect":"Deny",'
    '"Principal":"*","Action":"sts:AssumeRole"}]}'
)
"""It is also how one of these is known."""


def name(app: str, function: str) -> str:
    """What the role of an app's function is called."""
    return f"{PREFIX}{app}-{function}"


def is_one(arn: str) -> bool:
    """Whether this is the ARN of such a role: no function made through the API may have it."""
    return f":role/{PREFIX}" in arn


def settle(keyring: Keyring, wanted: Mapping[str, str]) -> None:
    """Let there be the roles in ``wanted`` (name → policy) with this policy alone.

    Raises:
        ConfigError: one was made by somebody else, or its policy cannot be used.
    """
    for role in keyring.entities("role"):
        if role.name.startswith(PREFIX) and role.trust == TRUST and role.name not in wanted:
            keyring.remove("role", role.name)
            log.info("the role %s is removed: no app declares it any more", role.name)
    for each, policy in wanted.items():
        try:
            _settle(keyring, each, policy)
        except (IdentityError, MalformedPolicy) as error:
            raise ConfigError(f"The role {each}, which app.toml asks for: {error}") from error


def _settle(keyring: Keyring, role: str, policy: str) -> None:
    found: Entity | None = keyring.entity("role", role)
    if found is None:
        found = keyring.add("role", role, trust=TRUST)
    elif found.trust != TRUST:
        raise ConfigError(
            f"The role {role} was made by hand, but an app needs it: remove it"
            f" (`dynimo access role remove {role}`) or rename the app."
        )
    for other in found.policies.keys() - {POLICY}:
        keyring.detach("role", role, other)
        log.warning("the policy %s of the role %s is removed: only app.toml says", other, role)
    if found.policies.get(POLICY) != policy:
        keyring.attach("role", role, POLICY, policy)
