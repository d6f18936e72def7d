"""Functions through an unmodified boto3: made, read, changed, listed, deleted."""

from __future__ import annotations

import hashlib
import io
import urllib.request
import zipfile
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def test_a_function_is_made_runs_changes_and_goes(aws: Any) -> None:
    """The whole life of a function, as a deploy script lives it."""
    data = kit.zipped(kit.HELLO)
    made = aws.create_function(
        FunctionName="life",
        Runtime="python3.11",
        Role=kit.ROLE,
        Handler="app.handler",
        Code={"ZipFile": data},
        Environment={"Variables": {"GREETING": "hi"}},
        Tags={"team": "a"},
    )
    kit.active(aws, "life")
    got = aws.get_function(FunctionName="life")
    downloaded = urllib.request.urlopen(got["Code"]["Location"]).read()
    value, answer = kit.call(aws, "life", {"a": 1}, LogType="Tail")
    aws.update_function_code(FunctionName="life", ZipFile=kit.zipped("def handler(e, c): return 2"))
    kit.updated(aws, "life")
    changed, _ = kit.call(aws, "life")
    deleted = aws.delete_function(FunctionName="life")

    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["State"], made["StateReasonCode"], made["Version"]) == (
        "Pending", "Creating", "$LATEST",
    )  # fmt: skip
    assert made["CodeSha256"] == b64encode(hashlib.sha256(data).digest()).decode()
    assert made["FunctionArn"] == kit.ARN + "life"
    assert made["Environment"] == {"Variables": {"GREETING": "hi"}}
    assert (got["Configuration"]["State"], got["Configuration"]["LastUpdateStatus"]) == (
        "Active", "Successful",
    )  # fmt: skip
    assert got["Tags"] == {"team": "a"}
    assert got["Configuration"]["RevisionId"] != made["RevisionId"]
    assert zipfile.ZipFile(io.BytesIO(downloaded)).read("app.py").decode() == kit.HELLO
    assert value == {"event": {"a": 1}, "arn": kit.ARN + "life", "v": "$LATEST"}
    lines = kit.tail(answer).splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "seen {'a': 1}"
    assert lines[2].startswith("END RequestId: ")
    assert "Billed Duration" in lines[3]
    assert changed == 2
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as error:
        aws.get_function(FunctionName="life")
    assert kit.refused(error.value) == (
        404, "ResourceNotFoundException", f"Function not found: {kit.ARN}life",
    )  # fmt: skip


def test_every_form_of_a_name_leads_to_the_function(aws: Any) -> None:
    """Name, partial ARN, ARN, each with and without a qualifier."""
    kit.create(aws, "forms", Publish=True)
    partial = "000000000000:function:forms"

    for name in ("forms", partial, kit.ARN + "forms", "forms:1", partial + ":1"):
        value, answer = kit.call(aws, name)
        expected = "1" if name.endswith(":1") else "$LATEST"
        assert answer["ExecutedVersion"] == expected
        assert value["arn"] == kit.ARN + "forms" + (":1" if expected == "1" else "")
    with pytest.raises(ClientError) as differ:
        aws.get_function(FunctionName="forms:1", Qualifier="2")
    with pytest.raises(ClientError) as elsewhere:
        aws.get_function(FunctionName="arn:aws:lambda:eu-west-1:000000000000:function:forms")

    assert kit.refused(differ.value)[2] == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )
    assert kit.refused(elsewhere.value)[2] == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )


def test_lists_come_in_pages(aws: Any) -> None:
    """Marker and MaxItems lead through every function once."""
    for number in range(5):
        kit.create(aws, f"page-{number}")

    seen = [
        each["FunctionName"]
        for page in aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
        for each in page["Functions"]
    ]

    assert len(seen) == len(set(seen))
    assert {f"page-{number}" for number in range(5)} <= set(seen)


def test_an_old_revision_changes_nothing(aws: Any) -> None:
    """Who has an old view of a function is refused (412)."""
    kit.create(aws, "revised")

    with pytest.raises(ClientError) as error:
        aws.update_function_configuration(
            FunctionName="revised", Description="x", RevisionId="00000000-0000-0000-0000-0"
        )

    status, code, message = kit.refused(error.value)
    assert (status, code) == (412, "PreconditionFailedException")
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")


def test_the_environment_reaches_the_code_and_its_limits_hold(aws: Any) -> None:
    """Variables arrive; reserved names and more than 4 KB do not."""
    code = "import os\ndef handler(e, c): return [os.environ['AN'], os.environ['AWS_REGION']]"
    kit.create(aws, "environs", code, Environment={"Variables": {"AN": "ü"}})

    value, _ = kit.call(aws, "environs")
    with pytest.raises(ClientError) as reserved:
        kit.create(aws, "env2", Environment={"Variables": {"AWS_REGION": "x"}})
    with pytest.raises(ClientError) as large:
        kit.create(aws, "env3", Environment={"Variables": {"BIG": "x" * 4096}})

    assert value == ["ü", "us-east-1"]
    assert "Reserved keys used in this request: AWS_REGION" in kit.refused(reserved.value)[2]
    assert "exceeded the 4KB limit. String measured: " in kit.refused(large.value)[2]


_ONE_ERROR = "1 validation error detected: Value "
_BAD = "InvalidParameterValueException"
_INVALID = "ValidationException"
BAD_CREATES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"Role": "r1"},
        _INVALID,
        _ONE_ERROR + "'r1' at 'role' failed to satisfy constraint: Member must satisfy regular",
    ),
    (
        {"Runtime": "python3.7"},
        _BAD,
        "The runtime parameter of python3.7 is no longer supported for creating or updating",
    ),
    (
        {"Runtime": "perl5"},
        _BAD,
        "Value perl5 at 'runtime' failed to satisfy constraint: Member must satisfy enum value",
    ),
    ({"Runtime": "java21"}, _BAD, "The runtime java21 is not available on this host, which has: "),
    (
        {"Timeout": 901},
        _INVALID,
        _ONE_ERROR + "'901' at 'timeout' failed to satisfy constraint: Member must have value less",
    ),
    ({"MemorySize": 10_241}, _INVALID, _ONE_ERROR + "'10241' at 'memorySize'"),
    ({"Code": {"ZipFile": b"no zip"}}, _BAD, "Could not unzip uploaded file. Please check your"),
    ({"Code": {"ZipFile": b""}}, _BAD, "Could not unzip uploaded file."),
    (
        {"Code": {"S3Bucket": "none", "S3Key": "k"}},
        _BAD,
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket.",
    ),
    (
        {"Layers": [f"arn:aws:lambda:us-east-1:000000000000:layer:l{n}:1" for n in range(6)]},
        _BAD,
        "Cannot reference more than 5 layers.",
    ),
    ({"FunctionName": "a" * 65}, _BAD, _ONE_ERROR),
    (
        {"Tags": {f"k{n}": "v" for n in range(51)}},
        _BAD,
        "Number of tags exceeds resource tag limit.",
    ),
    (
        {"Architectures": ["x86_64", "arm64"]},
        _INVALID,
        _ONE_ERROR + "'[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member",
    ),
    ({"SnapStart": {"ApplyOn": "Sometimes"}}, _INVALID, _ONE_ERROR + "'Sometimes' at 'snapStart"),
]


@pytest.mark.parametrize(("given", "code", "message"), BAD_CREATES)
def test_what_cannot_be_made_is_refused_in_aws_words(
    aws: Any, given: dict[str, Any], code: str, message: str
) -> None:
    """Recorded refusals of CreateFunction; nothing is left behind."""
    wanted = {
        "FunctionName": "refused", "Role": kit.ROLE, "Runtime": "python3.11",
        "Handler": "app.handler", "Code": {"ZipFile": kit.zipped(kit.HELLO)}, **given,
    }  # fmt: skip

    with pytest.raises(ClientError) as error:
        aws.create_function(**wanted)

    got = kit.refused(error.value)
    assert got[:2] == (400, code), got
    assert got[2].startswith(message), got
    with pytest.raises(ClientError):
        aws.get_function(FunctionName="refused")


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py", "a/./../../b"])
def test_a_zip_that_leaves_its_folder_is_refused(aws: Any, name: str) -> None:
    """Names that lead out of the code's folder never reach the disk."""
    data = kit.zipped({name: "1", "app.py": kit.HELLO})

    with pytest.raises(ClientError) as error:
        kit.create(aws, "slip", data)

    assert kit.refused(error.value)[:2] == (400, "InvalidParameterValueException")


def test_a_zip_bomb_is_refused(aws: Any) -> None:
    """A zip may not unpack to more than the limit."""
    with pytest.raises(ClientError) as error:
        kit.create(aws, "bomb", kit.zipped({"zeros": b"\0" * 300_000_000}))

    assert kit.refused(error.value)[2] == "Unzipped size must be smaller than 262144000 bytes"


def test_a_second_of_the_same_name_is_a_conflict(aws: Any) -> None:
    """CreateFunction does not replace."""
    kit.create(aws, "twice")

    with pytest.raises(ClientError) as error:
        kit.create(aws, "twice")

    assert kit.refused(error.value) == (
        409, "ResourceConflictException", "Function already exist: twice",
    )  # fmt: skip
