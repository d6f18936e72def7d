"""A function's policy through the API: statements, refusals and their words, revisions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dynimo.api.aws.calls import Answer, Call
from dynimo.api.aws.lambda_conditions import of as conditions_of
from dynimo.api.aws.lambda_permissions import POLICY_BYTES_MAX, Permissions, policy_of
from dynimo.identity.policy import Kind, read
from dynimo.model.caller import Caller
from dynimo.model.errors import AwsError
from dynimo.model.function import Configuration
from dynimo.model.names import Place
from dynimo.registry.config import Config
from dynimo.registry.records import AliasRecord, Code
from dynimo.registry.registry import Registry
from dynimo.web.message import Request

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to"
    " retrieve the latest Revision Id"
)


class Desk:
    """The three operations over a registry with function ``f``, version 1 and alias ``live``."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.permissions = Permissions(registry)
        function = registry.create(
            Place(), "f", Configuration(handler="f.h"), Code(sha256="0" * 64, size=1)
        )
        registry.publish(function)
        registry.put_alias(function, AliasRecord(name="live", version=1, revision=""))
        self.function = function

    def call(
        self, document: dict[str, Any] | None = None, *, function: str = "f", **given: str
    ) -> Call:
        """A call with a path's parameters, and a query for what is left."""
        sid = given.pop("StatementId", "")
        parameters = {"FunctionName": function, **({"StatementId": sid} if sid else {})}
        body = json.dumps(document).encode() if document is not None else b""
        return Call(
            request=Request(method="POST", path="/", query=urlencode(given), body=body),
            place=Place(),
            caller=Caller(arn="a", account="000000000000"),
            parameters=parameters,
        )

    def add(self, *, function: str = "f", qualifier: str = "", **given: Any) -> dict[str, Any]:
        """AddPermission; returns the statement."""
        document = {
            "StatementId": "s1", "Action": "lambda:InvokeFunction", "Principal": "*", **given
        }  # fmt: skip
        query = {"Qualifier": qualifier} if qualifier else {}
        answer = _ran(self.permissions.add(self.call(document, function=function, **query)))
        statement: dict[str, Any] = json.loads(answer.document["Statement"])
        return statement

    def remove(self, sid: str = "s1", *, function: str = "f", **given: str) -> None:
        """RemovePermission."""
        _ran(self.permissions.remove(self.call(function=function, StatementId=sid, **given)))

    def get(self, *, function: str = "f", **given: str) -> dict[str, str]:
        """GetPolicy."""
        answer = _ran(self.permissions.get(self.call(function=function, **given)))
        document: dict[str, str] = answer.document
        return document


def _ran(coroutine: Any) -> Answer:
    answer: Answer = asyncio.run(coroutine)
    return answer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    registry = Registry(tmp_path, Config())
    yield Desk(registry)
    registry.close()


def _refused(call: Any, *arguments: Any, **given: Any) -> tuple[int, str, str]:
    with pytest.raises(AwsError) as caught:
        call(*arguments, **given)
    return caught.value.status, caught.value.code.removesuffix("Exception"), str(caught.value)


def _broken(value: str, member: str, pattern: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint:"
        f" Member must satisfy regular expression pattern: {pattern}"
    )


def test_a_statement_is_as_the_service_writes_it(desk: Desk) -> None:
    """Every parameter has its place."""
    assert desk.add(Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::b",
                    SourceAccount="111111111111", EventSourceToken="tok",
                    PrincipalOrgID="o-1234567890") == {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {
                "aws:PrincipalOrgID": "o-1234567890",
                "AWS:SourceAccount": "111111111111",
                "lambda:EventSourceToken": "tok",
            },
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
        },
    }  # fmt: skip
    url = desk.add(StatementId="s2", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert url["Principal"] == "*"
    assert url["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    via = desk.add(StatementId="s3", InvokedViaFunctionUrl=True)
    assert via["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    account = desk.add(StatementId="s4", Principal="111111111111")
    assert account["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}

    policy = json.loads(desk.get()["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["s1", "s2", "s3", "s4"]
    assert (policy["Version"], policy["Id"]) == ("2012-10-17", "default")
    read(desk.get()["Policy"], Kind.RESOURCE)


@pytest.mark.parametrize("qualifier", ["live", "1"])
def test_versions_and_aliases_have_policies_of_their_own(desk: Desk, qualifier: str) -> None:
    """Named in the query or in the function's name; the function's own is another."""
    assert desk.add(qualifier=qualifier)["Resource"] == f"{ARN}:{qualifier}"
    assert _refused(desk.get)[2] == "The resource you requested does not exist."
    assert desk.get(function=f"f:{qualifier}") == desk.get(Qualifier=qualifier)

    text, named = policy_of(desk.registry.documents, f"{ARN}:{qualifier}")
    assert (json.loads(text)["Statement"][0]["Sid"], named) == ("s1", f"{ARN}:{qualifier}")
    assert policy_of(desk.registry.documents, ARN) == ("", ARN)
    if qualifier.isdigit():
        desk.registry.delete_alias(desk.function, "live")
        desk.registry.delete_version(desk.function, int(qualifier))
    else:
        desk.registry.delete_alias(desk.function, qualifier)
    assert policy_of(desk.registry.documents, f"{ARN}:{qualifier}")[0] == ""


def test_latest_is_the_function_itself(desk: Desk) -> None:
    """Its policy is the function's; one of its own cannot be made."""
    refused = (400, "InvalidParameterValue",
               "We currently do not support adding policies for $LATEST.")  # fmt: skip
    assert _refused(desk.add, qualifier="$LATEST") == refused
    assert _refused(desk.add, function="f:$LATEST") == refused

    desk.add()
    assert policy_of(desk.registry.documents, f"{ARN}:$LATEST") == (desk.get()["Policy"], ARN)


@pytest.mark.parametrize(
    ("given", "status", "code", "text"),
    [
        (
            {"StatementId": "example.com"}, 400, "Validation",
            _broken("example.com", "statementId", "([a-zA-Z0-9-_]+)"),
        ),
        (
            {"Principal": "invalid.nonaws.com"}, 400, "InvalidParameterValue",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"Principal": "arn:aws:iam::000000000000:user/*"}, 400, "InvalidParameterValue",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"qualifier": "alias-not-existing"}, 404, "ResourceNotFound",
            f"Cannot find alias arn: {ARN}:alias-not-existing",
        ),
        ({"qualifier": "42"}, 404, "ResourceNotFound", f"Function not found: {ARN}:42"),
        (
            {"qualifier": "valid-with-$-but-not-there"}, 404, "ResourceNotFound",
            f"Function not found: {ARN}:valid-with-$-but-not-there",
        ),
        (
            {"qualifier": "invalid-with-?-char"}, 400, "Validation",
            _broken(
                "invalid-with-?-char", "qualifier", r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
            ),
        ),
        (
            {"function": "nosuch"}, 404, "ResourceNotFound",
            f"Function not found: {ARN[:-1]}nosuch",
        ),
        (
            {"FunctionUrlAuthType": "NONE"}, 400, "InvalidParameterValue",
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ),
        (
            {"RevisionId": "wrong"}, 412, "PreconditionFailed",
            STALE,
        ),
    ],
)  # fmt: skip
def test_what_add_permission_refuses(
    desk: Desk, given: dict[str, Any], status: int, code: str, text: str
) -> None:
    """In the service's recorded words, and nothing is kept."""
    assert _refused(desk.add, **given) == (status, code, text)
    assert list(desk.registry.documents.find("policy")) == []


def test_several_faults_are_told_at_once(desk: Desk) -> None:
    """Missing members and wrong ones."""
    text = _refused(desk.add, StatementId=None, Action="s3:Get", SourceAccount="12")[2]
    assert text.startswith("3 validation errors detected: Value null at 'statementId'")
    assert "'lambda" not in text
    assert _refused(desk.add, InvokedViaFunctionUrl="yes")[1] == "Serialization"
    assert _refused(desk.add, Principal={"a": 1})[0] == 400


def test_a_statement_id_is_used_once(desk: Desk) -> None:
    """A conflict, not a change."""
    desk.add()
    status, code, text = _refused(desk.add, Principal="111111111111")
    assert (status, code) == (409, "ResourceConflict")
    assert text == (
        "The statement id (s1) provided already exists. Please provide a new statement id, or"
        " remove the existing statement."
    )
    assert len(json.loads(desk.get()["Policy"])["Statement"]) == 1


def test_removing(desk: Desk) -> None:
    """One statement, the last one, and what is not there."""
    associated = "No policy is associated with the given resource."
    assert _refused(desk.remove) == (404, "ResourceNotFound", associated)
    desk.add()
    desk.add(StatementId="s2")
    assert _refused(desk.remove, "non-existent")[2] == (
        "Statement non-existent is not found in resource policy."
    )
    desk.remove("s1")
    assert len(json.loads(desk.get()["Policy"])["Statement"]) == 1
    desk.remove("s2")
    assert _refused(desk.get) == (
        404, "ResourceNotFound", "The resource you requested does not exist.",
    )  # fmt: skip
    assert _refused(desk.remove, function="nosuch")[2] == (f"No policy found for: {ARN[:-1]}nosuch")


def test_revisions_guard_both_ways(desk: Desk) -> None:
    """A policy's revision is that of the function, which gets a new one with every change of it."""
    before = desk.function.latest.revision
    desk.add(RevisionId=before)
    revision = desk.get()["RevisionId"]
    assert before != revision == desk.function.latest.revision
    assert _refused(desk.add, StatementId="s2", RevisionId="x")[0] == 412
    desk.add(StatementId="s2", RevisionId=revision)
    assert desk.get()["RevisionId"] != revision
    assert _refused(desk.remove, "s2", RevisionId=revision)[:2] == (412, "PreconditionFailed")
    desk.remove("s2", RevisionId=desk.get()["RevisionId"])


def test_a_policy_has_a_size(desk: Desk) -> None:
    """20 KB; what was there before stays."""
    refused = None
    for number in range(400):
        try:
            desk.add(StatementId=f"s{number:03}" + "x" * 90)
        except AwsError as error:
            refused = error
            break
    assert refused is not None
    assert refused.code == "PolicyLengthExceededException"
    assert str(refused).startswith("The final policy size (20")
    assert str(refused).endswith("is bigger than the limit (20480).")
    assert len(desk.get()["Policy"]) <= POLICY_BYTES_MAX
    read(desk.get()["Policy"], Kind.RESOURCE)


def test_conditions_that_a_call_decides(desk: Desk) -> None:
    """The keys of Lambda, from the documents that have them; broken ones have none."""
    call = desk.call({"FunctionName": "f:live"})
    assert conditions_of("CreateEventSourceMapping", call) == {
        "lambda:functionarn": [f"{ARN}:live"]
    }
    url = desk.call({"AuthType": "NONE"})
    assert conditions_of("CreateFunctionUrlConfig", url) == {"lambda:functionurlauthtype": ["NONE"]}
    assert conditions_of("Invoke", url) == {}
    broken = desk.call()
    broken.request.body = b"{"
    assert conditions_of("CreateFunctionUrlConfig", broken) == {}
