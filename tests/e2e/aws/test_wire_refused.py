"""Refusals on the wire: of invocations, of changes, of what is too large or not served."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit, recorded
from tests.e2e.meeting import WAITS, Meeting
from tests.e2e.serving import Server

NEW: dict[str, Any] = {
    "Role": kit.ROLE, "Runtime": "python3.11", "Handler": "app.handler",
    "Code": {"ZipFile": kit.zipped(kit.HELLO)},
}  # fmt: skip
MEETS = WAITS + "waits({port})\ndef handler(e, c): return 1\n"


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared, validating=False)
    kit.create(made, "fn", Publish=True)
    return made


@pytest.fixture(scope="module")
def seen(aws: Any) -> list[recorded.Wire]:
    return recorded.watched(aws)


# Invocations.


@pytest.mark.parametrize(
    ("payload", "status", "code", "message"),
    [
        (b"{", 400, "InvalidRequestContentException",
         "Could not parse request body into json: Could not parse payload into json: "),
        (b'"' + b"x" * (6 * 1024 * 1024) + b'"', 413, "RequestTooLargeException", ""),
    ],
)  # fmt: skip
def test_a_payload_is_refused_in_awss_form(
    aws: Any, seen: list[recorded.Wire], payload: bytes, status: int, code: str, message: str
) -> None:
    """The text is under ``message``, the kind is the user's, the name is in the header."""
    with pytest.raises(ClientError):
        aws.invoke(FunctionName="fn", Payload=payload)

    document = json.loads(seen[-1].body)
    assert (seen[-1].status, seen[-1].headers["x-amzn-errortype"]) == (status, code)
    assert set(document) == {"Type", "message"}
    assert document["Type"] == "User"
    assert document["message"].startswith(message)


def test_a_throttled_call_says_which_limit_it_met(aws: Any, seen: list[recorded.Wire]) -> None:
    """Exactly AWS's document, and when to come again."""
    kit.create(aws, "throttled")
    aws.put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError):
        aws.invoke(FunctionName="throttled")

    assert (seen[-1].status, seen[-1].headers["x-amzn-errortype"]) == (
        429, "TooManyRequestsException",
    )  # fmt: skip
    assert int(seen[-1].headers["retry-after"]) >= 1
    assert json.loads(seen[-1].body) == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User",
        "message": "Rate Exceeded.",
    }  # fmt: skip


# Changes.


def test_a_second_change_meanwhile_is_a_conflict(aws: Any) -> None:
    """While a function is made, or changed, the next change is refused in AWS's words."""
    asked = {"FunctionName": "busy"}
    refusals: list[tuple[int, str, str]] = []
    with Meeting() as meeting:
        data = kit.zipped(MEETS.format(port=meeting.port))
        aws.create_function(**asked, **{**NEW, "Code": {"ZipFile": data}})
        with pytest.raises(ClientError) as pending:
            aws.update_function_configuration(**asked, Timeout=5)
        meeting.open()
        kit.active(aws, "busy")
        meeting.shut()
        aws.update_function_configuration(**asked, Timeout=5)
        later: list[tuple[str, dict[str, Any]]] = [
            ("update_function_configuration", {"Timeout": 6}),
            ("update_function_code", NEW["Code"]),
            ("publish_version", {}),
        ]
        for operation, more in later:
            with pytest.raises(ClientError) as busy:
                getattr(aws, operation)(**asked, **more)
            refusals.append(kit.refused(busy.value))

    meanwhile = "The operation cannot be performed at this time. "
    assert kit.refused(pending.value) == (
        409, recorded.CONFLICT,
        f"{meanwhile}The function is currently in the following state: Pending",
    )  # fmt: skip
    updating = f"{meanwhile}An update is in progress for resource: {kit.ARN}busy"
    assert refusals == 3 * [(409, recorded.CONFLICT, updating)]


def stored(size: int) -> bytes:
    """A zip that holds this many bytes, uncompressed."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("app.py", kit.HELLO)
        archive.writestr("data", os.urandom(1024) * (size // 1024))
    return written.getvalue()


@pytest.mark.parametrize(
    ("size", "padding", "message"),
    [
        (52_428_800, 0, "Zipped size must be smaller than 52428800 bytes"),
        (
            52_000_000, 2_000_000,
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        ),
    ],
)  # fmt: skip
def test_too_much_code_is_refused_in_awss_words(
    aws: Any, seen: list[recorded.Wire], size: int, padding: int, message: str
) -> None:
    """The zip has a limit, and so has the request as a whole."""
    with pytest.raises(ClientError):
        aws.create_function(
            FunctionName="large",
            **{**NEW, "Code": {"ZipFile": stored(size)}, "Description": "x" * padding},
        )

    assert (seen[-1].status, seen[-1].headers["x-amzn-errortype"]) == (
        413, "RequestEntityTooLargeException",
    )  # fmt: skip
    assert json.loads(seen[-1].body) == {"Type": "User", "message": message}


# What is not of its type.

MISTYPED: list[dict[str, Any]] = [
    {"Timeout": "3"}, {"Description": 5}, {"Layers": [5]},
    {"Environment": {"Variables": {"AB": 5}}},
    {"EphemeralStorage": {"Size": "x"}}, {"Description": "half a character: \ud800"},
]  # fmt: skip


@pytest.mark.parametrize("given", MISTYPED, ids=str)
def test_a_member_of_another_type_is_the_callers_fault(
    aws: Any, seen: list[recorded.Wire], given: dict[str, Any]
) -> None:
    """400, and the text names the member; nothing fails inside, and nobody waits for ever."""
    with pytest.raises(ClientError):
        aws.update_function_configuration(FunctionName="fn", **given)

    assert (seen[-1].status, seen[-1].headers["x-amzn-errortype"]) == (
        400, "SerializationException",
    )  # fmt: skip
    assert f"The member '{next(iter(given))}" in json.loads(seen[-1].body)["message"]


# What is not served.

UNSERVED = [
    ("list_code_signing_configs", {}),
    ("get_function_scaling_config", {"FunctionName": "fn", "Qualifier": "1"}),
    ("list_durable_executions_by_function", {"FunctionName": "fn"}),
    ("list_capacity_providers", {}),
    ("get_resource_policy", {"ResourceArn": kit.ARN + "fn"}),
]


@pytest.mark.parametrize(("operation", "asked"), UNSERVED)
def test_what_is_not_served_is_said_so(
    aws: Any, seen: list[recorded.Wire], operation: str, asked: dict[str, Any]
) -> None:
    """No such operation: 404, and the text names what was asked."""
    with pytest.raises(ClientError):
        getattr(aws, operation)(**asked)

    assert (seen[-1].status, seen[-1].headers["x-amzn-errortype"]) == (
        404, "UnknownOperationException",
    )  # fmt: skip
    assert "GET /" in json.loads(seen[-1].body)["Message"]


def test_a_service_that_is_not_here_is_called_by_its_own_name(shared: Server) -> None:
    """IAM's requests look like those of STS; the signature says for whom they are."""
    iam = kit.client(shared, "iam")

    with pytest.raises(ClientError, match="no operation 'ListUsers' of iam"):
        iam.list_users()


LACKING: list[tuple[dict[str, Any], str]] = [
    ({"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}}, "no virtual networks"),
    ({"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}]}, "no network file systems"),
    ({"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}, "no keys of a key service"),
    ({"ImageConfig": {"Command": ["c"]}}, "no containers"),
    ({"PackageType": "Image", "Code": {"ImageUri": "i"}}, "zips, not containers"),
]


@pytest.mark.parametrize(("given", "message"), LACKING)
def test_what_the_platform_lacks_is_refused(aws: Any, given: dict[str, Any], message: str) -> None:
    """Not ignored: a function that needs it would be another function."""
    with pytest.raises(ClientError) as error:
        aws.create_function(FunctionName="lacking", **{**NEW, **given})

    assert kit.refused(error.value)[:2] == (400, recorded.BAD)
    assert message in kit.refused(error.value)[2]
