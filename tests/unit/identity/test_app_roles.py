"""The roles of apps' functions: as declared, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynimo.identity import app_roles
from dynimo.identity.entities import FULL_RIGHTS
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.identity.policy import Kind, read
from dynimo.model.caller import Caller
from dynimo.model.errors import AccessDenied, ConfigError

SIGN = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Sign","Resource":"*"}]}'
)
NAME = app_roles.name("shop", "pay")


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[Keyring]:
    """An empty one."""
    made = Keyring(tmp_path)
    yield made
    made.close()


def test_a_declared_role_is_made_and_stays_the_same(keyring: Keyring) -> None:
    """Its id too, so that sessions do not end at a restart."""
    app_roles.settle(keyring, {NAME: SIGN})
    made = keyring.require("role", "apps/shop-pay")
    app_roles.settle(keyring, {NAME: SIGN})
    assert keyring.require("role", NAME) == made
    assert made.policies == {"app.toml": SIGN}


def test_only_the_manifest_says_what_it_may(keyring: Keyring) -> None:
    """What was attached by hand goes; what is not declared any more goes altogether."""
    app_roles.settle(keyring, {NAME: SIGN, app_roles.name("shop", "old"): SIGN})
    keyring.attach("role", NAME, "more", FULL_RIGHTS)
    keyring.attach("role", NAME, app_roles.POLICY, FULL_RIGHTS)
    keyring.add("role", "apps/by-hand", trust=SIGN_TRUST)
    app_roles.settle(keyring, {NAME: SIGN})
    assert {each.name for each in keyring.entities("role")} == {NAME, "apps/by-hand"}
    assert keyring.require("role", NAME).policies == {"app.toml": SIGN}


SIGN_TRUST = app_roles.TRUST.replace("Deny", "Allow")


def test_a_role_of_that_name_by_hand_is_not_taken_over(keyring: Keyring) -> None:
    """Its trust could let others be the function."""
    keyring.add("role", NAME, trust=SIGN_TRUST)
    with pytest.raises(ConfigError, match="was made by hand"):
        app_roles.settle(keyring, {NAME: SIGN})
    assert keyring.require("role", NAME).policies == {}


def test_a_policy_that_cannot_be_used_is_named_by_its_role(keyring: Keyring) -> None:
    """And the server does not start."""
    with pytest.raises(ConfigError, match=NAME):
        app_roles.settle(keyring, {NAME: SIGN.replace("kms:Sign", "kms Sign")})


def test_nobody_takes_one_on(keyring: Keyring) -> None:
    """Not even a user with every right."""
    app_roles.settle(keyring, {NAME: SIGN})
    user = keyring.add("user", "root")
    keyring.attach("user", "root", "all", FULL_RIGHTS)
    role = keyring.require("role", NAME)
    caller = Caller(
        arn=user.arn, account=user.account, user_id=user.id, signed=True, principal=user.arn
    )
    with pytest.raises(AccessDenied, match="explicit deny"):
        Gatekeeper(keyring).check(
            caller, "sts:AssumeRole", role.arn, {}, trust=read(role.trust, Kind.TRUST)
        )
