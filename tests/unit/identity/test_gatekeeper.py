"""Who is it, and may they: keys, sessions, accounts, and a door that the first key closes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynimo.identity import signer
from dynimo.identity.config import Config
from dynimo.identity.entities import FULL_RIGHTS
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.identity.policy import Kind, read
from dynimo.identity.refusals import (
    ExpiredToken,
    InvalidSignature,
    MissingToken,
    UnrecognizedClient,
)
from dynimo.model.caller import ANYBODY, Caller
from dynimo.model.errors import AccessDenied
from dynimo.web.message import Headers, Request

INVOKE = "lambda:InvokeFunction"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
ELSEWHERE = "arn:aws:lambda:us-east-1:222222222222:function:f"
URL = "http://127.0.0.1:4566/2015-03-31/functions/f"


@dataclass
class House:
    """A gatekeeper with its keyring, a clock to turn, and policies of resources."""

    keyring: Keyring
    now: float = 1_700_000_000.0
    policies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gatekeeper = Gatekeeper(
            self.keyring,
            config=Config(),
            policy_of=lambda arn: (self.policies.get(arn, ""), arn),
            now=lambda: self.now,
        )

    def ask(
        self,
        key: str = "",
        secret: str = "",
        *,
        token: str = "",
        peer: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        host: str = "",
    ) -> Request:
        """A request, signed if there is a key."""
        given = dict(headers or {})
        if key:
            credentials = signer.Credentials(access_key=key, secret=secret, token=token)
            given |= signer.sign(
                "GET", URL, {}, b"", credentials=credentials, region="us-east-1", now=self.now
            )
        else:
            given["host"] = host or "127.0.0.1:4566"
        return Request(
            method="GET", path="/2015-03-31/functions/f", headers=Headers(given.items()), peer=peer
        )

    def who(self, *key: str, **given: Any) -> Caller:
        """The caller that a request is proved to be from."""
        return self.gatekeeper.authenticate(self.ask(*key, **given)).caller

    def user(self, name: str, *policies: str, account: str = "") -> tuple[str, str]:
        """A user with policies and a key."""
        self.keyring.add("user", name, account=account)
        for number, text in enumerate(policies):
            self.keyring.attach("user", name, f"p{number}", text, account)
        key, secret = self.keyring.add_key(name, account)
        return key.id, secret

    def may(
        self, caller: Caller, action: str = INVOKE, resource: str = FUNCTION, **context: list[str]
    ) -> str:
        """Empty if it may, else why not."""
        try:
            self.gatekeeper.authorize(caller, action, resource, context)
        except AccessDenied as refusal:
            return str(refusal)
        return ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    keyring = Keyring(tmp_path)
    yield House(keyring)
    keyring.close()


def _policy(effect: str, action: str = "*", resource: str = "*", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_without_any_key_this_machine_is_let_in(house: House) -> None:
    """Unsigned, or with a key of no meaning; twelve digits name an account."""
    assert house.who().arn == "arn:aws:iam::000000000000:root"
    assert house.who("test", "test").account == "000000000000"
    assert house.who("111122223333", "x").arn == "arn:aws:iam::111122223333:root"
    assert house.who("test", "test", token="testing").account == "000000000000"
    assert house.may(house.who()) == ""


@pytest.mark.parametrize(
    "given",
    [
        {"peer": "192.0.2.7"},
        {"peer": ""},
        {"headers": {"x-forwarded-for": "192.0.2.7"}},
        {"headers": {"origin": "http://evil.example"}},
        {"headers": {"sec-fetch-site": "cross-site"}},
        {"host": "evil.example"},
        {"host": "localhost.evil.example:4566"},
    ],
)
def test_without_any_key_nobody_else_is_let_in(house: House, given: dict[str, Any]) -> None:
    """Not from another machine, not through a proxy, not from a web page."""
    with pytest.raises(MissingToken):
        house.who(**given)


def test_the_first_key_closes_the_door(house: House) -> None:
    """At once, and also for what was let in a moment ago."""
    before = house.who()
    house.keyring.development()

    with pytest.raises(MissingToken):
        house.who()
    with pytest.raises(UnrecognizedClient):
        house.who("test", "test")
    with pytest.raises(UnrecognizedClient):
        house.who("111122223333", "test", token="testing")
    assert "is not authorized" in house.may(before)


def test_the_development_key_may_do_everything(house: House) -> None:
    """And its wrong secret nothing, on this machine too."""
    key, secret = house.keyring.development()
    caller = house.who(key, secret)

    assert caller.arn == "arn:aws:iam::000000000000:user/development"
    assert caller.signed
    assert house.may(caller) == ""
    with pytest.raises(InvalidSignature):
        house.who(key, secret[:-1] + "!")


def test_twelve_digits_name_an_account_and_the_development_secret_proves_it(house: House) -> None:
    """For whoever works with several accounts."""
    _, secret = house.keyring.development()
    caller = house.who("222222222222", secret)

    assert caller.arn == "arn:aws:iam::222222222222:user/development"
    assert house.may(caller, resource=ELSEWHERE) == ""
    assert "no resource-based policy" in house.may(caller, resource=FUNCTION)
    with pytest.raises(InvalidSignature):
        house.who("222222222222", "another")


def test_unknown_disabled_and_removed_keys(house: House) -> None:
    """All three in the same words: nobody learns which keys there are."""
    key, secret = house.user("ada", FULL_RIGHTS)
    house.keyring.development()
    assert house.who(key, secret).arn.endswith(":user/ada")

    for wrong in ("AKIAUNKNOWN", key):
        house.keyring.set_active(key, active=False)
        with pytest.raises(UnrecognizedClient, match="The security token included in the request"):
            house.who(wrong, secret)
    house.keyring.set_active(key, active=True)
    house.who(key, secret)
    house.keyring.remove_key(key)
    with pytest.raises(UnrecognizedClient):
        house.who(key, secret)


def test_nothing_said_is_no_and_a_deny_wins(house: House) -> None:
    """In AWS's words."""
    ada = house.who(*house.user("ada"))
    bob = house.who(*house.user("bob", FULL_RIGHTS, _policy("Deny", "lambda:Delete*")))

    assert house.may(ada) == (
        "User: arn:aws:iam::000000000000:user/ada is not authorized to perform:"
        f" lambda:InvokeFunction on resource: {FUNCTION} because no identity-based policy allows"
        " the lambda:InvokeFunction action"
    )
    assert house.may(bob) == ""
    assert house.may(bob, "lambda:DeleteFunction").endswith(
        "with an explicit deny in an identity-based policy"
    )


def test_who_one_is_may_always_be_asked(house: House) -> None:
    """Even where everything is denied."""
    ada = house.who(*house.user("ada", _policy("Deny")))
    assert house.may(ada, "sts:GetCallerIdentity", "*") == ""


def test_a_functions_policy_lets_its_own_account_in(house: House) -> None:
    """By name it is enough; by account the user's own policy must say so too."""
    ada = house.who(*house.user("ada"))
    house.policies[FUNCTION] = _policy("Allow", INVOKE, FUNCTION, Principal={"AWS": ada.arn})
    assert house.may(ada) == ""

    root = {"AWS": "arn:aws:iam::000000000000:root"}
    house.policies[FUNCTION] = _policy("Allow", INVOKE, FUNCTION, Principal=root)
    assert "no identity-based policy" in house.may(ada)
    house.policies[FUNCTION] = _policy("Deny", INVOKE, FUNCTION, Principal="*")
    house.keyring.attach("user", "ada", "all", FULL_RIGHTS)
    assert house.may(ada).endswith("explicit deny in a resource-based policy")


def test_another_account_needs_both_sides(house: House) -> None:
    """The function's policy, and the caller's own."""
    eve = house.who(*house.user("eve", FULL_RIGHTS, account="333333333333"))
    poor = house.who(*house.user("poor", account="333333333333"))
    assert "no resource-based policy" in house.may(eve)

    for principal in (eve.arn, "333333333333", "*"):
        house.policies[FUNCTION] = _policy("Allow", INVOKE, FUNCTION, Principal={"AWS": principal})
        assert house.may(eve) == ""
        assert "no identity-based policy" in house.may(poor) or principal == eve.arn
        assert house.may(poor)
    assert "no resource-based policy" in house.may(eve, "lambda:DeleteFunction")


def test_conditions_see_the_request(house: House) -> None:
    """Where it comes from, who asks and when; and it cannot say those of itself."""
    condition = {
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
        "StringEquals": {"aws:username": "ada"},
        "DateLessThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"},
    }
    ada = house.who(*house.user("ada", _policy("Allow", Condition=condition)))
    here, there = {"aws:SourceIp": ["127.0.0.1"]}, {"aws:SourceIp": ["192.0.2.1"]}

    assert house.may(ada, **here) == ""
    assert house.may(ada, **there)
    assert house.may(ada)
    bob = house.who(*house.user("bob", _policy("Allow", Condition=condition)))
    assert house.may(bob, **here, **{"aws:username": ["ada"]})
    house.now += 365 * 86_400
    assert house.may(ada, **here)


def test_what_was_allowed_ends_with_the_policy_that_allowed_it(house: House) -> None:
    """Asked again and again; then its own policy goes, the function's goes, or a deny comes."""
    ada = house.who(*house.user("ada", _policy("Allow", INVOKE)))
    bob = house.who(*house.user("bob"))
    house.policies[FUNCTION] = _policy("Allow", INVOKE, FUNCTION, Principal={"AWS": bob.arn})
    assert [house.may(who) for who in (ada, bob, ada, bob)] == [""] * 4

    del house.policies[FUNCTION]
    assert (house.may(ada), bool(house.may(bob))) == ("", True)
    house.policies[FUNCTION] = _policy("Deny", INVOKE, FUNCTION, Principal="*")
    assert house.may(ada)
    del house.policies[FUNCTION]
    assert house.may(ada) == ""
    house.keyring.detach("user", "ada", "p0")
    assert "no identity-based policy" in house.may(ada)


def test_a_condition_is_asked_every_time(house: House) -> None:
    """In the function's policy too."""
    ada = house.who(*house.user("ada"))
    condition = {"StringEquals": {"aws:SourceIp": "127.0.0.1"}}
    house.policies[FUNCTION] = _policy(
        "Allow", INVOKE, FUNCTION, Principal={"AWS": ada.arn}, Condition=condition
    )

    assert house.may(ada, **{"aws:SourceIp": ["127.0.0.1"]}) == ""
    assert house.may(ada, **{"aws:SourceIp": ["192.0.2.1"]})


def test_anybody_needs_a_policy_for_everybody(house: House) -> None:
    """As behind a function's address without authentication."""
    url = "lambda:InvokeFunctionUrl"
    none = {"lambda:FunctionUrlAuthType": ["NONE"]}
    house.keyring.development()
    assert "no resource-based policy" in house.may(ANYBODY, url, FUNCTION, **none)

    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    house.policies[FUNCTION] = _policy("Allow", url, FUNCTION, Principal="*", Condition=condition)
    assert house.may(ANYBODY, url, FUNCTION, **none) == ""
    assert house.may(ANYBODY, url, FUNCTION, **{"lambda:FunctionUrlAuthType": ["AWS_IAM"]})
    account = {"AWS": "arn:aws:iam::000000000000:root"}
    house.policies[FUNCTION] = _policy("Allow", url, FUNCTION, Principal=account)
    assert house.may(ANYBODY, url, FUNCTION, **none)


def test_a_service_needs_the_functions_policy(house: House) -> None:
    """With the source that the policy names."""
    arn = {"aws:SourceArn": ["arn:aws:events:us-east-1:000000000000:rule/r"]}
    house.policies[FUNCTION] = _policy(
        "Allow",
        INVOKE,
        FUNCTION,
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnLike": {"AWS:SourceArn": arn["aws:SourceArn"][0]}},
    )

    house.gatekeeper.authorize_service("events.amazonaws.com", INVOKE, FUNCTION, arn)
    for service, context in (("s3.amazonaws.com", arn), ("events.amazonaws.com", {})):
        with pytest.raises(AccessDenied):
            house.gatekeeper.authorize_service(service, INVOKE, FUNCTION, context)


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
)


def test_a_roles_session_has_the_roles_rights(house: House) -> None:
    """Narrowed by its own policy, until it ends or the role goes."""
    role = house.keyring.add("role", "path/r", trust=TRUST)
    house.keyring.attach("role", "path/r", "p", _policy("Allow", "lambda:*"))
    whole, token = house.gatekeeper.sessions.of_role(role, "s", 900)
    narrow, narrowed = house.gatekeeper.sessions.of_role(
        role, "s", 900, policy=_policy("Allow", "lambda:Get*")
    )
    caller = house.who(whole.access_key, whole.secret, token=token)
    other = house.who(narrow.access_key, narrow.secret, token=narrowed)

    assert caller.arn == "arn:aws:sts::000000000000:assumed-role/r/s"
    assert caller.user_id == f"{role.id}:s"
    assert house.may(caller) == ""
    assert house.may(caller, "s3:GetObject", "*")
    assert "no session policy" in house.may(other)
    assert house.may(other, "lambda:GetFunction") == ""
    house.policies[FUNCTION] = _policy("Allow", "s3:x", "*", Principal={"AWS": role.arn})
    assert house.may(caller, "s3:x") == ""

    house.now += 901
    with pytest.raises(ExpiredToken):
        house.who(whole.access_key, whole.secret, token=token)
    house.now -= 901
    house.keyring.remove("role", "path/r")
    house.keyring.add("role", "path/r", trust=TRUST)
    with pytest.raises(UnrecognizedClient):
        house.who(whole.access_key, whole.secret, token=token)


def test_a_session_is_its_key_its_secret_and_its_token(house: House, tmp_path: Path) -> None:
    """None of the three can be exchanged."""
    user_key, user_secret = house.user("ada", FULL_RIGHTS)
    user = house.keyring.require("user", "ada")
    first, token = house.gatekeeper.sessions.of_user(user, 900)
    second, other = house.gatekeeper.sessions.of_user(user, 900)
    (tmp_path / "other").mkdir()
    foreign_ring = Keyring(tmp_path / "other")
    _, foreign = Gatekeeper(foreign_ring).sessions.of_user(user, 900)
    foreign_ring.close()

    assert house.who(first.access_key, first.secret, token=token).arn == user.arn
    for key, secret, given in (
        (first.access_key, first.secret, other),
        (first.access_key, first.secret, foreign),
        (first.access_key, first.secret, token[:-8] + "AAAAAAA="),
        (first.access_key, first.secret, "not base64!"),
        (first.access_key, first.secret, ""),
        (user_key, user_secret, token),
    ):
        with pytest.raises(UnrecognizedClient):
            house.who(key, secret, token=given)
    with pytest.raises(InvalidSignature):
        house.who(first.access_key, second.secret, token=token)


def test_an_environments_credentials_are_its_roles(house: House) -> None:
    """Without such a role they say who they are, and do nothing."""
    arn = "arn:aws:iam::000000000000:role/worker"
    house.keyring.development()
    key, secret, token = house.gatekeeper.sessions.issue(arn, FUNCTION)
    caller = house.who(key, secret, token=token)

    assert key.startswith("ASIA")
    assert caller.arn == "arn:aws:sts::000000000000:assumed-role/worker/f"
    assert house.may(caller, "sts:GetCallerIdentity", "*") == ""
    assert "dynimo access role add" in house.may(caller)
    house.policies[FUNCTION] = _policy("Allow", INVOKE, FUNCTION, Principal="*")
    assert house.may(caller)

    house.keyring.add("role", "worker", trust=TRUST)
    source = {"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION}}
    house.keyring.attach("role", "worker", "p", _policy("Allow", INVOKE, Condition=source))
    assert house.may(caller) == ""
    assert house.may(caller, "lambda:DeleteFunction")


@pytest.mark.parametrize(
    ("principal", "own", "allowed"),
    [
        ("ada", False, True),
        ("root", False, False),
        ("root", True, True),
        ("bob", True, False),
        ("*", False, True),
    ],
)
def test_a_role_is_taken_on_if_its_trust_says_so(
    house: House, principal: str, *, own: bool, allowed: bool
) -> None:
    """By name alone; by account together with the caller's policy; never by that alone."""
    ada = house.who(*house.user("ada", *([FULL_RIGHTS] if own else [])))
    who = {
        "ada": ada.arn,
        "bob": "arn:aws:iam::000000000000:user/bob",
        "root": "arn:aws:iam::000000000000:root",
        "*": "*",
    }[principal]
    statement = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = "arn:aws:iam::000000000000:role/r"

    def take() -> None:
        house.gatekeeper.check(ada, "sts:AssumeRole", role, {}, trust=read(text, Kind.TRUST))

    if allowed:
        take()
    else:
        with pytest.raises(AccessDenied):
            take()


def test_a_policy_that_cannot_be_read_any_more_denies(house: House) -> None:
    """Somebody changed the file by hand: closed, not open."""
    ada = house.who(*house.user("ada", FULL_RIGHTS))
    assert house.may(ada) == ""
    house.policies[FUNCTION] = "{"
    assert house.may(ada).endswith("explicit deny in a resource-based policy")
