"""What policies say: the rules of AWS's evaluation, and refusing whatever cannot be read."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.identity import patterns
from dynimo.identity.entities import FULL_RIGHTS
from dynimo.identity.policy import Access, Kind, Principal, Says, read
from dynimo.identity.refusals import MalformedPolicy

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
ADA = "arn:aws:iam::000000000000:user/ada"


def _policy(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def _identity(
    action: str = "lambda:InvokeFunction",
    resource: str = FUNCTION,
    context: dict[str, list[str]] | None = None,
    **statement: Any,
) -> Says:
    made = {"Effect": "Allow", **statement}
    if "NotAction" not in made:
        made.setdefault("Action", "*")
    if "NotResource" not in made:
        made.setdefault("Resource", "*")
    access = Access(action=action, resource=resource, context=context or {})
    return read(_policy(made), Kind.IDENTITY).says(access)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Action": "lambda:InvokeFunction"}, True),
        ({"Action": "LAMBDA:invokefunction"}, True),
        ({"Action": "lambda:Invoke*"}, True),
        ({"Action": "lambda:?nvokeFunction"}, True),
        ({"Action": ["s3:*", "lambda:*"]}, True),
        ({"Action": "lambda:InvokeFunctionUrl"}, False),
        ({"Action": "lambda:Get*"}, False),
        ({"NotAction": "lambda:Get*"}, True),
        ({"NotAction": "lambda:*"}, False),
        ({"Resource": FUNCTION}, True),
        ({"Resource": FUNCTION + ":*"}, False),
        ({"Resource": "arn:aws:lambda:*:*:function:*"}, True),
        ({"Resource": "arn:aws:lambda:us-east-1:000000000000:*"}, True),
        ({"Resource": "arn:aws:lambda:*:function:*:x"}, False),
        ({"Resource": FUNCTION.replace("function", "Function")}, False),
        ({"NotResource": FUNCTION}, False),
        ({"NotResource": "arn:aws:s3:::*"}, True),
        ({"Resource": "arn:aws:lambda:us-east-1:${aws:PrincipalAccount}:function:f"}, True),
        ({"Resource": "arn:aws:lambda:us-east-1:${no:such}:function:f"}, False),
        ({"NotResource": "arn:aws:lambda:us-east-1:${no:such}:function:f"}, False),
        ({"Resource": "arn:aws:lambda:us-east-1:*:function:${no:such, 'f'}"}, True),
        ({"Resource": "arn:aws:lambda:us-east-1:*:function:${x:star}"}, False),
    ],
)
def test_actions_and_resources(statement: dict[str, Any], *, allowed: bool) -> None:
    """Actions ignore case; resources do not, and no star reaches over a colon of an ARN."""
    context = {"aws:principalaccount": ["000000000000"], "x:star": ["*"]}
    wanted = Says.ALLOWED if allowed else Says.NOTHING
    assert _identity(context=context, **statement) is wanted


def test_a_deny_wins_wherever_it_stands() -> None:
    """Over any number of allows, before and behind."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "lambda:*", "Resource": FUNCTION}
    for order in ((allow, deny), (deny, allow)):
        policy = read(_policy(*order), Kind.IDENTITY)
        assert policy.says(Access(action="lambda:InvokeFunction", resource=FUNCTION)) is Says.DENIED
        assert policy.says(Access(action="s3:GetObject", resource="*")) is Says.ALLOWED


def test_what_cannot_be_told_denies() -> None:
    """A deny with a variable that has no value, or a value of another kind, applies."""
    unknown = "arn:aws:lambda:us-east-1:${no:such}:function:f"
    assert _identity(Effect="Deny", Resource=unknown) is Says.DENIED
    condition = {"NumericLessThan": {"x:n": "5"}}
    for given_value, effect, said in (
        ("no number", "Allow", Says.NOTHING),
        ("no number", "Deny", Says.DENIED),
        ("4", "Allow", Says.ALLOWED),
        ("5", "Deny", Says.NOTHING),
    ):
        context = {"x:n": [given_value]}
        assert _identity(context=context, Effect=effect, Condition=condition) is said


CONTEXT = {
    "aws:sourceip": ["10.1.2.3"],
    "aws:sourcearn": ["arn:aws:s3:::bucket"],
    "aws:currenttime": ["2026-06-01T12:00:00Z"],
    "aws:epochtime": ["1780315200"],
    "aws:securetransport": ["false"],
    "lambda:functionurlauthtype": ["AWS_IAM"],
    "aws:tagkeys": ["a", "b"],
    "aws:username": ["ada"],
    "x:n": ["4"],
}


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds"),
    [
        ("StringEquals", "lambda:FunctionUrlAuthType", "AWS_IAM", True),
        ("StringEquals", "LAMBDA:functionurlauthtype", ["NONE", "AWS_IAM"], True),
        ("StringEquals", "lambda:FunctionUrlAuthType", "aws_iam", False),
        ("StringEqualsIgnoreCase", "lambda:FunctionUrlAuthType", "aws_iam", True),
        ("StringNotEquals", "lambda:FunctionUrlAuthType", "NONE", True),
        ("StringNotEquals", "lambda:FunctionUrlAuthType", ["NONE", "AWS_IAM"], False),
        ("StringEquals", "no:such", "a", False),
        ("StringNotEquals", "no:such", "a", True),
        ("StringEqualsIfExists", "no:such", "a", True),
        ("StringLike", "lambda:FunctionUrlAuthType", "AWS_*", True),
        ("StringNotLike", "lambda:FunctionUrlAuthType", "AWS_*", False),
        ("StringEquals", "aws:username", "${aws:username}", True),
        ("ArnLike", "AWS:SourceArn", "arn:aws:s3:::buck*", True),
        ("ArnLike", "AWS:SourceArn", "arn:*:s3:::*", True),
        ("ArnEquals", "AWS:SourceArn", "arn:aws:s3:::bucket", True),
        ("ArnNotLike", "AWS:SourceArn", "arn:aws:s3:::other", True),
        ("ArnLike", "AWS:SourceArn", "arn:aws:sns:us-east-1:0:bucket", False),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", True),
        ("IpAddress", "aws:SourceIp", ["192.168.0.0/16", "10.1.2.3"], True),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", False),
        ("IpAddress", "aws:SourceIp", "::/0", False),
        ("Bool", "aws:SecureTransport", False, True),
        ("Bool", "aws:SecureTransport", "true", False),
        ("Null", "no:such", "true", True),
        ("Null", "aws:username", True, False),
        ("Null", "aws:username", "false", True),
        ("DateLessThan", "aws:CurrentTime", "2026-06-02", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-06-01T12:00:00Z", False),
        ("DateGreaterThanEquals", "aws:CurrentTime", "2026-06-01T12:00:00Z", True),
        ("DateLessThan", "aws:EpochTime", 1780315201, True),
        ("DateNotEquals", "aws:CurrentTime", "2026-06-01T12:00:00Z", False),
        ("NumericLessThanEquals", "x:n", 4, True),
        ("NumericGreaterThan", "x:n", "4", False),
        ("BinaryEquals", "aws:username", "ada", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["b", "c"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], False),
        ("ForAllValues:StringEquals", "no:such", ["a"], True),
        ("ForAnyValue:StringEquals", "no:such", ["a"], False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["a"], False),
        ("ForAllValues:StringLike", "aws:TagKeys", "?", True),
    ],
)
def test_conditions(operator: str, key: str, value: Any, *, holds: bool) -> None:
    """Every operator, with one value and many, with a key and without it."""
    said = _identity(context=CONTEXT, Condition={operator: {key: value}})
    assert said is (Says.ALLOWED if holds else Says.NOTHING)


def test_every_condition_must_hold() -> None:
    """Operators and keys are joined by and, values by or."""
    one = {"StringEquals": {"aws:username": "ada", "x:n": "5"}}
    assert _identity(context=CONTEXT, Condition=one) is Says.NOTHING
    one["StringEquals"]["x:n"] = "4"
    assert _identity(context=CONTEXT, Condition=one) is Says.ALLOWED


@pytest.mark.parametrize(
    ("principal", "said"),
    [
        ("*", Says.ALLOWED),
        ({"AWS": "*"}, Says.ALLOWED),
        ({"AWS": ADA}, Says.ALLOWED),
        ({"AWS": ["arn:aws:iam::000000000000:user/bob", ADA]}, Says.ALLOWED),
        ({"AWS": "000000000000"}, Says.DELEGATED),
        ({"AWS": "arn:aws:iam::000000000000:root"}, Says.DELEGATED),
        ({"AWS": "arn:aws:iam::111111111111:root"}, Says.NOTHING),
        ({"AWS": "arn:aws:iam::000000000000:user/bob"}, Says.NOTHING),
        ({"Service": "events.amazonaws.com"}, Says.NOTHING),
        ({"Federated": "cognito"}, Says.NOTHING),
    ],
)
def test_principals(principal: Any, said: Says) -> None:
    """By ARN it is this one; by account it is whom the account lets."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}
    access = Access(
        action="lambda:InvokeFunction",
        resource=FUNCTION,
        principal=Principal(arns=frozenset({ADA}), account="000000000000"),
    )
    assert read(_policy(statement), Kind.RESOURCE).says(access) is said


def test_not_principal_denies_all_but_those() -> None:
    """Only who is named is spared; an account's name spares nobody in it."""
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": [ADA]}, "Action": "*", "Resource": "*"}
    policy = read(_policy(statement), Kind.RESOURCE)
    bob = "arn:aws:iam::000000000000:user/bob"
    for arn, said in ((ADA, Says.NOTHING), (bob, Says.DENIED)):
        principal = Principal(arns=frozenset({arn}), account="000000000000")
        access = Access(action="lambda:X", resource=FUNCTION, principal=principal)
        assert policy.says(access) is said


def test_a_service_is_one_by_its_name() -> None:
    """A user's ARN does not make a service, nor a service a user."""
    statement = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "*",
        "Resource": "*",
    }  # fmt: skip
    policy = read(_policy(statement), Kind.RESOURCE)
    for service, said in (("s3.amazonaws.com", Says.ALLOWED), ("sns.amazonaws.com", Says.NOTHING)):
        access = Access(action="lambda:X", resource="*", principal=Principal(service=service))
        assert policy.says(access) is said


GOOD = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({"Version": "2012-10-17"}),
        json.dumps({"Version": "2013-10-17", "Statement": [GOOD]}),
        json.dumps({"Version": "2012-10-17", "Statement": []}),
        json.dumps({"Version": "2012-10-17", "Statement": [GOOD], "Surprise": 1}),
        json.dumps({"Version": "2012-10-17", "Statement": ["x"]}),
        FULL_RIGHTS.replace('"Effect"', '"Effect":"Deny","Effect"'),
        _policy({**GOOD, "Effect": "allow"}),
        _policy({**GOOD, "Actions": "*"}),
        _policy({"Effect": "Allow", "Resource": "*"}),
        _policy({"Effect": "Allow", "Action": "*"}),
        _policy({**GOOD, "NotAction": "*"}),
        _policy({**GOOD, "NotResource": "*"}),
        _policy({**GOOD, "Action": []}),
        _policy({**GOOD, "Action": "invoke"}),
        _policy({**GOOD, "Action": {"a": 1}}),
        _policy({**GOOD, "Resource": "arn:aws:lambda:*"}),
        _policy({**GOOD, "Resource": "function"}),
        _policy({**GOOD, "Resource": "arn:aws:lambda:${aws:x}:${aws:y}"}),
        _policy({**GOOD, "Resource": "arn:aws:lambda:us-east-1:*:function:${broken"}),
        _policy({**GOOD, "Principal": "*"}),
        _policy({**GOOD, "Condition": {"StringEqualz": {"a": "b"}}}),
        _policy({**GOOD, "Condition": {"ForSome:StringEquals": {"a": "b"}}}),
        _policy({**GOOD, "Condition": {"NullIfExists": {"a": "true"}}}),
        _policy({**GOOD, "Condition": {"StringEquals": {"a": []}}}),
        _policy({**GOOD, "Condition": {"StringEquals": {"a": {"b": "c"}}}}),
        _policy({**GOOD, "Condition": {"StringEquals": "a"}}),
        _policy({**GOOD, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}}),
        _policy({**GOOD, "Condition": {"Bool": {"a": "maybe"}}}),
        _policy({**GOOD, "Condition": {"DateLessThan": {"a": "tomorrow"}}}),
        _policy({**GOOD, "Condition": {"NumericEquals": {"a": "nan"}}}),
        _policy({**GOOD, "Condition": {"ArnLike": {"a": "bucket"}}}),
        _policy({**GOOD, "Condition": []}),
        _policy({**GOOD, "Sid": "x" * 30_000}),
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    """Unknown words, broken forms, sizes: nothing is guessed."""
    with pytest.raises(MalformedPolicy):
        read(text, Kind.IDENTITY)


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        (Kind.RESOURCE, GOOD),
        (Kind.RESOURCE, {**GOOD, "Principal": {"AWS": "arn:aws:iam::0:user/*"}}),
        (Kind.RESOURCE, {**GOOD, "Principal": {"AWS": "arn:aws:iam::000000000000:user/*"}}),
        (Kind.RESOURCE, {**GOOD, "Principal": {"AWS": []}}),
        (Kind.RESOURCE, {**GOOD, "Principal": {"Alien": "x"}}),
        (Kind.RESOURCE, {**GOOD, "NotPrincipal": {"AWS": "000000000000"}}),
        (Kind.TRUST, {"Effect": "Allow", "Action": "sts:AssumeRole"}),
        (Kind.TRUST, {**GOOD, "Principal": "*"}),
    ],
)
def test_who_must_be_said_where_it_belongs(kind: Kind, statement: dict[str, Any]) -> None:
    """A resource's policy names somebody; nobody is opened to by leaving somebody out."""
    with pytest.raises(MalformedPolicy):
        read(_policy(statement), kind)


@given(text=st.text("ab*?", max_size=10), pattern=st.text("ab*?", max_size=8))
def test_wildcards_are_those_of_a_shell(text: str, pattern: str) -> None:
    """As a regular expression would have it."""
    import re

    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    assert patterns.like(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


def test_a_pattern_of_stars_keeps_nobody_busy() -> None:
    """Whoever writes a session's policy cannot stop the platform with it."""
    began = time.process_time()
    patterns.like("*a" * 1000 + "b", "a" * 2000)
    patterns.like("*?a" * 600 + "b", "a" * 2000)
    assert time.process_time() - began < 2
